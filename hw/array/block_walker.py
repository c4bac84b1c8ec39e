"""The loops of a GEMM: which pair of stored blocks meets next."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hw.contract.job import job_layout
from hw.contract.job_codes import Rows
from hw.contract.operand_block import FLAGS
from hw.contract.output_tile import output_tile_layout
from hw.parts.ring import index_signal

from .tile_loops import ColumnTileLoop, TokenTileLoop

QUEUE_DEPTH = 4


def block_pair_layout(config):
    """Describe one K-block of one output tile: where its operands are, and their precision."""
    return data.StructLayout({
        "act_address": bits_for(config.act_depth - 1),
        "weight_address": bits_for(config.weight_depth - 1),
        "act_slot": bits_for(config.tile_slots - 1),
        "weight_slot": bits_for(config.weight_slots - 1),
        "first": 1,
        "last": 1,
        "tile": output_tile_layout(config),
    })


def walked_pair_layout(config):
    """Describe a block pair together with the flags read for it."""
    return data.StructLayout({"pair": block_pair_layout(config), "act": FLAGS, "weight": FLAGS})


class BlockWalker(wiring.Component):
    """Walk group of resident token tiles > column tile > token tile > K-block.

    So every column tile of B is used for all resident token tiles of A before it is released, and
    each token tile is released in the group's last pass. One pair per cycle; a pair appears at
    ``o`` three cycles later.

    Parameters
    ----------
    config : Config

    Members
    -------
    jobs : In(stream of job_layout)
    act_ready, weight_ready : In(1)
        One more tile is complete in the operand store.
    act_flags_address, weight_flags_address : Out
    act_flags, weight_flags : In(FLAGS)
        Read port of the operand stores' flags, latency 1.
    o : Out(stream of walked_pair_layout)
    waits_for_act, waits_for_weight : Out(1)
        Why no new tile starts.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "act_ready": In(1), "weight_ready": In(1),
            "act_flags_address": Out(bits_for(config.act_depth - 1)),
            "weight_flags_address": Out(bits_for(config.weight_depth - 1)),
            "act_flags": In(FLAGS), "weight_flags": In(FLAGS),
            "o": Out(stream.Signature(walked_pair_layout(config))),
            "waits_for_act": Out(1), "waits_for_weight": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.tokens = tokens = TokenTileLoop(config)
        m.submodules.columns = columns = ColumnTileLoop(config)
        busy = Signal()
        step = Signal()
        room = Signal()
        job = Signal(job_layout(config), reset_less=True)

        k_block = index_signal(config.k_blocks_max, "k_block")
        last_k_block = Signal.like(k_block, reset_less=True)
        first = Signal()
        last = Signal()
        m.d.comb += [first.eq(k_block == 0), last.eq(k_block == last_k_block)]
        with m.If(step):
            m.d.sync += k_block.eq(Mux(last, 0, k_block + 1))

        tile_ends, pass_ends, group_ends, job_ends = (
            Signal(name=name) for name in ("tile_ends", "pass_ends", "group_ends", "job_ends"))
        m.d.comb += [
            tile_ends.eq(step & last), pass_ends.eq(tile_ends & tokens.ends_group),
            group_ends.eq(pass_ends & columns.is_last), job_ends.eq(group_ends & tokens.is_last),
        ]
        new = self.jobs.p
        load = Signal()
        m.d.comb += [self.jobs.ready.eq(~busy | job_ends),
                     load.eq(self.jobs.valid & self.jobs.ready)]
        with m.If(self.jobs.ready):
            m.d.sync += busy.eq(self.jobs.valid)
        with m.If(load):
            m.d.sync += [job.eq(new), last_k_block.eq(new.k_blocks - 1)]
        for loop in (tokens, columns):
            m.d.comb += [loop.load.eq(load), loop.step.eq(step), loop.tile_ends.eq(tile_ends),
                         loop.pass_ends.eq(pass_ends), loop.group_ends.eq(group_ends)]
        m.d.comb += [tokens.m.eq(new.m), tokens.tiles.eq(new.tiles),
                     columns.n.eq(Mux(load, new.n, job.n))]

        needs_act = Signal()
        needs_weight = Signal()
        m.d.comb += [
            needs_act.eq(first & columns.is_first), needs_weight.eq(first & (tokens.tile == 0)),
            step.eq(busy & room & ~self.waits_for_act & ~self.waits_for_weight),
        ]
        self._wait(m, busy, step & needs_act, needs_act, "act")
        self._wait(m, busy, step & needs_weight, needs_weight, "weight")
        m.d.comb += [self.act_flags_address.eq(tokens.address),
                     self.weight_flags_address.eq(columns.address)]
        pair = Signal(block_pair_layout(config), reset_less=True)
        m.d.sync += [
            pair.act_address.eq(tokens.address), pair.weight_address.eq(columns.address),
            pair.act_slot.eq(tokens.slot), pair.weight_slot.eq(columns.slot),
            pair.first.eq(first), pair.last.eq(last),
        ]
        self._describe(m, pair.tile, job, tokens, columns)
        self._queue(m, step, room, pair)
        return m

    def _wait(self, m, busy, taken, needed, operand):
        """Wait for a tile of an operand. One that was complete once stays so until released."""
        ready, waits = getattr(self, f"{operand}_ready"), getattr(self, f"waits_for_{operand}")
        slots = {"act": self.config.tile_slots, "weight": self.config.weight_slots}[operand]
        ahead = Signal(range(slots + 1), name=f"{operand}_tiles_ahead")
        m.d.sync += ahead.eq(ahead + ready - taken)
        m.d.comb += waits.eq(busy & needed & (ahead == 0))

    def _describe(self, m, tile, job, tokens, columns):
        """Say what the drain must know of the output tile."""
        m.d.sync += [
            tile.rows.eq(tokens.rows), tile.cols.eq(columns.columns),
            tile.k_blocks.eq(job.k_blocks),
            tile.output.eq(job.output), tile.has_bias.eq(job.has_bias),
            tile.token_tile.eq(tokens.tile), tile.part.eq(columns.part),
            tile.block_ends.eq(columns.block_ends),
            tile.releases_act.eq(columns.is_last), tile.releases_weight.eq(tokens.ends_group),
            tile.job_last.eq(columns.is_last & tokens.is_last),
        ]
        if self.config.vector_lanes:
            stages = job.stages
            m.d.sync += [
                tile.at_drain.eq(stages.at_drain), tile.through_lanes.eq(stages.through_lanes),
                tile.sums.eq(stages.rows == Rows.SUM), tile.tail.eq(job.k[:len(tile.tail)])]

    def _queue(self, m, step, room, pair):
        """Join each pair with its flags, which arrive a cycle after their address."""
        layout = walked_pair_layout(self.config)
        m.submodules.queue = queue = SyncFIFOBuffered(width=layout.size, depth=QUEUE_DEPTH)
        arriving = Signal()
        walked = Signal(layout)
        m.d.sync += arriving.eq(step)
        m.d.comb += [
            room.eq(queue.level + arriving < QUEUE_DEPTH),
            walked.pair.eq(pair), walked.act.eq(self.act_flags),
            walked.weight.eq(self.weight_flags),
            queue.w_en.eq(arriving), queue.w_data.eq(walked),
            self.o.valid.eq(queue.r_rdy), self.o.p.eq(queue.r_data),
            queue.r_en.eq(self.o.ready),
        ]
