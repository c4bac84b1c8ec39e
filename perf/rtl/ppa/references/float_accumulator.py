"""A sum kept in FP32's precision, which every addition rounds."""

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32

from .normalize import Normalizer

SIGNIFICAND = FP32.mantissa_bits + 2
"""Bits of a significand in two's complement: the hidden one, and the sign."""

EXPONENT_BITS = 10
"""Two more than FP32's: no sum of products is too large or too small for it."""

Sum = data.StructLayout({"significand": signed(SIGNIFICAND), "exponent": unsigned(EXPONENT_BITS)})
"""significand * 2^exponent; the two top bits differ, but in zero, whose exponent is 0."""

_GUARD_BITS = 2


class FloatAccumulator(wiring.Component):
    """Add up integers times powers of two, rounding each sum half to even to 24 bits.

    Controls as in `hw.array.mac_cell`; with a stage, they go with the addend of the cycle before.
    The significand stays in two's complement: FP32's sign and magnitude, its overflow and its flush
    to zero belong to where results leave, as they do in the machine. Two's complement rounds as
    FP32 does, since it differs only in the binade of negative powers of two, which are exact in
    either.

    Parameters
    ----------
    width : int
        Bits of an addend. Of more than 25, the 25 from its top on are added and the rest is cut
        off, towards minus infinity.
    stages : int
        0 or 1: registers where the addend has been normalized.

    Members
    -------
    addend : In(signed(width))
    exponent : In(EXPONENT_BITS)
        What it is for a significand with the addend's top bits in its own: the addend counts units
        of 2^(exponent + 25 - width). At least width - 1, so that no sum, a multiple of such units,
        gets an exponent below 1.
    first, last, result_in, result
        As in `hw.array.mac_cell.MACCell`, with `Sum` for an integer.
    """

    def __init__(self, *, width: int, stages: int):
        self.width, self.stages = width, stages
        super().__init__({
            "addend": In(signed(width)), "exponent": In(EXPONENT_BITS), "first": In(1),
            "last": In(1), "result_in": In(Sum), "result": Out(Sum),
        })

    def elaborate(self, platform):
        m = Module()
        addend, total = Signal(Sum, reset_less=True), Signal(Sum, reset_less=True)
        summed, result = Signal(Sum), Signal(Sum, reset_less=True)
        self._normalize(m, addend, m.d.sync if self.stages else m.d.comb)
        so_far = data.View(Sum, Mux(self.first, 0, total.as_value()))
        exponent, exact, is_inexact = self._add(m, so_far, addend)
        self._round(m, exponent, exact, is_inexact, summed)
        m.d.sync += [total.eq(summed), result.eq(Mux(self.last, summed.as_value(),
                                                     self.result_in.as_value()))]
        m.d.comb += self.result.eq(result)
        return m

    def _normalize(self, m, addend, domain):
        m.submodules.normalize_addend = normalize = Normalizer(width=self.width)
        spare = SIGNIFICAND - self.width
        fitted = normalize.normal << spare if spare > 0 else normalize.normal >> -spare
        m.d.comb += normalize.value.eq(self.addend)
        domain += [
            addend.significand.eq(fitted),
            addend.exponent.eq(Mux(normalize.is_zero, 0,
                                   self.exponent - normalize.shift)),
        ]

    def _add(self, m, so_far, addend):
        """Return the larger exponent, the sum with two bits below it, and whether more was lost."""
        difference = Signal(signed(EXPONENT_BITS + 1))
        m.d.comb += difference.eq(so_far.exponent - addend.exponent)
        is_swapped = difference[-1]
        larger = Mux(is_swapped, addend.as_value(), so_far.as_value())
        larger = data.View(Sum, larger)
        # ~d is one less than -d: where the sum so far is the smaller one it starts a bit lower.
        distance = difference[:-1] ^ is_swapped.replicate(EXPONENT_BITS)
        moved = Signal(signed(SIGNIFICAND + _GUARD_BITS))
        m.d.comb += moved.eq(Mux(is_swapped, so_far.significand << 1, addend.significand << 2))
        levels = 5  # 31 places take all of the smaller one below the guard bits
        is_far = distance[levels:].any()
        losses = []
        for level in reversed(range(levels)):
            places = min(1 << level, len(moved))
            is_moved = distance[level] | is_far
            lower = Signal(signed(len(moved)), name=f"lower_{level}")
            m.d.comb += lower.eq(Mux(is_moved, moved >> places, moved))
            losses.append(is_moved & moved[:places].any())
            moved = lower
        exact = Signal(signed(SIGNIFICAND + _GUARD_BITS + 1))
        m.d.comb += exact.eq((larger.significand << _GUARD_BITS) + moved)
        return larger.exponent, exact, Cat(*losses).any()

    def _round(self, m, exponent, exact, is_inexact, summed):
        # Where the exponents differ by more than one, the sum loses at most one bit at its top, so
        # that one guard bit is left to round with. Where they do not, no bit is lost.
        m.submodules.normalize_sum = normalize = Normalizer(width=len(exact))
        m.d.comb += normalize.value.eq(exact)
        below = len(exact) - SIGNIFICAND
        kept, half = normalize.normal[below:].as_signed(), normalize.normal[below - 1]
        rest = normalize.normal[:below - 1].any() | is_inexact
        rounded = Signal(signed(SIGNIFICAND + 1))
        m.d.comb += rounded.eq(kept + (half & (rest | kept[0])))
        is_carried = ~rounded[-1] & rounded[-2]  # to 2^24, which becomes 2^23
        m.d.comb += [
            summed.significand.eq(Cat(rounded[:-3], rounded[-3] | is_carried, rounded[-1])),
            summed.exponent.eq(Mux(normalize.is_zero, 0,
                                   exponent + is_carried + 1 - normalize.shift)),
        ]
