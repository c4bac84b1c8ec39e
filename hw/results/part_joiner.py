"""Joins the column tiles of an array narrower than a block to blocks."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, FP32
from hw.contract.job_codes import Output
from hw.contract.result_block import choose, result_block_layout, rows_of_results
from hw.contract.result_rows import result_rows_layout
from hw.parts.ring import index_signal
from hw.parts.sram import Sram


class PartJoiner(wiring.Component):
    """Keep the parts of each row's block until the last of them arrives.

    A block of sixteen columns is made of 16 / cols column tiles, which arrive a pass over all
    resident token tiles apart. All parts but the last wait in a memory of 16 - cols results per
    row of these tiles: ``tile_slots * drain_cycles`` words. What waits is read in the cycle in
    which the last part arrives, so the next block, whose parts arrive later, finds its words free:
    one copy is enough, however few tiles are resident. With 16 columns there is no memory.

    Latency 1 cycle. A part that has to wait is taken in one cycle, even while blocks leave. A last
    part takes a cycle per row: one block per cycle. ``i`` stalls while ``o`` does.

    Parameters
    ----------
    config : Config
        With cols of 1, 2, 4, 8 or 16.

    Members
    -------
    i : In(stream of result_rows_layout)
        As `BlockAssembler`'s, its results zero beyond ``cols``.
    o : Out(stream of result_block_layout)
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(result_rows_layout(config))),
            "o": Out(stream.Signature(result_block_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        config, rows = self.config, self.i.p
        taken = Signal()
        group = index_signal(config.drain_cycles, "group")
        m.d.comb += taken.eq(self.i.valid & self.i.ready)
        with m.If(taken):
            m.d.sync += group.eq(Mux(rows.tile_last, 0, group + 1))

        # Cycle 1: a group that completes its blocks is held, and what waits for it is read.
        held = Signal(rows.shape(), reset_less=True)
        held_group = Signal.like(group, reset_less=True)
        is_held = Signal()
        is_free = Signal()
        ends = Signal()
        lane = index_signal(config.drain_rows, "lane")
        m.d.comb += [
            ends.eq(lane == held.rows - 1),
            is_free.eq(~is_held | (self.o.ready & ends)),
            self.i.ready.eq(~rows.block_ends | is_free),
            self.o.valid.eq(is_held),
        ]
        with m.If(is_free):
            m.d.sync += is_held.eq(self.i.valid & rows.block_ends)
        with m.If(taken & rows.block_ends):
            m.d.sync += [held.eq(rows), held_group.eq(group)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += lane.eq(Mux(ends, 0, lane + 1))

        # Cycle 2: one row's block. Parts behind the one that arrived last have no columns.
        waiting = self._waiting_parts(m, taken, group)
        arrived = choose(rows_of_results(config, held.results), lane)
        part_bits = FP32.width * config.cols
        elements = self.o.p.elements.as_value()
        for part in range(BLOCK_SIZE // config.cols):
            before = Mux(held.part > part, choose(waiting[part], lane), 0) if (
                part < len(waiting)) else 0
            m.d.comb += elements[part * part_bits : (part + 1) * part_bits].eq(
                Mux(held.part == part, arrived, before))
        m.d.comb += [
            self.o.p.row.eq(held_group * config.drain_rows + lane),
            self.o.p.row_last.eq(held.tile_last & ends),
            self.o.p.job_last.eq(held.tile_last & held.job_last & ends),
            self.o.p.is_mx9.eq(held.output == Output.MX9),
        ]
        return m

    def _waiting_parts(self, m, taken, group):
        """Store what has to wait, and read what waits for a last part: parts x rows x cols."""
        config, rows = self.config, self.i.p
        parts = BLOCK_SIZE // config.cols - 1
        if parts == 0:
            return ()
        m.submodules.words = words = Sram(
            width=parts * FP32.width * config.drain_lanes, granules=parts,
            depth=config.tile_slots * config.drain_cycles)
        address = Signal(words.address_width)
        m.d.comb += [
            address.eq(rows.token_tile * config.drain_cycles + group),
            words.write_addr.eq(address), words.read_addr.eq(address),
            words.write_data.eq(rows.results.as_value().replicate(parts)),
            words.read_en.eq(taken & rows.block_ends),
        ]
        for part in range(parts):
            m.d.comb += words.write_en[part].eq(taken & ~rows.block_ends & (rows.part == part))
        stored = data.View(data.ArrayLayout(rows.results.shape(), parts), words.read_data)
        return [rows_of_results(config, part) for part in stored]
