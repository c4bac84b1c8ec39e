"""D of one beat: sixteen 4x4-bit signed-magnitude products, shifted by pairs and summed."""

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
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

LARGEST_PRODUCT = (2**BASE_BITS - 1) ** 2
LARGEST_PAIR = SUB_BLOCK_SIZE * LARGEST_PRODUCT
LARGEST_SHIFT = 2
LARGEST_SHIFTED = LARGEST_PAIR << LARGEST_SHIFT
LARGEST_D = PAIRS * LARGEST_SHIFTED  # 14400
D = signed(LARGEST_D.bit_length() + 1)


class DotProduct(wiring.Component):
    """Multiply two MX6-shaped blocks: D = sum over pairs j of (p_2j + p_2j+1) << (2 - ta_j - tb_j).

    Each p is a signed product of 4-bit magnitudes, and D is exact, at most 14400 either way; it
    weighs 2^(Ea + Eb - 8). Latency ``stages`` cycles (0: combinational); a beat each cycle; never
    stalls, and has no valid: whoever uses D counts the cycles.

    Negation costs one bit per pair. With q = P0 +- P1, the pair's sum under the sign of its first
    product, minus q is ~q + 1; shifting before inverting fills the low places with ones, so the + 1
    keeps the weight of D's least significant bit whatever the shift, and goes into the tree as the
    carry of one of its adders.

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
            shifted, carry = self._pair(m, pair)
            if self.stages == 2:
                held = Signal(len(shifted) + 1, name=f"held_{pair}", reset_less=True)
                m.d.sync += held.eq(Cat(shifted, carry))
                shifted, carry = held[:-1].as_signed(), held[-1]
            sums.append(shifted)
            carries.append(carry)
        # A tree of seven adders takes seven carries; the eighth is an operand of its own.
        while len(sums) > 1:
            terms = PAIRS // len(sums) * 2  # of each sum of this level
            level = []
            for left, right in zip(sums[::2], sums[1::2], strict=True):
                total = Signal(
                    range(-terms * (LARGEST_SHIFTED + 1), terms * (LARGEST_SHIFTED + 1)),
                    name=f"sum_{terms}_{len(level)}",
                )
                m.d.comb += total.eq(left + right + carries.pop())
                level.append(total)
            sums = level
        d = Signal(D, reset_less=True)
        domain = m.d.sync if self.stages else m.d.comb
        domain += d.eq(sums[0] + carries.pop())
        m.d.comb += self.d.eq(d)
        return m

    def _pair(self, m, pair):
        """Return the shifted sum of a pair, one short where negative, and what it is short of."""
        a, b = self.a, self.b
        first, second = SUB_BLOCK_SIZE * pair, SUB_BLOCK_SIZE * pair + 1
        products = [
            Signal(range(LARGEST_PRODUCT + 1), name=f"product_{lane}") for lane in (first, second)
        ]
        m.d.comb += [
            products[0].eq(_multiply(a.magnitude[first], b.magnitude[first])),
            products[1].eq(_multiply(a.magnitude[second], b.magnitude[second])),
        ]
        is_negative = a.sign[first] ^ b.sign[first]
        differ = is_negative ^ a.sign[second] ^ b.sign[second]
        q = Signal(range(-LARGEST_PRODUCT, LARGEST_PAIR + 1), name=f"pair_{pair}")
        inverted = products[1] ^ differ.replicate(len(products[1]))
        m.d.comb += q.eq(products[0] + Cat(inverted, differ).as_signed() + differ)

        t_a, t_b = a.microexponent[pair], b.microexponent[pair]
        upper = q << 1
        shifted = Mux(t_a & t_b, q, Mux(t_a | t_b, upper, q << LARGEST_SHIFT))
        summed = Signal(range(-LARGEST_SHIFTED - 1, LARGEST_SHIFTED + 1), name=f"shifted_{pair}")
        m.d.comb += summed.eq(shifted ^ is_negative.replicate(len(summed)).as_signed())
        return summed, is_negative


def _multiply(a, b):
    """Add the multiplicand's multiples as a tree, a tenth smaller than Yosys makes of ``a * b``."""
    multiples = [Mux(bit, a, 0) for bit in b]
    places = 1
    while len(multiples) > 1:
        pairs = zip(multiples[::2], multiples[1::2], strict=True)
        multiples = [low + (high << places) for low, high in pairs]
        places *= 2
    return multiples[0]
