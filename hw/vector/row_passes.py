"""Holds rows while they are measured, and hands their numbers on beside what they measured."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from golden.formats import BLOCK_SIZE, FP32
from hw.blocks.widen import Elements
from hw.parts.bits import ones_below
from hw.parts.ring import address_bits, index_signal
from hw.parts.sram import Sram

from .row_extremes import RowExtremes
from .row_operands import Measure, Operands, RowOperands, is_norm


def row_block_layout():
    """Describe sixteen numbers of a row.

    Members
    -------
    elements : 16 x unsigned(32)
        FP32 patterns.
    count : unsigned
        How many of them there are, from lane 0: all but in the row's last block.
    row_last, job_last : unsigned(1)
        The last of its row, of its job.
    measure : Measure
        Of the row.
    """
    return data.StructLayout({
        "elements": Elements, "count": bits_for(BLOCK_SIZE), "row_last": 1, "job_last": 1,
        "measure": Measure})


def row_numbers_layout(lanes):
    """Describe neighbouring numbers of a row, and what all of its numbers go through.

    Members
    -------
    numbers : lanes x unsigned(32)
    count : unsigned
        How many there are, from lane 0.
    row_last, job_last : unsigned(1)
        The last of their row, of their job.
    group_last, columns_end, group_ends : unsigned(1)
        Of results of the array, with their row's last: it is the last row of its group, which
        drained in one cycle; of its column tile; and of its group of resident token tiles.
    operands : Operands
    """
    return data.StructLayout({
        "numbers": data.ArrayLayout(FP32.width, lanes), "count": bits_for(lanes), "row_last": 1,
        "job_last": 1, "group_last": 1, "columns_end": 1, "group_ends": 1, "operands": Operands})


class RowPasses(wiring.Component):
    """Take a row, read it once more for its sums, and once to hand it on.

    There is room for two rows. One comes and is measured while the one before leaves, `lanes`
    numbers per cycle; of one lane or two there is no gap between long rows. Rows come at a block
    per cycle. They are read for their sums twice as fast as they leave, 2 * lanes numbers in a
    cycle in which no block is read that leaves: in all but one of 16 / lanes cycles unless ``o``
    stalls.

    Parameters
    ----------
    lanes : int
        Numbers that leave per cycle: 1, 2, 4 or 8.
    blocks_max : int
        Of a row.

    Members
    -------
    i : In(stream of row_block_layout)
    o : Out(stream of row_numbers_layout)
    row_left : Out(1)
        A row's last number leaves; from the next cycle on there is room for another row.

    Raises
    ------
    ValueError
        If `lanes` is none of those.
    """

    def __init__(self, *, lanes: int, blocks_max: int):
        if lanes not in (1, 2, 4, 8):
            raise ValueError(f"lanes must be 1, 2, 4 or 8, not {lanes}")
        self.lanes, self.blocks_max = lanes, blocks_max
        super().__init__({
            "i": In(stream.Signature(row_block_layout())),
            "o": Out(stream.Signature(row_numbers_layout(lanes))), "row_left": Out(1)})

    def elaborate(self, platform):
        m = Module()
        # A block lies in several memories, so that less than a block can be read.
        at_once = 2 * self.lanes
        self.parts = [Sram(width=at_once * FP32.width, depth=2 * self.blocks_max)
                      for _ in range(BLOCK_SIZE // at_once)]
        for index, part in enumerate(self.parts):
            m.submodules[f"rows_{index}"] = part
        # The addend is the row's maximum until it is measured.
        row = data.StructLayout({
            "last": address_bits(self.blocks_max), "count": bits_for(BLOCK_SIZE), "job_last": 1,
            "measure": Measure, "exponent": FP32.exponent_bits, "operands": Operands})
        # Of both halves of the memory.
        self.about = Array(Signal(row, name=f"row_{half}", reset_less=True) for half in range(2))
        self.is_taken, self.is_whole, self.is_measured = (
            Array(Signal(name=f"{name}_{half}") for half in range(2))
            for name in ("is_taken", "is_whole", "is_measured"))
        self._take(m)
        wants = self._leave(m)
        self._measure(m, ~wants)
        return m

    def _place(self, role):
        """Make registers for a half of the memory, and for a block in it."""
        return (Signal(name=f"{role}_half"),
                Signal(address_bits(self.blocks_max), name=f"{role}_number"))

    def _take(self, m):
        """Write rows, and find their extremes."""
        m.submodules.extremes = extremes = RowExtremes()
        half, number = self._place("write")
        comes, ends = (Signal(name=name) for name in ("comes", "row_comes"))
        block = self.i.p
        is_valid = ones_below(m, block.count, BLOCK_SIZE, name="is_valid")
        m.d.comb += [
            self.i.ready.eq(~self.is_taken[half]),
            comes.eq(self.i.valid & self.i.ready), ends.eq(comes & block.row_last),
            extremes.block.as_value().eq(block.elements.as_value()), extremes.first.eq(number == 0),
            extremes.last.eq(ends), extremes.is_valid.eq(Mux(comes, is_valid, 0))]
        for index, part in enumerate(self.parts):
            m.d.comb += [
                part.write_en.eq(comes), part.write_addr.eq(Cat(half, number)),
                part.write_data.eq(block.elements.as_value().word_select(index, part.width))]
        with m.If(comes):
            m.d.sync += number.eq(Mux(block.row_last, 0, number + 1))
        about = self.about[half]
        with m.If(ends):
            m.d.sync += [
                half.eq(~half), about.last.eq(number), about.count.eq(block.count),
                about.job_last.eq(block.job_last), about.measure.eq(block.measure),
                self.is_taken[half].eq(1)]
        found = Signal()  # half whose extremes are found next
        with m.If(extremes.done):
            m.d.sync += [
                found.eq(~found), self.about[found].exponent.eq(extremes.exponent),
                self.about[found].operands.addend.value.eq(extremes.maximum),
                self.is_whole[found].eq(1)]

    def _measure(self, m, may_read):
        """Read whole rows, one after the other, part by part, for their sums."""
        at_once, parts = 2 * self.lanes, len(self.parts)
        m.submodules.operands = operands = RowOperands(lanes=at_once)
        half, number = self._place("measure")
        part, of_part = (index_signal(parts, name) for name in ("part", "of_part"))
        about = self.about[half]
        reads, is_last, ends_block = (
            Signal(name=name) for name in ("reads", "is_last_read", "ends_block"))
        was_read, was_first, was_last = (
            Signal(name=name) for name in ("was_read", "was_first", "was_last"))
        is_valid = Signal(at_once)
        last_at = Signal(range(BLOCK_SIZE))  # of the row's last number, in its block
        in_part = last_at[:exact_log2(at_once)]
        m.d.comb += [
            last_at.eq(about.count - 1), ends_block.eq((part == parts - 1) | is_last),
            is_last.eq((number == about.last) & (part == last_at[exact_log2(at_once):])),
            operands.measure.eq(about.measure), operands.exponent.eq(about.exponent),
            operands.maximum.eq(about.operands.addend.value),
            is_valid.eq(Mux(was_last, Cat(1, *(in_part >= lane for lane in range(1, at_once))),
                            ~0)),
            operands.block.as_value().eq(Array(each.read_data for each in self.parts)[of_part]),
            operands.first.eq(was_first), operands.last.eq(was_last),
            operands.is_valid.eq(Mux(was_read, is_valid, 0))]
        m.d.sync += [was_read.eq(reads), was_first.eq(reads & (number == 0) & (part == 0)),
                     was_last.eq(reads & is_last), of_part.eq(part)]
        for index, each in enumerate(self.parts):
            with m.If(reads & (part == index)):
                m.d.comb += [each.read_en.eq(1), each.read_addr.eq(Cat(half, number))]
        with m.If(reads):
            m.d.sync += part.eq(Mux(ends_block, 0, part + 1))
            with m.If(ends_block):
                m.d.sync += number.eq(Mux(is_last, 0, number + 1))
        with m.FSM():
            with m.State("WAIT"):
                with m.If(self.is_whole[half]):
                    m.d.comb += operands.start.eq(1)
                    m.next = "MEASURE"
                    with m.If(is_norm(about.measure.rows)):
                        m.next = "ADD"
            with m.State("ADD"):
                m.d.comb += reads.eq(may_read)
                with m.If(reads & is_last):
                    m.next = "MEASURE"
            with m.State("MEASURE"):
                with m.If(operands.done):
                    m.d.sync += [
                        about.operands.eq(operands.operands), half.eq(~half),
                        self.is_whole[half].eq(0),
                        self.is_measured[half].eq(1)]
                    m.next = "WAIT"

    def _leave(self, m):
        """Read measured rows, a block at a time; return whether it is read in this cycle."""
        half, number = self._place("leave")
        about = self.about[half]
        held = Signal(BLOCK_SIZE * FP32.width, reset_less=True)
        left = Signal(range(BLOCK_SIZE + 1))  # numbers of it
        held_last, of_half, there_last, there_half = (
            Signal(name=name, reset_less=True)
            for name in ("held_last", "of_half", "there_last", "there_half"))
        is_there = Signal()  # a block was read, and waits for its place
        takes, ends, row_ends, fills, wants, is_last = (
            Signal(name=name)
            for name in ("takes", "ends", "row_ends", "fills", "wants", "is_last"))
        width = self.lanes * FP32.width
        m.d.comb += [
            self.o.valid.eq(left != 0), takes.eq(self.o.valid & self.o.ready),
            ends.eq(left <= self.lanes), fills.eq(is_there & ((left == 0) | takes & ends)),
            self.o.p.numbers.eq(held[:width]),
            self.o.p.count.eq(Mux(ends, left, self.lanes)),
            row_ends.eq(ends & held_last), self.o.p.row_last.eq(row_ends),
            self.o.p.job_last.eq(row_ends & self.about[of_half].job_last),
            self.o.p.operands.eq(self.about[of_half].operands),
            # The next block is read when what is held leaves with the group after this one.
            is_last.eq(number == about.last),
            wants.eq(self.is_measured[half] & ~is_there
                     & (left <= 2 * self.lanes))]
        with m.If(takes):
            m.d.sync += [held.eq(held >> width), left.eq(left - self.o.p.count)]
            with m.If(row_ends):
                m.d.comb += self.row_left.eq(1)
                m.d.sync += [self.is_taken[of_half].eq(0)]
        with m.If(fills):
            m.d.sync += [
                is_there.eq(0), held.eq(Cat(part.read_data for part in self.parts)),
                held_last.eq(there_last), of_half.eq(there_half),
                left.eq(Mux(there_last, self.about[there_half].count, BLOCK_SIZE))]
        with m.If(wants):
            for part in self.parts:
                m.d.comb += [part.read_en.eq(1), part.read_addr.eq(Cat(half, number))]
            m.d.sync += [is_there.eq(1), there_last.eq(is_last), there_half.eq(half),
                         number.eq(Mux(is_last, 0, number + 1))]
            with m.If(is_last):
                m.d.sync += [half.eq(~half), self.is_measured[half].eq(0)]
        return wants | is_there & ~fills
