"""D of one beat: sixteen 4x4-bit signed-magnitude products, shifted by pairs and summed."""

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, PAIRS, SUB_BLOCK_SIZE

from .layouts import BASE_BITS

Operand = data.StructLayout({
    "sign": unsigned(BLOCK_SIZE),
    "magnitude": data.ArrayLayout(BASE_BITS, BLOCK_SIZE),
    "microexponent": unsigned(PAIRS),
})
"""What a beat needs of a block: signs, 4-bit magnitudes (H or L) and microexponents."""

PRODUCT_BITS = 2 * BASE_BITS
LARGEST_SHIFT = 2
LARGEST_PAIR = SUB_BLOCK_SIZE * (2**BASE_BITS - 1) ** 2
PAIR_BITS = (LARGEST_PAIR << LARGEST_SHIFT).bit_length() + 1
LARGEST_D = PAIRS * LARGEST_PAIR << LARGEST_SHIFT  # 14400
D = signed(LARGEST_D.bit_length() + 1)


class DotProduct(wiring.Component):
    """Multiply two MX6-shaped blocks: D = sum over pairs j of (p_2j + p_2j+1) << (2 - ta_j - tb_j).

    Each p is a signed product of 4-bit magnitudes, and D is exact, at most 14400 either way; it
    weighs 2^(Ea + Eb - 8). Latency ``stages`` cycles (0: combinational); a beat each cycle; never
    stalls, and has no valid: whoever uses D counts the cycles.

    Three identities keep it small:

    - ~(x + y) = ~x + ~y + 1, so rows of NANDs add up to an inverted product, which the conditional
      inversion of its sign has to undo or to leave.
    - -p = ~p + 1. The + 1 of a pair's first product is the carry of the pair's adder. That of the
      second waits: shifting lets ones follow ~p into the low places, so it keeps the weight of D's
      least significant bit whatever the shift, and becomes the carry of an adder of the tree.
    - A signed n-bit number with its top bit inverted is that number + 2^(n-1). Unsigned sums of
      those need no sign extension, and the offsets add up to the one that D's top bit undoes.

    Parameters
    ----------
    stages : int
        Pipeline registers: 0 none; 1 after the tree; 2 also after the pairs' shifted sums.

    Members
    -------
    a, b : In(struct)
        ``sign`` 16 bits, ``magnitude`` 16 x 4 bits, ``microexponent`` 8 bits; element 0 and pair 0
        in the least significant bits.
    d : Out(signed(15))

    Raises
    ------
    ValueError
        If ``stages`` is not 0, 1 or 2.
    """

    def __init__(self, *, stages: int = 1):
        if stages not in (0, 1, 2):
            raise ValueError(f"a dot product has 0, 1 or 2 pipeline stages, not {stages!r}")
        self.stages = stages
        self.latency = stages
        super().__init__({"a": In(Operand), "b": In(Operand), "d": Out(D)})

    def elaborate(self, platform):
        m = Module()
        sums, carries = [], []
        for pair in range(PAIRS):
            # A tree of seven adders takes seven carries; the eighth pair adds its own.
            shifted, carry = self._pair(m, pair, adds_carry=pair == PAIRS - 1)
            if self.stages == 2:
                held = Signal(PAIR_BITS + 1, name=f"held_{pair}", reset_less=True)
                m.d.sync += held.eq(Cat(shifted, carry))
                shifted, carry = held[:-1], held[-1]
            sums.append(shifted)
            carries.append(carry)
        while len(sums) > 1:
            level = []
            for left, right in zip(sums[::2], sums[1::2], strict=True):
                total = Signal(len(left) + 1, name=f"sum_{len(left) + 1}_{len(level)}")
                m.d.comb += total.eq(left + right + carries.pop(0))
                level.append(total)
            sums = level
        d = Signal(D, reset_less=True)
        domain = m.d.sync if self.stages else m.d.comb
        domain += d.eq(Cat(sums[0][:-1], ~sums[0][-1]))
        m.d.comb += self.d.eq(d)
        return m

    def _pair(self, m, pair, *, adds_carry):
        """Return the shifted sum of a pair plus 2^(PAIR_BITS - 1), and what it is short of."""
        a, b = self.a, self.b
        terms, signs = [], []
        for lane in range(SUB_BLOCK_SIZE * pair, SUB_BLOCK_SIZE * (pair + 1)):
            is_positive = Signal(name=f"is_positive_{lane}")
            term = Signal(PRODUCT_BITS + 1, name=f"term_{lane}")  # + 2^PRODUCT_BITS
            inverted = _inverted_product(a.magnitude[lane], b.magnitude[lane])
            m.d.comb += [
                is_positive.eq(~(a.sign[lane] ^ b.sign[lane])),
                term.eq(Cat(inverted ^ is_positive.replicate(PRODUCT_BITS), is_positive)),
            ]
            terms.append(term)
            signs.append(~is_positive)
        total = Signal(PRODUCT_BITS + 2, name=f"pair_{pair}")  # + 2^(PRODUCT_BITS + 1)
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


def _inverted_product(a, b):
    """Return ~(a * b) of two 4-bit numbers, row by row: as few adders as an array multiplier."""
    low, high = [], None
    for bit in a:
        row = ~(b & bit.replicate(len(b)))
        high = row if high is None else (high + row + 1)[: len(b) + 1]
        low.append(high[0])
        high = Cat(high[1:], Const(1)) if len(high) == len(b) else high[1:]
    return Cat(low, high[: len(b)])
