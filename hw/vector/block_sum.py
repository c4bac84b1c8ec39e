"""D of one quantized block: the signed sum of its elements, over one beat or two."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.formats import PAIRS, SUB_BLOCK_SIZE
from golden.vector.formats import BLOCK_SUM_WIDTH
from hw.array.dot_product import add_up
from hw.contract.block_bits import BASE_BITS, RESIDUAL_BITS
from hw.contract.operand_block import block_layout


class BlockSum(wiring.Component):
    """Add up the elements of a block, from the beats that the array has of it.

    D = sum over pairs j of (m_2j + m_2j+1) << (1 - t_j), in units of 2^(E - 127 - 7): each m is a
    signed mantissa of MX9's width, and t a microexponent. A mantissa is 8 H + L; H comes in the
    block's first beat, and L, unless all of it is zero, in a beat behind it.

    Latency 1 cycle; a beat each cycle; never stalls. It is kept small as `DotProduct` is: the + 1
    of each ~m + 1 becomes the carry of an adder.

    Members
    -------
    i : In(block_layout)
        Element 0 and pair 0 in the least significant bits. Who hands a row's last block in clears
        what stands behind the row's end.
    enable : In(1)
        ``i`` is a beat to add.
    is_residual : In(1)
        It has L, of the block whose H was the last beat; else it has H, and begins a block.
    d : Out(signed(13))
        What the beats of the block so far add up to; stays until the next one.
    """

    i: In(block_layout())
    enable: In(1)
    is_residual: In(1)
    d: Out(signed(BLOCK_SUM_WIDTH))

    def elaborate(self, platform):
        m = Module()
        sums, carries = zip(*(self._pair(m, pair) for pair in range(PAIRS)), strict=True)
        # The tree has seven adders; the eighth carry is that of the adder behind it.
        *carries, last = carries
        total = add_up(m, list(sums), carries)
        beat = Signal(signed(len(total)))
        m.d.comb += beat.eq(Cat(total[:-1], ~total[-1]))
        d = Signal(signed(BLOCK_SUM_WIDTH), reset_less=True)
        addend = Signal(signed(BLOCK_SUM_WIDTH))
        so_far = Signal(signed(BLOCK_SUM_WIDTH))
        m.d.comb += [
            # Ones follow a number that lacks a carry into the places below it.
            addend.eq(Mux(self.is_residual, beat,
                          Cat(last.replicate(RESIDUAL_BITS), beat).as_signed())),
            so_far.eq(Mux(self.is_residual, d, 0)),
            self.d.eq(d),
        ]
        with m.If(self.enable):
            # Adding one place lower makes the carry an operand's bit: one adder, not two.
            m.d.sync += d.eq((Cat(last, so_far) + Cat(last, addend)) >> 1)
        return m

    def _pair(self, m, pair):
        """Return the shifted sum of a pair, its top bit inverted, and what it is short of."""
        terms, signs = [], []
        for lane in range(SUB_BLOCK_SIZE * pair, SUB_BLOCK_SIZE * (pair + 1)):
            sign = self.i.sign[lane]
            term = Signal(BASE_BITS + 1, name=f"term_{lane}")  # a signed one, plus 2^BASE_BITS
            m.d.comb += term.eq(Cat(self.i.magnitude[lane] ^ sign.replicate(BASE_BITS), ~sign))
            terms.append(term)
            signs.append(sign)
        total = Signal(BASE_BITS + 2, name=f"pair_{pair}")  # plus 2^(BASE_BITS + 1)
        m.d.comb += total.eq(terms[0] + terms[1] + signs[0])
        fill = signs[1]
        shifted = Signal(BASE_BITS + 3, name=f"shifted_{pair}")
        m.d.comb += shifted.eq(Mux(self.i.microexponent[pair],
                                   Cat(total[:-1], ~total[-1], total[-1]), Cat(fill, total)))
        return shifted, fill
