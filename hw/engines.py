"""All that works on jobs, between the streams: what an abort resets."""

from amaranth import Cat, Module, Mux, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .activations.activation_path import ENGINES, ActivationPath
from .activations.calibration_tables import order_write_signature, tag_write_signature
from .array.beat_issuer import BeatIssuer
from .array.block_walker import BlockWalker
from .array.mac_array import MACArray
from .blocks.mx_packer import MXPacker
from .contract.config import JOBS_UNDER_WAY
from .contract.job import converts, is_pass, job_layout
from .contract.job_codes import FLOATING, GEMMS, PACKED, PASSES, AnyKind
from .control.job_queue import JobQueue
from .control.scoreboard import Scoreboard, score_layout
from .operands.operand_store import OperandStore
from .operands.tile_router import TileRouter
from .operands.tile_writer import TileWriter
from .operands.weight_loader import WeightLoader
from .parts.sram import Sram
from .registers.map import StreamFault
from .results.result_path import ResultPath
from .results.result_writer import ResultWriter, packs
from .streams.packet_guard import beat_layout
from .streams.stream_buffer import StreamBuffer
from .vector.row_sums import RowSums, SumBeat
from .vector.vector_unit import ENGINES as OF_VECTOR
from .vector.vector_unit import VectorUnit


class Engines(wiring.Component):
    """Run jobs.

    In reset nothing is taken. In its first cycle the engines still do what they were doing.

    Engines each work through the same queue of jobs: rows of activations are aligned and searched
    for outliers; tiles are rounded, and stored or sent out; column tiles of B are stored; stored
    tiles meet in the array; results are brought into their format. Each runs as far ahead as its
    memory has room, across jobs, so that the array stops only when a stream is late.

    See `hw.registers.map` for what a job is, `RowUnpacker`, `PackedUnpacker` and `WeightLoader` for
    what the streams carry in, `ResultWriter` and `MXPacker` for what they carry out, `BlockWalker`
    for the order of tiles.

    Parameters
    ----------
    config : Config
    surplus : bool
        As in `ChunkReader`.

    Members
    -------
    jobs : In(stream of job_layout)
        Always ready; not more than `JOBS_UNDER_WAY` at a time.
    act, weight : In(stream of beat_layout)
    o : Out(stream of beat_layout)
    job_ended : Out(1), score : Out(score_layout)
        The last result of the oldest job has left, and its score.
    faults : Out(4)
        As in `StreamFault`, at once.
    under_way, tables_in_use : Out
        As in `Scoreboard`.
    order_write, tag_write : In
        As in `CalibrationTables`.
    channel : In(16), maximum : Out(32), forget_maxima : In(1)
        As in `ChannelMaxima`.
    beside : In(stream of beat_layout)
        With a vector unit, as in `OperandLoader`.

    Raises
    ------
    ValueError
        If more than one block has to be converted in a cycle.
    """

    def __init__(self, config, *, surplus=False):
        if config.blocks_per_cycle != 1:
            raise ValueError(f"blocks_per_cycle={config.blocks_per_cycle}: the engines convert one "
                             "block in a cycle, only the readers and writers of memory take more: "
                             "use blocks_per_cycle=1")
        self.config, self.surplus = config, surplus
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "act": In(stream.Signature(beat_layout(config.act_bytes))),
            "weight": In(stream.Signature(beat_layout(config.weight_bytes))),
            "o": Out(stream.Signature(beat_layout(config.result_bytes))),
            "job_ended": Out(1), "score": Out(score_layout(config)),
            "faults": Out(len(StreamFault)), "under_way": Out(range(JOBS_UNDER_WAY + 1)),
            "tables_in_use": Out(config.tables),
            "order_write": In(order_write_signature(config)),
            "tag_write": In(tag_write_signature(config)),
            "channel": In(16), "maximum": Out(32), "forget_maxima": In(1),
            **({"beside": In(stream.Signature(beat_layout(4 * config.vector_lanes)))}
               if config.vector_lanes else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.scoreboard = scoreboard = Scoreboard(config)
        m.submodules.activation_path = activation_path = ActivationPath(
            config, surplus=self.surplus)
        m.submodules.router = router = TileRouter(config)
        m.submodules.tile_writer = tile_writer = TileWriter(config)
        m.submodules.weight_loader = weight_loader = WeightLoader(
            config, surplus=self.surplus)
        m.submodules.walker = walker = BlockWalker(config)
        m.submodules.packer = packer = MXPacker(
            config, lanes=config.cols, unit_bytes=config.weight_bytes, with_tags=True)
        m.submodules.result_writer = result_writer = ResultWriter(config)

        engines = (  # who reads the queue, and which kinds of jobs
            *((getattr(activation_path.jobs, name), kinds) for name, kinds in ENGINES.items()),
            (router.jobs, FLOATING | PACKED | {AnyKind.VECTOR_PACKED}), (tile_writer.jobs, GEMMS),
            (weight_loader.jobs, GEMMS), (walker.jobs, GEMMS),
            (result_writer.jobs, FLOATING | PACKED | PASSES))
        if config.vector_lanes:
            unit = self._transform(m, activation_path, router, result_writer, scoreboard)
            engines += (
                *((getattr(unit.jobs, name), takes) for name, takes in OF_VECTOR.items()),
                (result_writer.order.rows, GEMMS | {AnyKind.VECTOR}),
                (result_writer.order.blocks, GEMMS | {AnyKind.VECTOR_PACKED}),
                (result_writer.order.tags,
                 lambda job: ~converts(job.kind) & ~is_pass(job.kind) & packs(job.output)))
        m.submodules.queue = queue = JobQueue(config, [kinds for _, kinds in engines])
        wiring.connect(m, wiring.flipped(self.jobs), queue.i)
        for jobs, (engine, _) in zip(queue.o, engines, strict=True):
            wiring.connect(m, jobs, engine)
        for name, port, engine in (("act_buffer", self.act, activation_path),
                                   ("weight_buffer", self.weight, weight_loader)):
            m.submodules[name] = buffer = StreamBuffer(port.p.shape())
            m.d.comb += [buffer.i.valid.eq(port.valid), buffer.i.p.eq(port.p),
                         port.ready.eq(buffer.i.ready & ~ResetSignal())]
            wiring.connect(m, buffer.o, engine.i)
        for name in ("order_write", "tag_write"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(activation_path, name))
        wiring.connect(m, activation_path.floating, router.floating)
        wiring.connect(m, activation_path.packed, router.packed)
        wiring.connect(m, router.operands, tile_writer.i)
        wiring.connect(m, router.conversions, packer.i)
        wiring.connect(m, activation_path.tags, packer.tags)
        wiring.connect(m, packer.o, result_writer.conversions)
        wiring.connect(m, result_writer.o, wiring.flipped(self.o))
        result_path = self._multiply(m, walker, tile_writer, weight_loader, scoreboard)
        if config.vector_lanes:
            self._split(m, result_path, unit.tiles, result_writer.results)
            wiring.connect(m, result_path.saturated, scoreboard.drain_saturated)
        else:
            wiring.connect(m, result_path.o, result_writer.results)

        wiring.connect(m, router.counts, scoreboard.conversion_counts)
        wiring.connect(m, activation_path.job_faults, scoreboard.act_faults)
        wiring.connect(m, weight_loader.job_faults, scoreboard.weight_faults)
        m.d.comb += [
            scoreboard.started.eq(self.jobs.valid), scoreboard.job.eq(self.jobs.p),
            scoreboard.job_ended.eq(result_writer.job_ended),
            self.job_ended.eq(result_writer.job_ended), self.score.eq(scoreboard.score),
            self.under_way.eq(scoreboard.under_way),
            self.tables_in_use.eq(scoreboard.tables_in_use),
            self.faults.eq(Cat(activation_path.faults, weight_loader.faults)),
            activation_path.channel.eq(self.channel), self.maximum.eq(activation_path.maximum),
            activation_path.forget_maxima.eq(self.forget_maxima),
        ]
        return m

    def _transform(self, m, activation_path, router, result_writer, scoreboard):
        """Send rows of passes through the vector unit; return it."""
        m.submodules.vector_unit = unit = VectorUnit(self.config)
        m.submodules.beside_buffer = buffer = StreamBuffer(self.beside.p.shape())
        m.d.comb += [
            buffer.i.valid.eq(self.beside.valid), buffer.i.p.eq(self.beside.p),
            self.beside.ready.eq(buffer.i.ready & ~ResetSignal()),
            unit.i.valid.eq(activation_path.to_vector.valid),
            activation_path.to_vector.ready.eq(unit.i.ready),
            *(unit.i.p[name].eq(activation_path.to_vector.p[name]) for name, _ in unit.i.p.shape()),
            activation_path.row_left.eq(unit.row_left)]
        wiring.connect(m, buffer.o, unit.beside)
        wiring.connect(m, unit.blocks, activation_path.from_vector)
        wiring.connect(m, unit.rows, result_writer.lane_rows)
        wiring.connect(m, unit.saturated, scoreboard.lanes_saturated)
        wiring.connect(m, router.passes, result_writer.pass_blocks)
        wiring.connect(m, activation_path.pass_tags, result_writer.pass_tags)
        wiring.connect(m, result_writer.result_tag, activation_path.result_tag)
        return unit

    def _split(self, m, result_path, lanes, writer):
        """Send results through the lanes, or to their writer."""
        results = result_path.o
        m.d.comb += [
            lanes.p.eq(results.p), writer.p.eq(results.p),
            lanes.valid.eq(results.valid & results.p.through_lanes),
            writer.valid.eq(results.valid & ~results.p.through_lanes),
            results.ready.eq(Mux(results.p.through_lanes, lanes.ready, writer.ready))]

    def _sum(self, m, array, issuer, result_path):
        """Add up the rows that pass through the array."""
        m.submodules.row_sums = sums = RowSums(self.config)
        beat = Signal(SumBeat)
        m.d.sync += [
            beat.valid.eq(issuer.issue), beat.act_residual.eq(issuer.act_residual),
            beat.weight_residual.eq(issuer.weight_residual), beat.tail.eq(issuer.tile.tail),
            *(beat[name].eq(getattr(issuer, name))
              for name in ("pair_ends", "pair_first", "pair_last"))]
        m.d.comb += [sums.beat.eq(beat), sums.held_a.eq(array.held_a),
                     result_path.sums.eq(sums.sums)]

    def _multiply(self, m, walker, tile_writer, weight_loader, scoreboard):
        """Store operands, issue beats to the array, and drain its results."""
        config = self.config
        m.submodules.act_store = act_store = OperandStore(
            lanes=config.rows, depth=config.act_depth, slots=config.tile_slots,
            drop_width=config.drop_width)
        m.submodules.weight_store = weight_store = OperandStore(
            lanes=config.cols, depth=config.weight_depth, slots=config.weight_slots,
            drop_width=config.drop_width)
        m.submodules.bias_store = bias_store = Sram(
            width=32 * config.cols, depth=config.weight_slots)
        m.submodules.array = array = MACArray(config)
        m.submodules.issuer = issuer = BeatIssuer(
            config, interval=max(config.drain_cycles, array.latency))
        m.submodules.result_path = result_path = ResultPath(config)

        wiring.connect(m, tile_writer.store, act_store.write)
        wiring.connect(m, weight_loader.store, weight_store.write)
        wiring.connect(m, walker.o, issuer.i)
        wiring.connect(m, issuer.counts, scoreboard.beat_counts)
        m.d.comb += [
            bias_store.write_en.eq(weight_loader.bias.write),
            bias_store.write_addr.eq(weight_loader.bias.slot),
            bias_store.write_data.eq(weight_loader.bias.values),
            walker.act_ready.eq(tile_writer.ready), walker.weight_ready.eq(weight_loader.ready),
            act_store.flags_address.eq(walker.act_flags_address),
            weight_store.flags_address.eq(walker.weight_flags_address),
            walker.act_flags.eq(act_store.flags_read),
            walker.weight_flags.eq(weight_store.flags_read),
            issuer.walker_waits_for_act.eq(walker.waits_for_act),
            issuer.walker_waits_for_weight.eq(walker.waits_for_weight),
            issuer.row_left.eq(result_path.row_left),
            tile_writer.released.eq(result_path.releases_act),
            tile_writer.released_blocks.eq(result_path.released_blocks),
            weight_loader.released.eq(result_path.releases_weight),
            weight_loader.released_blocks.eq(result_path.released_blocks),
        ]

        # A beat's operands are read in the cycle it is issued; the array gets them in the next.
        for store, address, slot, residual in (
            (act_store, issuer.act_address, issuer.act_slot, issuer.act_residual),
            (weight_store, issuer.weight_address, issuer.weight_slot, issuer.weight_residual),
        ):
            m.d.comb += [store.read.eq(issuer.issue), store.read_address.eq(address),
                         store.read_slot.eq(slot), store.read_residual.eq(residual)]
        tile = Signal.like(issuer.tile, reset_less=True)
        m.d.sync += [array.valid.eq(issuer.issue), array.first.eq(issuer.first),
                     array.last.eq(issuer.last), tile.eq(issuer.tile)]
        m.d.comb += [
            bias_store.read_en.eq(issuer.issue), bias_store.read_addr.eq(issuer.weight_slot),
            array.a.eq(act_store.operands), array.b.eq(weight_store.operands),
            result_path.tile.eq(tile), result_path.tile_ends.eq(array.valid & array.last),
            result_path.act_anchors.eq(act_store.operand_anchors),
            result_path.weight_anchors.eq(weight_store.operand_anchors),
            result_path.bias.eq(bias_store.read_data),
            result_path.captured.eq(array.captured), result_path.row_valid.eq(array.row_valid),
            result_path.rows.eq(array.rows),
        ]
        if config.vector_lanes:
            self._sum(m, array, issuer, result_path)
        return result_path
