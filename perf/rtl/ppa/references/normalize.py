"""Shift of a two's complement number until its sign stands alone."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Normalizer(wiring.Component):
    """Shift left until the two top bits differ; combinational.

    Parameters
    ----------
    width : int

    Members
    -------
    value : In(signed(width))
    normal : Out(signed(width))
        Zero stays zero.
    shift : Out
        By how many places; of zero, undefined.
    is_zero : Out(1)
    """

    def __init__(self, *, width: int):
        self.width = width
        self.levels = (width - 1).bit_length()
        super().__init__({"value": In(signed(width)), "normal": Out(signed(width)),
                          "shift": Out(self.levels), "is_zero": Out(1)})

    def elaborate(self, platform):
        m = Module()
        differ = (self.value ^ (self.value >> 1))[:self.width - 1]
        spare = (1 << self.levels) - len(differ)
        # No two bits differ in -1 and in 0. -1 has to move to the top, which takes width - 1.
        _, place = first_one(Cat(Const(0, spare - 1), 1, differ))
        m.d.comb += self.shift.eq(place)
        normal = self.value
        for level in reversed(range(self.levels)):
            shifted = Signal(signed(self.width), name=f"shifted_{level}")
            m.d.comb += shifted.eq(Mux(self.shift[level], normal << (1 << level), normal))
            normal = shifted
        m.d.comb += [self.normal.eq(normal), self.is_zero.eq(normal[-1] == normal[-2])]
        return m


def first_one(bits):
    """Find the highest one among a power of two of bits, by halves.

    Returns
    -------
    tuple of (Value, Value)
        Whether there is one, and how many bits lie above it.
    """
    if len(bits) == 1:
        return bits, Const(0, 0)
    half = len(bits) // 2
    (in_low, low), (in_high, high) = first_one(bits[:half]), first_one(bits[half:])
    return in_low | in_high, Cat(Mux(in_high, high, low), ~in_high)
