"""An operand of a number for each column, which every row meets again."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.parts.ring import index_signal
from hw.parts.sram import Sram


class ColumnVector(wiring.Component):
    """Keep a number for each column; give them to neighbouring numbers of a row after the other.

    A group of neighbours per cycle goes in, and comes out a cycle after it was asked for. The first
    group that is written behind a last one is that of column 0. What is read are the columns of a
    tile, for each of its rows from its first one on, until it goes on.

    Parameters
    ----------
    lanes : int
        Numbers of a group.
    width : int
        Bits of a number.
    columns_max : int
        Of a row.

    Members
    -------
    write, write_last : In(1)
        A group comes, and it is the last one.
    numbers : In(lanes * width)
        The first in the lowest bits.
    read : In(1)
        The next group is asked for.
    read_last, goes_on, goes_back : In(1)
        It is the last of its row; and what is asked for next are the columns behind it; or
        column 0.
    o : Out(lanes * width)
    """

    def __init__(self, *, lanes, width, columns_max):
        self.lanes, self.width, self.columns_max = lanes, width, columns_max
        super().__init__({
            "write": In(1), "write_last": In(1), "numbers": In(lanes * width),
            "read": In(1), "read_last": In(1), "goes_on": In(1), "goes_back": In(1),
            "o": Out(lanes * width)})

    def elaborate(self, platform):
        m = Module()
        depth = max(2, -(-self.columns_max // self.lanes))
        m.submodules.words = words = Sram(width=self.lanes * self.width, depth=depth)
        write_at, read_at = (index_signal(depth, f"{name}_at") for name in ("write", "read"))
        m.d.comb += [
            words.write_en.eq(self.write), words.write_addr.eq(write_at),
            words.write_data.eq(self.numbers), words.read_en.eq(self.read),
            words.read_addr.eq(read_at), self.o.eq(words.read_data)]
        with m.If(self.write):
            m.d.sync += write_at.eq(Mux(self.write_last, 0, write_at + 1))
        tile_at, after = index_signal(depth, "tile_at"), Signal.like(read_at)
        m.d.comb += after.eq(Mux(self.goes_back, 0, Mux(self.goes_on, read_at + 1, tile_at)))
        with m.If(self.read):
            m.d.sync += read_at.eq(Mux(self.read_last, after, read_at + 1))
            with m.If(self.read_last):
                m.d.sync += tile_at.eq(after)
        return m
