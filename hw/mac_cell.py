"""One output of the array: a dot product, an anchored accumulator and a result that shifts out."""

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, PAIRS

from .config import PRODUCT_BITS
from .dot_product import DotProduct
from .layouts import BASE_BITS


def operand_layout(drop_width):
    """Describe what one beat needs of one block.

    Parameters
    ----------
    drop_width : int
        Width of ``drop``: binades by which this operand lies below its anchor.
    """
    return data.StructLayout({
        "sign": unsigned(BLOCK_SIZE),
        "magnitude": data.ArrayLayout(BASE_BITS, BLOCK_SIZE),
        "microexponent": unsigned(PAIRS),
        "drop": unsigned(drop_width),
    })


class AlignedAddend(wiring.Component):
    """Shift a block product to the anchor and round it half up; combinational.

    ``addend + carry`` is floor(product * 2^fraction_bits / 2^shift + 1/2): the carry is the first
    bit that the shift drops, so the accumulator adds it for nothing.

    Parameters
    ----------
    fraction_bits : int
        F of the anchored accumulator.
    shift_width : int
        Width of ``shift``; any shift past the product's width gives zero.

    Members
    -------
    product : In(signed(15))
    shift : In(shift_width)
    addend : Out(signed(15 + fraction_bits))
    carry : Out(1)
    """

    def __init__(self, *, fraction_bits, shift_width):
        self.fraction_bits = fraction_bits
        self.width = PRODUCT_BITS + fraction_bits
        super().__init__({
            "product": In(signed(PRODUCT_BITS)), "shift": In(shift_width),
            "addend": Out(signed(self.width)), "carry": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        exact = Signal(signed(self.width + 1))  # one bit more at the bottom, for the carry
        m.d.comb += exact[self.fraction_bits + 1:].eq(self.product)
        shifted = Signal(signed(self.width + 1))
        m.d.comb += shifted.eq(exact >> self.shift)
        m.d.comb += [self.carry.eq(shifted[0]), self.addend.eq(shifted[1:].as_signed())]
        return m


DOT_STAGES = (0, 1, 1, 2)
"""Pipeline registers inside the dot product, by those of the cell."""


class MACCell(wiring.Component):
    """Multiply two blocks a beat and accumulate, output-stationary.

    Cycle 0: operands at ``a`` and ``b``. Cycle `latency` - 1: the product meets ``first`` and
    ``last`` at the adder. Cycle `latency`: the accumulator, and after ``last`` the result, hold the
    sum. One beat per cycle; never stalls. There is no enable: a cycle without a beat multiplies by
    zero magnitudes, with ``first`` and ``last`` low.

    Parameters
    ----------
    acc_width, fraction_bits, drop_width : int
        As in `hw.config.Config`.
    cell_stages : int
        Pipeline registers before the accumulator: 1 behind the dot product; 2 also behind the
        shift to the anchor; 3 also inside the dot product.

    Members
    -------
    a, b : In(operand_layout(drop_width))
    first : In(1)
        The product now at the adder starts a new sum.
    last : In(1)
        It ends the sum: the result register takes it.
    result_in : In(signed(acc_width))
        What the result register takes in every other cycle.
    result : Out(signed(acc_width))
    """

    def __init__(self, *, acc_width, fraction_bits, drop_width, cell_stages):
        self.acc_width, self.fraction_bits = acc_width, fraction_bits
        self.drop_width, self.cell_stages = drop_width, cell_stages
        self.latency = cell_stages + 1
        operand = operand_layout(drop_width)
        super().__init__({
            "a": In(operand), "b": In(operand), "first": In(1), "last": In(1),
            "result_in": In(signed(acc_width)), "result": Out(signed(acc_width)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.dot_product = dot_product = DotProduct(
            stages=DOT_STAGES[self.cell_stages])
        m.submodules.align = align = AlignedAddend(fraction_bits=self.fraction_bits,
                                                   shift_width=self.drop_width)
        for port, operand in ((dot_product.a, self.a), (dot_product.b, self.b)):
            m.d.comb += [port.sign.eq(operand.sign), port.magnitude.eq(operand.magnitude),
                         port.microexponent.eq(operand.microexponent)]
        drops = Signal(self.drop_width + 1)
        shift = Signal(self.drop_width, name="shift")
        m.d.comb += [
            drops.eq(self.a.drop + self.b.drop),
            # The largest drop already rounds all away, and so does any sum that carries.
            shift.eq(drops[:-1] | drops[-1].replicate(self.drop_width)),
        ]
        for stage in range(dot_product.latency):
            delayed = Signal(self.drop_width, name=f"shift_{stage + 1}", reset_less=True)
            m.d.sync += delayed.eq(shift)
            shift = delayed
        m.d.comb += [align.product.eq(dot_product.d), align.shift.eq(shift)]
        addend = Cat(align.carry, align.addend).as_signed()
        if self.cell_stages > dot_product.latency:
            aligned = Signal(addend.shape(), reset_less=True)
            m.d.sync += aligned.eq(addend)
            addend = aligned

        total = Signal(signed(self.acc_width), reset_less=True)
        result = Signal(signed(self.acc_width), reset_less=True)
        so_far, summed = Signal.like(total), Signal.like(total)
        m.d.comb += [
            so_far.eq(Mux(self.first, 0, total)),
            # Adding at one bit below the unit makes the carry an operand bit: one adder, not two.
            summed.eq((Cat(1, so_far).as_signed() + addend) >> 1),
            self.result.eq(result),
        ]
        m.d.sync += [total.eq(summed), result.eq(Mux(self.last, summed, self.result_in))]
        return m
