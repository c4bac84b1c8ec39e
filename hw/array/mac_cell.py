"""One output of the array: a dot product, an anchored accumulator and a result that shifts out."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract.block_bits import BASE_BITS
from hw.contract.operand_block import operand_layout

from .dot_product import DotProduct


class AlignedAddend(wiring.Component):
    """Shift a block product to the anchor and round it half up; combinational.

    ``addend + carry`` is floor(product * 2^fraction_bits / 2^shift + 1/2): the carry is the first
    bit that the shift drops, so the accumulator adds it for nothing.

    Parameters
    ----------
    product_width : int
        Of the signed block product: 15 bits in the machine.
    fraction_bits : int
        Bits kept below the unit of a block product at the anchor: F of the anchored accumulator.
    shift_width : int
        Width of ``shift``; any shift past the product's width gives zero.

    Members
    -------
    product : In(signed(product_width))
    shift : In(shift_width)
    addend : Out(signed(product_width + fraction_bits))
    carry : Out(1)
    """

    def __init__(self, *, product_width: int, fraction_bits: int, shift_width: int):
        self.fraction_bits = fraction_bits
        self.width = product_width + fraction_bits
        super().__init__({
            "product": In(signed(product_width)), "shift": In(shift_width),
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


def accumulate(m, cell, addend):
    """Add up addends; hand each sum over to a register that shifts out while the next one grows.

    Parameters
    ----------
    m : Module
        Gets the accumulator, the result register and their adder.
    cell : Component
        With ``first``, ``last``, ``result_in`` and ``result`` as `MACCell` has them, for the addend
        that stands here now. Its result is as wide as the sum, which must not overflow.
    addend : Value
        Signed, its lowest bit one place below the unit of the sum: a carry.
    """
    total = Signal.like(cell.result, reset_less=True)
    result = Signal.like(cell.result, reset_less=True)
    so_far = Signal.like(total)
    summed = Signal.like(total)
    m.d.comb += [
        so_far.eq(Mux(cell.first, 0, total)),
        # Adding at one bit below the unit makes the carry an operand bit: one adder, not two.
        summed.eq((Cat(1, so_far).as_signed() + addend) >> 1),
        cell.result.eq(result),
    ]
    m.d.sync += [total.eq(summed), result.eq(Mux(cell.last, summed, cell.result_in))]


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
        As in `hw.contract.config.Config`.
    cell_stages : int
        Pipeline registers before the accumulator: 1 behind the dot product; 2 also behind the
        shift to the anchor; 3 also inside the dot product.
    a_bits, b_bits : int
        Bits of the magnitudes: 4, as the machine has them, unless other cells are to be compared.

    Members
    -------
    a, b : In(operand_layout)
    first : In(1)
        The product now at the adder starts a new sum.
    last : In(1)
        It ends the sum: the result register takes it.
    result_in : In(signed(acc_width))
        What the result register takes in every other cycle.
    result : Out(signed(acc_width))

    Raises
    ------
    ValueError
        If ``cell_stages`` is not 0 to 3.
    """

    def __init__(self, *, acc_width: int, fraction_bits: int, drop_width: int, cell_stages: int,
                 a_bits: int = BASE_BITS, b_bits: int = BASE_BITS):
        if cell_stages not in range(len(DOT_STAGES)):
            raise ValueError(f"a cell has 0 to {len(DOT_STAGES) - 1} pipeline stages, not "
                             f"{cell_stages!r}")
        self.acc_width, self.fraction_bits = acc_width, fraction_bits
        self.drop_width, self.cell_stages = drop_width, cell_stages
        self.a_bits, self.b_bits = a_bits, b_bits
        self.latency = cell_stages + 1
        super().__init__({
            "a": In(operand_layout(drop_width, a_bits)),
            "b": In(operand_layout(drop_width, b_bits)),
            "first": In(1), "last": In(1),
            "result_in": In(signed(acc_width)), "result": Out(signed(acc_width)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.dot_product = dot_product = DotProduct(
            a_bits=self.a_bits, b_bits=self.b_bits, stages=DOT_STAGES[self.cell_stages])
        m.submodules.align = align = AlignedAddend(
            product_width=len(dot_product.d), fraction_bits=self.fraction_bits,
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
        accumulate(m, self, addend)
        return m
