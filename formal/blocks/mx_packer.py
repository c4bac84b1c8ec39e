"""Proof of `hw.blocks.mx_packer`."""

from amaranth import Array, Cat, Mux, Signal, Value
from amaranth.lib import data

import hw.blocks.mx_packer as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.blocks.chunk_reader import chunk_layout
from hw.contract.config import Config

CONFIG = Config.sized(rows=2, cols=2, k_max=16 * 34, act_bytes=4)

LANES, UNIT_BYTES = 2, 4

BITS = 8 * UNIT_BYTES
"""Of a unit, and K-blocks that one unit of precision bits is for."""

BIASES, TAGS, BASES, RESIDUALS = range(4)

BASE_BITS, RESIDUAL_BITS = 96, 48


class MXPackerHarness(Harness):
    """Tiles of any rows and K-blocks, with their tags.

    Three steps are compared: the rows with the K-block that they fill, the K-block with its units,
    the units with the beats. In between is a `SkidBuffer`, with a proof of its own.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.MXPacker(
            CONFIG, lanes=LANES, unit_bytes=UNIT_BYTES, with_tags=True)
        self.free_inputs(m, dut)
        layout = chunk_layout(LANES)
        self.chunk = data.View(layout, self.look("dut.filled", layout.size))
        self.chunk_waits, self.chunk_goes = self.look("dut.chunks__valid"), self.look(
            "dut.chunks__ready")
        self._fill(m, dut)
        self._tags(m, dut)
        self._cut(m, layout)
        self._gather(m, dut)

    def _fill(self, m, dut):
        """Every row stands in its lane, and lanes without a row are zero."""
        block, rounded = dut.i.p, dut.i.p.rounded
        take, row, mine = Signal(), Signal(1), self.free_constant(m, 1, "lane")
        m.d.comb += take.eq(dut.i.valid & dut.i.ready)
        self.assume(m, ~dut.i.valid | (block.row == row) & (block.row_last | (row < LANES - 1)))
        brought, own = Signal(), Signal(BASE_BITS + RESIDUAL_BITS)
        whole, about = Signal(), Signal(8)
        m.d.sync += whole.eq(Mux(take, block.row_last, whole & ~self.chunk_goes))
        with m.If(take):
            m.d.sync += [row.eq(Mux(block.row_last, 0, row + 1)), about.eq(Cat(
                rounded.is_mx9, (row + 1)[:2], block.k_first, block.k_last, block.job_last))]
            with m.If(row == mine):
                m.d.sync += [brought.eq(1), own.eq(Value.cast(rounded.block))]
            with m.Elif(row == 0):
                m.d.sync += brought.eq(0)
        chunk = self.chunk
        lane = Cat(chunk.base.word_select(mine, BASE_BITS),
                   chunk.residual.word_select(mine, RESIDUAL_BITS))
        self.cover(m, "filled", whole & brought & (mine == 1) & self.chunk_goes)
        self.check(m, "takes_rows", dut.i.ready == (~whole | self.chunk_goes))
        self.check(m, "whole", self.chunk_waits == whole)
        self.check(m, "rows", ~(whole | (row != 0)) | (lane == Mux(brought, own, 0)))
        self.check(m, "facts", ~whole | (about[:6] == Cat(
            chunk.is_mx9, chunk.lanes, chunk.k_first, chunk.k_last, chunk.job_last)))
        self.check(m, "lanes", ~whole | (row == 0) & (chunk.lanes > 0) & (chunk.lanes <= LANES))

    def _tags(self, m, dut):
        """A unit of precision bits has those of up to as many K-blocks as it has bits."""
        waits, taken = self.look("dut.tag_units__valid"), self.look("dut.tag_units__ready")
        bits = self.look("dut.tag_bits", BITS)
        mine, take = self.free_constant(m, 5, "bit"), dut.tags.valid & dut.tags.ready
        place, whole, brought = Signal(5), Signal(), Signal()
        with m.If(take):
            m.d.sync += place.eq(Mux(dut.tags.p.last, 0, place + 1))
            with m.If((place == mine) | (place == 0)):
                m.d.sync += brought.eq(dut.tags.p.is_mx9 & (place == mine))
        m.d.sync += whole.eq(Mux(take, dut.tags.p.last | (place == BITS - 1), whole & ~taken))
        self.check(m, "takes_tags", dut.tags.ready == ~whole)
        self.check(m, "tags_whole", waits == whole)
        self.check(m, "tag", ~(whole | (place != 0)) | (bits.bit_select(mine, 1) == brought))
        self.check(m, "not_yet", ~brought | whole | (place > mine) | (place == 0))
        self.check(m, "tag_place", (self.look("dut.tag_place", 5) == place)
                   & (~whole | (place == 0)))
        self.tags_wait, self.tag_bits = waits, bits

    def _cut(self, m, layout):
        """A K-block leaves unit by unit: its precision bits if due, its bases, its residuals."""
        look = self.look
        copy, busy = Signal(layout), Signal()
        content, index, number = Signal(2), Signal(3), Signal(5)  # of K-blocks so far, modulo 32
        unit = look("dut.units.i__payload", BITS + 2)
        valid, ready = look("dut.units.i__valid"), look("dut.units.i__ready")
        take = Signal()
        m.d.comb += take.eq(valid & ready)
        bases = (copy.lanes * (BASE_BITS // 8) + UNIT_BYTES - 1) // UNIT_BYTES
        residuals = (copy.lanes * (RESIDUAL_BITS // 8) + UNIT_BYTES - 1) // UNIT_BYTES
        ends = (content == TAGS) | (index == Mux(content == BASES, bases, residuals) - 1)
        chunk_ends = ends & ((content == RESIDUALS) | (content == BASES) & ~copy.is_mx9)
        with m.If(take):
            m.d.sync += [index.eq(Mux(ends, 0, index + 1)), content.eq(content + ends)]
        goes = Signal()
        m.d.comb += goes.eq(~busy | take & chunk_ends)
        due = self.chunk.k_first | (number == 0)
        with m.If(goes):
            m.d.sync += [busy.eq(self.chunk_waits), copy.eq(self.chunk),
                         content.eq(Mux(due, TAGS, BASES)), index.eq(0)]
            with m.If(self.chunk_waits):
                m.d.sync += number.eq(Mux(self.chunk.k_first, 0, number) + 1)
        self.cover(m, "residual", take & (content == RESIDUALS) & chunk_ends)
        self.check(m, "chunk_is_taken", self.chunk_goes == goes)
        self.check(m, "offers_units", valid == (busy & ((content != TAGS) | self.tags_wait)))
        self.check(m, "tags_are_taken", look("dut.tag_units__ready") == (take & (content == TAGS)))
        wide, rest = Signal(LANES * BASE_BITS), Signal(LANES * BASE_BITS)
        m.d.comb += [wide.eq(Mux(content == RESIDUALS, copy.residual, copy.base)),
                     rest.eq(Array(wide[BITS * units:] for units in range(8))[index])]
        self.check(m, "unit", ~valid | (unit[:BITS] == Mux(
            content == TAGS, self.tag_bits, rest[:BITS])))
        self.check(m, "ends", ~valid | (unit[BITS] == (chunk_ends & copy.k_last))
                   & (unit[BITS + 1] == (chunk_ends & copy.k_last & copy.job_last)))
        stalled, before = Signal(), Signal(len(unit))
        m.d.sync += [stalled.eq(valid & ~ready), before.eq(unit)]
        self.check(m, "unit_stays", ~stalled | valid & (unit == before))
        self.check(m, "busy", (look("dut.busy") == busy) & (look("dut.tags_left", 5)
                                                            == (0 - number)[:5]))
        self.check(m, "at", ~busy | (look("dut.content", 2) == content) & (content != BIASES)
                   & (index < Mux(content == BASES, bases, Mux(content == TAGS, 1, residuals)))
                   & ((content != RESIDUALS) | copy.is_mx9)
                   & (copy.lanes > 0) & (copy.lanes <= LANES))
        self.check(m, "index", (look("dut.index", 3) == index) & (busy | (index == 0)))
        leaving = data.View(layout, look("dut.leaving", layout.size))
        self.check(m, "leaving", ~busy | Mux(
            content == RESIDUALS, leaving.residual == rest,
            (leaving.base == rest) & (leaving.residual == copy.residual)))
        self.check(m, "leaving_facts", ~busy | (leaving.is_mx9 == copy.is_mx9)
                   & (leaving.k_last == copy.k_last) & (leaving.job_last == copy.job_last)
                   & (look("dut.last_bases", 3) == bases - 1)
                   & (look("dut.last_residuals", 2) == residuals - 1))

    def _gather(self, m, dut):
        """Units lie side by side in a beat, the first lowest; a packet ends its beat."""
        valid, unit = self.look("dut.units.o__valid"), self.look("dut.units.o__payload", BITS + 2)
        ready, take = self.look("dut.units.o__ready"), Signal()
        m.d.comb += take.eq(valid & ready)
        second, whole, words, there = Signal(), Signal(), Signal(2 * BITS), Signal(2)
        ends = Signal(2)
        with m.If(take):
            m.d.sync += [second.eq(~(second | unit[BITS])), ends.eq(unit[BITS:])]
            with m.If(second):
                m.d.sync += [words.eq(Cat(words[:BITS], unit[:BITS])), there.eq(3)]
            with m.Else():
                m.d.sync += [words.eq(unit[:BITS]), there.eq(1)]
        m.d.sync += whole.eq(Mux(take, second | unit[BITS], whole & ~dut.o.ready))
        beat = dut.o.p
        self.cover(m, "job_ends", whole & ends.all() & (there == 3))
        self.check(m, "takes_units", ready == (~whole | dut.o.ready))
        self.check(m, "offers_beats", dut.o.valid == whole)
        self.check(m, "beat", ~(whole | second) | (beat.data == words) & (
            beat.keep == Cat(there[0].replicate(UNIT_BYTES), there[1].replicate(UNIT_BYTES)))
            & (Cat(beat.last, beat.job_last) == ends))
        self.check(m, "place", self.look("dut.place", 1) == second)


PROOFS = (Proof(
    name="mx_packer", make=MXPackerHarness, depth=1, steps=10,
    says="Every row stands at its place in its K-block; a K-block leaves in just the units of its "
         "format, precision bits first where they are due; units fill beats, the first lowest, and "
         "a packet ends with its tile; nothing is lost, doubled or reordered, and it waits for "
         "blocks, tags and the reader alone.",
    assumes="Blocks come K-block by K-block, all rows of each.",
    bounds=f"{LANES} rows, units of {UNIT_BYTES} bytes, two in a beat.",
    mutants=(Mutant(module.__name__, "chunk.base.eq(chunk.base.shift_right(len(bits)))",
                    "chunk.base.eq(chunk.base)"),
             Mutant(module.__name__, "with m.Elif(row == 0):", "with m.Elif(0):"),
             Mutant(module.__name__, "self.tags.p.is_mx9 << place", "self.tags.p.is_mx9 << 0"),
             Mutant(module.__name__, "units.ready.eq(~self.o.valid | self.o.ready), take",
                    "units.ready.eq(1), take"))),)
