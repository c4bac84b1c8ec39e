"""Tiles on their way into the operand memory, or out: `hw.operands.tile_router`."""

from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from perf.rtl.bus_schedule.job_merge import JobMerge
from perf.rtl.bus_schedule.network import Cycles, Step
from perf.rtl.bus_schedule.packed import PackedLoader
from perf.rtl.bus_schedule.packing import Chunk, Packer
from perf.rtl.bus_schedule.rooms import TileRoom
from perf.rtl.bus_schedule.stage_reader import StageReader
from perf.rtl.bus_schedule.tagging import tag_units
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import NOT_YET, TAKEN, TILE_KNOWN
from perf.rtl.schedule.loading import Shape, tile_shapes
from perf.rtl.schedule.rooms import JobReader
from perf.rtl.schedule.streams import StreamSwitch
from perf.rtl.schedule.weights import chunk_beats


class Router:
    """Bring tiles into the operand memory, or out again: from the stage, or packed.

    Parameters
    ----------
    config : Config
    reader : StageReader
    packed : PackedLoader
    room : TileRoom
    packer, results : Packer
        Of conversions, and of passes.
    blocks : JobMerge
        Of blocks for the latter.

    Attributes
    ----------
    known : list of int
        From when on the walker knows of each tile.
    """

    def __init__(self, config: Config, reader: StageReader, packed: PackedLoader,
                 room: TileRoom, packer: Packer, results: Packer, blocks: JobMerge):
        self._config, self._reader, self._packed = config, reader, packed
        self._room, self._packer = room, packer
        self._results, self._blocks = results, blocks
        self._switch, self._writer = StreamSwitch(), JobReader()
        self._routed = NOT_YET
        self.known: Cycles = []

    def skip_job(self, start: int) -> None:
        """Pass over a pass that leaves no tiles."""
        self._switch.skip_job(start)
        self._writer.skip_job(start)

    def route_job(self, work: Work, start: int) -> Step:
        """Send the tiles of a job where they belong."""
        turn, kind = self._switch.take_job(start) + TAKEN, work.job.kind
        if not work.multiplies:
            self._writer.skip_job(start)
        else:
            turn = max(turn, self._writer.head(start))
        shapes = list(tile_shapes(self._config, work.job))
        for tile, shape in enumerate(shapes):
            if not work.multiplies:
                yield from self._pack(work, tile, shape, turn, tile == len(shapes) - 1)
                continue
            gate = max((yield from self._room.reserve(shape.k_blocks)), turn)
            if kind is JobKind.GEMM_PACKED:
                yield from self._store_packed(gate)
            else:
                self._routed = yield from self._reader.send(shape.blocks, gate)
            self.known.append(self._routed + TILE_KNOWN)
        self._switch.end_job(self._routed)
        if work.multiplies:
            self._writer.note_taken(self._routed)
        if work.is_pass:
            self._blocks.ended.append(self._routed)

    def _store_packed(self, gate: int) -> Step:
        """Let the rows of a packed tile come, from a cycle on."""
        packed = self._packed
        packed.gates.append(gate)
        tile = len(packed.gates) - 1
        if len(packed.stored) <= tile:
            yield packed.stored, tile
        self._routed = packed.stored[tile]

    def _pack(self, work: Work, tile: int, shape: Shape, turn: int, ends_job: bool) -> Step:
        """Pack a tile, K-block by K-block; as `perf.rtl.schedule.conversion.Converter`."""
        packer, width, mx9 = self._packer, self._config.weight_bytes, work.job.precisions[0]
        if work.is_pass:
            packer, width = self._results, self._config.act_bytes
            turn = max(turn, (yield from self._blocks.turn(work.index)))
        flags = mx9[tile % len(mx9)].tolist()
        _, bases, residuals = chunk_beats(shape.rows, width)
        for first, tags in tag_units(self._config, work):
            for k_block in range(first, first + tags):
                gate = max((yield from packer.gate()), turn)
                self._routed = yield from self._reader.send(shape.rows, gate)
                is_last = k_block == shape.k_blocks - 1
                packer.add(Chunk(
                    shape.rows, bases + residuals * flags[k_block], is_last, is_last and ends_job,
                    has_tags=k_block == first), self._routed)
