"""D of blocks with any mantissas: sixteen products, shifted by pairs and summed."""

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, PAIRS, SUB_BLOCK_SIZE

LARGEST_SHIFT = 2


def block_layout(mantissa_bits: int, **others) -> data.StructLayout:
    """Describe a block in one beat: signs, magnitudes, microexponents, and what else there is.

    Parameters
    ----------
    mantissa_bits : int
        Bits of a magnitude.
    **others : shape-like
        Fields above the microexponents.
    """
    return data.StructLayout({
        "sign": unsigned(BLOCK_SIZE),
        "magnitude": data.ArrayLayout(mantissa_bits, BLOCK_SIZE),
        "microexponent": unsigned(PAIRS),
        **others,
    })


def largest_product(a_bits: int, b_bits: int) -> int:
    """Return the largest magnitude of D: 14400 for 4x4 bits, 1032256 for 7x7."""
    return BLOCK_SIZE * (2**a_bits - 1) * (2**b_bits - 1) << LARGEST_SHIFT


class BlockDotProduct(wiring.Component):
    """Multiply two blocks: D = sum over pairs j of (p_2j + p_2j+1) << (2 - ta_j - tb_j).

    `hw.dot_product.DotProduct` with mantissas of other widths, and built as that one is: products
    arrive inverted, negations wait to be carries of the tree, and sums are unsigned with an offset.
    D weighs 2^(Ea + Eb - a_bits - b_bits). Latency ``stages`` cycles; never stalls.

    Parameters
    ----------
    a_bits, b_bits : int
        Bits of the magnitudes.
    stages : int
        Pipeline registers: 0 none, 1 after the tree.

    Members
    -------
    a, b : In(block_layout)
    d : Out(signed)
        As wide as `largest_product` needs.

    Raises
    ------
    ValueError
        If ``stages`` is not 0 or 1.
    """

    def __init__(self, *, a_bits: int, b_bits: int, stages: int):
        if stages not in (0, 1):
            raise ValueError(f"a reference's dot product has 0 or 1 stages, not {stages!r}")
        self.a_bits, self.b_bits, self.stages = a_bits, b_bits, stages
        self.width = largest_product(a_bits, b_bits).bit_length() + 1
        super().__init__({"a": In(block_layout(a_bits)), "b": In(block_layout(b_bits)),
                          "d": Out(signed(self.width))})

    def elaborate(self, platform):
        m = Module()
        # A tree of seven adders takes seven carries; the eighth pair adds its own.
        pairs = [self._pair(m, pair, adds_carry=pair == PAIRS - 1) for pair in range(PAIRS)]
        sums, carries = [each for each, _ in pairs], [carry for _, carry in pairs]
        while len(sums) > 1:
            level = []
            for left, right in zip(sums[::2], sums[1::2], strict=True):
                total = Signal(len(left) + 1, name=f"sum_{len(left) + 1}_{len(level)}")
                m.d.comb += total.eq(left + right + carries.pop(0))
                level.append(total)
            sums = level
        d = Signal(signed(self.width), reset_less=True)
        domain = m.d.sync if self.stages else m.d.comb
        domain += d.eq(Cat(sums[0][:-1], ~sums[0][-1]))
        m.d.comb += self.d.eq(d)
        return m

    def _pair(self, m, pair, *, adds_carry):
        """Return the shifted sum of a pair, its top bit inverted, and what it is short of."""
        a, b = self.a, self.b
        width = self.a_bits + self.b_bits
        terms, signs = [], []
        for lane in range(SUB_BLOCK_SIZE * pair, SUB_BLOCK_SIZE * (pair + 1)):
            is_positive = Signal(name=f"is_positive_{lane}")
            term = Signal(width + 1, name=f"term_{lane}")  # a signed one, plus 2^width
            inverted = inverted_product(a.magnitude[lane], b.magnitude[lane])
            m.d.comb += [
                is_positive.eq(~(a.sign[lane] ^ b.sign[lane])),
                term.eq(Cat(inverted ^ is_positive.replicate(width), is_positive)),
            ]
            terms.append(term)
            signs.append(~is_positive)
        total = Signal(width + 2, name=f"pair_{pair}")
        m.d.comb += total.eq(terms[0] + terms[1] + signs[0])
        fill = carry = signs[1]
        if adds_carry:
            exact = Signal.like(total, name=f"exact_{pair}")
            m.d.comb += exact.eq(total + carry)
            total, fill, carry = exact, Const(0), Const(0)
        is_negative = ~total[-1]
        shifted = Cat(total[:-1], is_negative)
        for level, microexponent in enumerate((a.microexponent[pair], b.microexponent[pair])):
            moved = Signal(len(shifted) + 1, name=f"shifted_{pair}_{level}")
            m.d.comb += moved.eq(
                Mux(microexponent, Cat(shifted, is_negative), Cat(fill, shifted)))
            shifted = moved
        return Cat(shifted[:-1], total[-1]), carry


def inverted_product(a, b):
    """Return ~(a * b), row by row, a row of NANDs each: smaller here than ``*``, Booth or not."""
    low, high = [], None
    for bit in a:
        row = ~(b & bit.replicate(len(b)))
        # What lies above an inverted row are ones.
        high = Cat(row, Const(1)) if high is None else (high + row + 1)[:len(b) + 1]
        low.append(high[0])
        high = high[1:]
    return Cat(low, high)
