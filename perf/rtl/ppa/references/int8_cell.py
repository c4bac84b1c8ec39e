"""Sixteen int8 products a cycle into an int32 sum."""

from amaranth import Cat, Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE
from hw.array.dot_product import add_up
from hw.array.mac_cell import accumulate

BITS = 8
SUM_BITS = 32

Operand = data.ArrayLayout(signed(BITS), BLOCK_SIZE)


class Int8Cell(wiring.Component):
    """Multiply sixteen pairs of int8 a cycle and add them to an int32 sum, which must not overflow.

    Parameters
    ----------
    cell_stages : int
        0 or 1: registers after the dot product.

    Members
    -------
    a, b : In(16 x signed(8))
        Element 0 in the least significant bits.
    first, last, result_in, result
        As in `hw.array.mac_cell.MACCell`, of 32 bits.

    Raises
    ------
    ValueError
        If ``cell_stages`` is not 0 or 1.
    """

    def __init__(self, *, cell_stages: int):
        if cell_stages not in (0, 1):
            raise ValueError(f"a reference's dot product has 0 or 1 stages, not {cell_stages!r}")
        self.cell_stages = cell_stages
        super().__init__({
            "a": In(Operand), "b": In(Operand), "first": In(1), "last": In(1),
            "result_in": In(signed(SUM_BITS)), "result": Out(signed(SUM_BITS)),
        })

    def elaborate(self, platform):
        m = Module()
        products = []
        for lane in range(BLOCK_SIZE):
            product = Signal(2 * BITS, name=f"product_{lane}")
            m.d.comb += product.eq(inverted_product(self.a[lane], self.b[lane]))
            products.append(product)
        inverted = add_up(m, products, [1] * (BLOCK_SIZE - 1))  # ~(x + y) = ~x + ~y + 1
        # The offsets of sixteen top bits have added up to this one's.
        d = Signal(signed(len(inverted)), reset_less=True)
        domain = m.d.sync if self.cell_stages else m.d.comb
        domain += d.eq(~Cat(inverted[:-1], ~inverted[-1]))
        accumulate(m, self, Cat(0, d).as_signed())
        return m


def inverted_product(a, b):
    """Return ~(a * b) of two signed numbers, its top bit inverted: unsigned, offset by half.

    A row is b or 0 by a bit of a. Row i < 7 comes as NANDs, its top bit inverted: 127 - r_i. The
    last one counts negative, so it comes as it is, 128 + r_7. At their places they add up to
    2^15 - a * b - 255, and a carry of one into each of the seven adders, 254 in all, makes that
    2^15 - a * b - 1. It takes as many full adders as an unsigned array, and no sign extension.
    """
    low, high = [], None
    for place, bit in enumerate(a.as_unsigned()):
        row = b.as_unsigned() & bit.replicate(len(b))
        inverted = row ^ (1 << len(b) - 1) if place == len(a) - 1 else row ^ (1 << len(b) - 1) - 1
        high = Cat(inverted, Const(0)) if high is None else (high + inverted + 1)[:len(b) + 1]
        low.append(high[0])
        high = high[1:]
    return Cat(low[:-1], Cat(low[-1], high))
