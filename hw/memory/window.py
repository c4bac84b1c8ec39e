"""The window of memory that the machine may touch."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .axi4 import PAGE_BITS, window_layout

REGISTER_BITS = 64


class Window(wiring.Component):
    """Turn first address and end into whole pages, so that nothing beside the window is in it.

    Parameters
    ----------
    address_bits : int
        Of the bus.

    Members
    -------
    base, limit : In(64)
        First address that may be touched, and the first above it that may not; all ones: there is
        none.
    pages : Out(window_layout)
        A cycle later. Its end is no higher than the bus's.
    """

    def __init__(self, *, address_bits):
        self.address_bits = address_bits
        super().__init__({
            "base": In(REGISTER_BITS), "limit": In(REGISTER_BITS),
            "pages": Out(window_layout(address_bits=address_bits + 1))})

    def elaborate(self, platform):
        m = Module()
        pages, last = self.pages, 1 << self.address_bits - PAGE_BITS
        first = Signal(REGISTER_BITS - PAGE_BITS + 1)  # rounded up
        end = Signal(REGISTER_BITS - PAGE_BITS)
        m.d.comb += [first.eq((self.base >> PAGE_BITS) + self.base[:PAGE_BITS].any()),
                     end.eq(self.limit >> PAGE_BITS)]
        m.d.sync += [pages.first.eq(Mux(first > last, last, first)),
                     pages.end.eq(Mux(self.limit.all() | (end > last), last, end))]
        return m
