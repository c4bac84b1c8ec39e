"""All of a machine with a bus, and the commands that it carries out."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from golden.memory.descriptor import BYTES
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from hw.memory.descriptor_reader import AHEAD
from hw.memory_machine import (
    ACTIVATIONS,
    BESIDE,
    DESCRIPTORS,
    SIDE,
    WEIGHTS,
    WEIGHTS_SHARE,
    WORKS,
    beside_depth,
)
from perf.rtl.bus_schedule.array import Array
from perf.rtl.bus_schedule.burst_former import BurstFormer
from perf.rtl.bus_schedule.bus import Bus
from perf.rtl.bus_schedule.bus_memory import Latencies
from perf.rtl.bus_schedule.descriptor_reader import DescriptorReader
from perf.rtl.bus_schedule.dispatcher import Dispatcher
from perf.rtl.bus_schedule.groups import Groups
from perf.rtl.bus_schedule.job_merge import JobMerge
from perf.rtl.bus_schedule.ledger import Ledger
from perf.rtl.bus_schedule.loading import RowLoader
from perf.rtl.bus_schedule.network import Network, Step
from perf.rtl.bus_schedule.operand_reader import (
    OperandReader,
    row_fences,
    row_pieces,
    tile_fences,
    tile_pieces,
)
from perf.rtl.bus_schedule.packed import PackedLoader
from perf.rtl.bus_schedule.packing import Packer
from perf.rtl.bus_schedule.read_channel import ReadChannel
from perf.rtl.bus_schedule.read_port import ReadPort
from perf.rtl.bus_schedule.result_sink import ResultSink
from perf.rtl.bus_schedule.result_stream import ResultStream
from perf.rtl.bus_schedule.results import Results
from perf.rtl.bus_schedule.rooms import TileRoom
from perf.rtl.bus_schedule.router import Router
from perf.rtl.bus_schedule.scope import check_list, check_machine
from perf.rtl.bus_schedule.stage_reader import StageReader
from perf.rtl.bus_schedule.stores import Stores
from perf.rtl.bus_schedule.table_loader import TableLoader
from perf.rtl.bus_schedule.tagging import Tagging
from perf.rtl.bus_schedule.vector_unit import VectorUnit
from perf.rtl.bus_schedule.weights import WeightLoader
from perf.rtl.bus_schedule.word_joiner import WordJoiner
from perf.rtl.bus_schedule.work import ScheduledCommand, Work
from perf.rtl.bus_schedule.write_port import WritePort
from perf.rtl.schedule import COUNTER_NAMES, JobCounters
from perf.rtl.schedule.latencies import NOT_YET
from perf.rtl.schedule.streams import StreamSwitch


@dataclass(frozen=True)
class ListSchedule:
    """What happens on a list of commands; cycles count from the one in which RING_TAIL has changed.

    Attributes
    ----------
    jobs : list of JobCounters
        Of each iteration of each command.
    first_beats, last_beats : list of int
        When the first and the last beat of each GEMM entered the array.
    job_ends : list of int
        When the last result of each job left the engines.
    command_ends : list of int
        When the last answer to each command's writes came.
    bus : dict of str to int
        By the names of `hw.host.memory.bus_counters.BusCounters`.
    """

    jobs: list[JobCounters]
    first_beats: list[int]
    last_beats: list[int]
    job_ends: list[int]
    command_ends: list[int]
    bus: dict[str, int]


def predict_list(config: Config, commands: Sequence[ScheduledCommand], latencies: Latencies, *,
                 ring: tuple[int, int], notify_address: int = 0) -> ListSchedule:
    """Give the counters of a machine's first list of commands after a reset, and of its bus.

    Parameters
    ----------
    config : Config
    commands : sequence of ScheduledCommand
    latencies : Latencies
        Of the memory.
    ring : (int, int)
        Address of the ring, and its descriptors.
    notify_address : int
        Where commands with NOTIFY write their count.

    Raises
    ------
    ValueError
        If the list is outside of what the schedule follows.
    """
    check_machine(config)
    check_list(config, commands, ring[1], latencies)
    return Machine(config, commands, latencies, ring, notify_address).run()


class Machine:
    """Follow a list; parameters as of `predict_list`."""

    def __init__(self, config: Config, commands: Sequence[ScheduledCommand], latencies: Latencies,
                 ring: tuple[int, int], notify_address: int):
        depths = (max(AHEAD * BYTES // config.bus_bytes, config.burst_beats), config.read_depth,
                  WEIGHTS_SHARE * config.read_depth, config.burst_beats)
        if config.vector_lanes:
            depths += (beside_depth(config),)
        channels = [ReadChannel(config, depth) for depth in depths]
        self._commands = commands
        self._jobs = [job for each in commands for job in each.jobs]
        self._port = ReadPort(config, latencies, channels)
        self._ledger = ledger = Ledger()
        places = [ring[0] + number * BYTES for number in range(len(commands))]
        self._descriptors = DescriptorReader(config, channels[DESCRIPTORS], places, 0)
        self._act = act = OperandReader(config, channels[ACTIVATIONS], config.act_bytes, row_pieces,
                                        row_fences, ledger, WORKS)
        self._weight = weight = OperandReader(config, channels[WEIGHTS], config.weight_bytes,
                                              tile_pieces, tile_fences, ledger, WORKS)
        act_beats, switch = (act.aligner.beats, act.aligner.taken), StreamSwitch()
        self._rows = RowLoader(config, switch, *act_beats)
        self._packed = PackedLoader(config, switch, *act_beats)
        self._packer = Packer(config, config.weight_bytes)
        act_room = TileRoom(config.act_depth, config.tile_slots)
        weight_room = TileRoom(config.weight_depth, config.weight_slots)
        drained, self._vector = Groups(), None
        if config.vector_lanes:
            self._vector = VectorUnit(config, channels[BESIDE], ledger, drained, self._rows.stored)
            self._rows.go_through(self._vector.gate)
        self._results = Results(config, drained,
                                self._vector.results.rows if self._vector else Groups())
        to_results = self._results.packer, self._results.blocks
        self._tagging = Tagging(config, self._rows, self._packer, *to_results)
        self._stage = StageReader(config, self._rows, self._tagging)
        self._router = Router(config, self._stage, self._packed, act_room, self._packer,
                              *to_results)
        self._weights = WeightLoader(config, weight_room, weight.aligner.beats,
                                     weight.aligner.taken)
        self._array = Array(config, self._router.known, self._weights.known, act_room, weight_room,
                            drained)
        self._stream, stores, written = ResultStream(), Stores(), Stores()
        # Beats that are parts of a word are joined to words.
        self._joiner = WordJoiner(config, written, stores)
        self._joins = config.act_bytes != config.bus_bytes
        if not self._joins:
            written = stores
        self._sink = ResultSink(config, self._stream.out, written, WORKS, notify_address)
        self._former = BurstFormer(config, stores)
        self._writes = WritePort(config, latencies, self._former, ledger)
        self._bus = Bus(latencies, self._port, self._former, self._writes,
                        self._vector.gate if self._vector else None)
        self._dispatcher = Dispatcher(commands, self._descriptors, ledger, act, weight,
                                      self._vector.reader if self._vector else None,
                                      TableLoader(config, channels[SIDE], ledger), self._sink,
                                      self._stream.ends)

    def run(self) -> ListSchedule:
        """Run the list."""
        network = Network(self._bus)
        results, rows, packed = self._results, self._rows, self._packed
        network.add([
            self._descriptors.ask(), self._descriptors.gather(), self._dispatcher.run(),
            *(part.run() for reader in (self._act, self._weight)
              for part in (reader, reader.aligner)),
            self._each_job(self._load), self._each_job(rows.move_job), rows.read_banks(),
            rows.store(), packed.unpack(), packed.send(),
            self._each_job(self._tag), self._each_job(self._stage.read_job),
            self._each_job(self._route), self._each_gemm(self._weights),
            self._each_gemm(self._array), self._each_job(self._gather), self._each_job(self._pack),
            results.cutter.run(),
            *map(self._each_job, (self._merge_rows, self._merge_blocks, self._merge_tags)),
            *(part for packer in (results.packer, self._packer)
              for part in (packer.fill(), packer.run())),
            self._each_job(self._send), self._sink.run(), self._sink.rows.send(),
            *(self._through_lanes(self._vector) if self._vector else ()),
            *([self._joiner.run()] if self._joins else []), self._former.run(),
            self._writes.run()])
        network.run()
        if len(self._ledger.ended) < len(self._commands):
            raise RuntimeError(f"the schedule stands still: {len(self._ledger.ended)} of "
                               f"{len(self._commands)} commands have ended")
        return self._summary()

    def _through_lanes(self, vector: VectorUnit) -> list[Step]:
        """List the processes of a vector unit."""
        return [vector.reader.run(), vector.reader.aligner.run(),
                vector.gate.run(), vector.gate.part(),
                *map(self._each_job, (vector.order_job, vector.measure_job, vector.leave_job,
                                      vector.load_job, vector.run_job, vector.gather_job))]

    def _each_job(self, work_on: Callable[[Work, int], Step]) -> Step:
        """Let an engine work on each job as it starts."""
        starts, works = self._dispatcher.starts, self._act.works
        for job in range(len(self._jobs)):
            if len(starts) <= job:
                yield starts, job
            yield from work_on(works[job], starts[job])

    def _each_gemm(self, engine: WeightLoader | Array) -> Step:
        """Let an engine work on each GEMM as it starts."""
        starts, works = self._dispatcher.starts, self._act.works
        for job in range(len(self._jobs)):
            if len(starts) <= job:
                yield starts, job
            if not works[job].multiplies:
                engine.skip_job(starts[job])
            else:
                yield from engine.run_job(works[job], starts[job])

    def _load(self, work: Work, start: int) -> Step:
        """Load activations of either kind."""
        if work.job.kind is JobKind.GEMM_PACKED:
            self._rows.skip_job(start)
            yield from self._packed.load_job(work, start)
        else:
            self._packed.skip_job(start)
            yield from self._rows.load_job(work, start)

    def _tag(self, work: Work, start: int) -> Step:
        """Settle the tags of tiles in the stage."""
        if work.stages_tiles:
            yield from self._tagging.tag_job(work, start)
        else:
            self._tagging.skip_job(start)

    def _route(self, work: Work, start: int) -> Step:
        """Send tiles where they belong."""
        if work.leaves_tiles:
            yield from self._router.route_job(work, start)
        else:
            self._router.skip_job(start)

    def _gather(self, work: Work, start: int) -> Step:
        """Gather results, but of what leaves the stage."""
        if work.leaves_in_rows:
            yield from self._results.send_job(work)

    def _pack(self, work: Work, start: int) -> Step:
        """Pack the results of GEMMs."""
        if work.multiplies and work.packs:
            yield from self._results.convert_job(work)

    def _merge_rows(self, work: Work, start: int) -> Step:
        """Merge results of the array and of the lanes."""
        return self._merge(self._results.rows, start, work.leaves_in_rows)

    def _merge_blocks(self, work: Work, start: int) -> Step:
        """Merge blocks of GEMMs and of passes."""
        return self._merge(self._results.blocks, start, work.packs)

    def _merge_tags(self, work: Work, start: int) -> Step:
        """Let blocks of GEMMs have their tags, job by job."""
        return self._merge(self._results.tags.order, start, work.multiplies and work.packs)

    @staticmethod
    def _merge(merge: JobMerge, start: int, is_of: bool) -> Step:
        if is_of:
            yield from merge.merge_job(start)
        else:
            merge.skip_job(start)

    def _send(self, work: Work, start: int) -> Step:
        """Send a job's results."""
        if work.job.kind.converts:
            source = self._packer.beats
        else:
            source = (self._results.packer.beats if work.job.packs_results
                      else self._results.floats)
        yield from self._stream.send_job(source, start)

    def _summary(self) -> ListSchedule:
        works, starts, ends = self._act.works, self._dispatcher.starts, self._stream.ends
        counted = self._array.counted
        left, jobs = iter(counted), []
        for work, start, before, end in zip(works, starts, [NOT_YET, *ends], ends,
                                           strict=False):
            each = asdict(next(left)) if work.multiplies else {}
            jobs.append(JobCounters(cycles=end - max(before, start), **{
                name: each.get(name, 0) for name in COUNTER_NAMES if name != "cycles"}))
        port, writes = self._port, self._writes
        return ListSchedule(
            jobs, [each.first_beat for each in counted], [each.last_beat for each in counted],
            list(ends), list(self._ledger.ended), {
                "read_bursts": port.bursts, "read_beats": port.words, "read_stalls": port.stalls,
                "read_owed": port.owed, "write_bursts": writes.bursts,
                "write_beats": writes.words, "write_stalls": writes.stalls,
                "write_owed": writes.owed})
