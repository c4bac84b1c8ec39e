"""The loops of a GEMM: which pair of stored blocks meets next."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden.formats import BLOCK_SIZE
from hw.contract.job import job_layout
from hw.contract.operand_block import FLAGS
from hw.contract.result_rows import result_rows_layout
from hw.parts.ring import following, index_signal

QUEUE_DEPTH = 4


def parts_of_block(config):
    """Give the column tiles that fill a block of results; 1 also where none fill it exactly."""
    return BLOCK_SIZE // config.cols if BLOCK_SIZE % config.cols == 0 else 1


def tile_layout(config):
    """Describe the output tile that a pair of blocks adds to, as the drain must know it.

    Its results take part of it along: see `result_rows_layout`.
    """
    results = result_rows_layout(config).members
    return data.StructLayout({
        "rows": bits_for(config.rows),
        **{name: results[name] for name in
           ("cols", "output", "token_tile", "part", "block_ends")},
        "has_bias": 1,
        "k_blocks": bits_for(config.k_blocks_max),
        "releases_act": 1,
        "releases_weight": 1,
        "job_last": 1,
    })


def block_pair_layout(config):
    """Describe one K-block of one output tile: where its operands are, and their precision."""
    return data.StructLayout({
        "act_address": bits_for(config.act_depth - 1),
        "weight_address": bits_for(config.weight_depth - 1),
        "act_slot": bits_for(config.tile_slots - 1),
        "weight_slot": bits_for(config.weight_slots - 1),
        "first": 1,
        "last": 1,
        "tile": tile_layout(config),
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
        job = Signal(job_layout(config), reset_less=True)
        busy = Signal()
        # At the first token tile of the group, and at this one.
        group_rows_left, rows_left = (Signal.like(job.m, name=name, reset_less=True)
                                      for name in ("group_rows_left", "rows_left"))
        columns_left = Signal.like(job.n, reset_less=True)
        tile = index_signal(config.tile_slots, "tile")  # within the group
        k_block = index_signal(config.k_blocks_max, "k_block")
        act_at, act_base = (index_signal(config.act_depth, f"act_{n}") for n in ("at", "base"))
        weight_at, weight_base = (index_signal(config.weight_depth, f"weight_{n}")
                                  for n in ("at", "base"))
        act_slot, act_base_slot = (Signal(range(config.tile_slots), name=f"act_{n}")
                                   for n in ("slot", "base_slot"))
        weight_slot = index_signal(config.weight_slots, "weight_slot")
        part = index_signal(parts_of_block(config), "part")
        last_part = part == parts_of_block(config) - 1

        is_first_pass = Signal(init=1)
        last_k_block, last_tile = (Signal.like(number, name=f"last_{number.name}", reset_less=True)
                                   for number in (k_block, tile))
        first, last = Signal(), Signal()
        last_row_tile, last_pass = Signal(), Signal()  # follow rows_left and columns_left
        last_of_group = Signal()
        m.d.comb += [
            first.eq(k_block == 0), last.eq(k_block == last_k_block),
            last_of_group.eq(last_row_tile | (tile == last_tile)),
        ]

        # A tile that was complete once stays so until it is released.
        acts_ahead = Signal(range(config.tile_slots + 1))
        weights_ahead = Signal(range(config.weight_slots + 1))
        needs_act, needs_weight, step, room = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            needs_act.eq(first & is_first_pass), needs_weight.eq(first & (tile == 0)),
            self.waits_for_act.eq(busy & needs_act & (acts_ahead == 0)),
            self.waits_for_weight.eq(busy & needs_weight & (weights_ahead == 0)),
            step.eq(busy & room & ~self.waits_for_act & ~self.waits_for_weight),
        ]
        m.d.sync += [
            acts_ahead.eq(acts_ahead + self.act_ready - (step & needs_act)),
            weights_ahead.eq(weights_ahead + self.weight_ready - (step & needs_weight)),
        ]

        next_act, next_weight = Signal.like(act_at), Signal.like(weight_at)
        m.d.comb += [next_act.eq(following(act_at, config.act_depth)),
                     next_weight.eq(following(weight_at, config.weight_depth))]
        with m.If(step):
            m.d.sync += [k_block.eq(Mux(last, 0, k_block + 1)), act_at.eq(next_act),
                         weight_at.eq(next_weight)]
        rows_after, columns_after = Signal.like(rows_left), Signal.like(columns_left)
        next_row_tile_is_last = rows_left <= 2 * config.rows
        m.d.comb += [rows_after.eq(rows_left - config.rows),
                     columns_after.eq(columns_left - config.cols)]
        with m.If(step & last):
            m.d.sync += [tile.eq(tile + 1), rows_left.eq(rows_after),
                         last_row_tile.eq(next_row_tile_is_last),
                         act_slot.eq(act_slot + 1), weight_at.eq(weight_base)]
        with m.If(step & last & last_of_group):  # the pass ends: next column tile, same rows
            m.d.sync += [
                tile.eq(0), is_first_pass.eq(0), columns_left.eq(columns_after),
                last_pass.eq(columns_left <= 2 * config.cols),
                part.eq(Mux(last_part | last_pass, 0, part + 1)),
                weight_slot.eq(weight_slot + 1), weight_at.eq(next_weight),
                weight_base.eq(next_weight), act_at.eq(act_base), act_slot.eq(act_base_slot),
                rows_left.eq(group_rows_left), last_row_tile.eq(group_rows_left <= config.rows),
            ]
        with m.If(step & last & last_of_group & last_pass):  # next group of token tiles
            m.d.sync += [
                is_first_pass.eq(1), columns_left.eq(job.n), last_pass.eq(job.n <= config.cols),
                rows_left.eq(rows_after), last_row_tile.eq(next_row_tile_is_last),
                group_rows_left.eq(rows_after), act_at.eq(next_act),
                act_base.eq(next_act), act_slot.eq(act_slot + 1), act_base_slot.eq(act_slot + 1),
            ]
        job_ends = Signal()
        m.d.comb += [job_ends.eq(step & last & last_pass & last_row_tile),
                     self.jobs.ready.eq(~busy | job_ends)]
        with m.If(self.jobs.ready):
            m.d.sync += busy.eq(self.jobs.valid)
            with m.If(self.jobs.valid):
                new = self.jobs.p
                m.d.sync += [job.eq(new), rows_left.eq(new.m), group_rows_left.eq(new.m),
                             last_k_block.eq(new.k_blocks - 1), last_tile.eq(new.tiles - 1),
                             last_row_tile.eq(new.m <= config.rows),
                             columns_left.eq(new.n), last_pass.eq(new.n <= config.cols)]

        pair = Signal(block_pair_layout(config), reset_less=True)
        m.d.comb += [self.act_flags_address.eq(act_at), self.weight_flags_address.eq(weight_at)]
        m.d.sync += [
            pair.act_address.eq(act_at), pair.weight_address.eq(weight_at),
            pair.act_slot.eq(act_slot), pair.weight_slot.eq(weight_slot),
            pair.first.eq(first), pair.last.eq(last),
            pair.tile.rows.eq(Mux(last_row_tile, rows_left, config.rows)),
            pair.tile.cols.eq(Mux(last_pass, columns_left, config.cols)),
            pair.tile.k_blocks.eq(job.k_blocks),
            pair.tile.output.eq(job.output), pair.tile.has_bias.eq(job.has_bias),
            pair.tile.token_tile.eq(tile), pair.tile.part.eq(part),
            pair.tile.block_ends.eq(last_part | last_pass),
            pair.tile.releases_act.eq(last_pass), pair.tile.releases_weight.eq(last_of_group),
            pair.tile.job_last.eq(last_pass & last_row_tile),
        ]
        self._queue(m, step, room, pair)
        return m

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
