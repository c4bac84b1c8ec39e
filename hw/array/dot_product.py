"""D of one beat: sixteen signed-magnitude products, shifted by pairs and summed."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, PAIRS, SUB_BLOCK_SIZE
from hw.contract.block_bits import BASE_BITS
from hw.contract.operand_block import block_layout

LARGEST_SHIFT = 2


def largest_product(a_bits=BASE_BITS, b_bits=BASE_BITS):
    """Return the largest magnitude of D: 14400 for 4x4 bits, 1032256 for 7x7."""
    return BLOCK_SIZE * (2**a_bits - 1) * (2**b_bits - 1) << LARGEST_SHIFT


class DotProduct(wiring.Component):
    """Multiply two blocks: D = sum over pairs j of (p_2j + p_2j+1) << (2 - ta_j - tb_j).

    Each p is a signed product of magnitudes, and D is exact, at most `largest_product` either way;
    it weighs 2^(Ea + Eb - a_bits - b_bits). Latency ``stages`` cycles (0: combinational); a beat
    each cycle; never stalls, and has no valid: whoever uses D counts the cycles.

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
    a_bits, b_bits : int
        Bits of the magnitudes: 4, as the machine has them, unless other cells are to be compared.
    stages : int
        Pipeline registers: 0 none; 1 after the tree; 2 also after the pairs' shifted sums.

    Members
    -------
    a, b : In(block_layout)
        Element 0 and pair 0 in the least significant bits.
    d : Out(signed)
        As wide as `largest_product` needs: 15 bits for 4x4.

    Raises
    ------
    ValueError
        If ``stages`` is not 0, 1 or 2.
    """

    def __init__(self, *, a_bits: int = BASE_BITS, b_bits: int = BASE_BITS, stages: int = 1):
        if stages not in (0, 1, 2):
            raise ValueError(f"a dot product has 0, 1 or 2 pipeline stages, not {stages!r}")
        self.a_bits, self.b_bits, self.stages = a_bits, b_bits, stages
        self.latency = stages
        self.shape = signed(largest_product(a_bits, b_bits).bit_length() + 1)
        super().__init__({"a": In(block_layout(a_bits)), "b": In(block_layout(b_bits)),
                          "d": Out(self.shape)})

    def elaborate(self, platform):
        m = Module()
        sums, carries = [], []
        for pair in range(PAIRS):
            # A tree of seven adders takes seven carries; the eighth pair adds its own.
            shifted, carry = self._pair(m, pair, adds_carry=pair == PAIRS - 1)
            if self.stages == 2:
                held = Signal(len(shifted) + 1, name=f"held_{pair}", reset_less=True)
                m.d.sync += held.eq(Cat(shifted, carry))
                shifted, carry = held[:-1], held[-1]
            sums.append(shifted)
            carries.append(carry)
        total = add_up(m, sums, carries)
        d = Signal(self.shape, reset_less=True)
        domain = m.d.sync if self.stages else m.d.comb
        domain += d.eq(Cat(total[:-1], ~total[-1]))
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
        total = Signal(width + 2, name=f"pair_{pair}")  # plus 2^(width + 1)
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
    """Return ~(a * b) of unsigned numbers, row by row: as few adders as an array multiplier."""
    low, high = [], None
    for bit in a:
        row = ~(b & bit.replicate(len(b)))
        # What lies above an inverted row are ones.
        high = Cat(row, Const(1)) if high is None else (high + row + 1)[:len(b) + 1]
        low.append(high[0])
        high = high[1:]
    return Cat(low, high)


def add_up(m, terms, carries):
    """Add a power of two of equally wide unsigned terms and a carry for each adder of their tree.

    Parameters
    ----------
    m : Module
    terms : list of Value
    carries : list of Value or int
        One fewer than terms; of 0 or 1.

    Returns
    -------
    Signal
        The sum, a bit wider than the terms for each level of the tree.
    """
    carries = iter(carries)
    while len(terms) > 1:
        level = []
        for left, right in zip(terms[::2], terms[1::2], strict=True):
            total = Signal(len(left) + 1, name=f"sum_{len(left) + 1}_{len(level)}")
            m.d.comb += total.eq(left + right + next(carries))
            level.append(total)
        terms = level
    return terms[0]
