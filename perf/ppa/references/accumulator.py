"""What follows the dot product in every reference with an integer sum."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Accumulator(wiring.Component):
    """Add up addends; hand each sum over to a register that shifts out while the next one grows.

    One addend a cycle, never stalls: what does not count comes as zero. The sum that ends with an
    addend stands in ``result`` one cycle later.

    Parameters
    ----------
    width : int
        Bits of the sum, which must not overflow.
    addend_width : int

    Members
    -------
    addend : In(signed(addend_width))
    carry : In(1)
        Counts one.
    first : In(1)
        The addend starts a new sum.
    last : In(1)
        It ends the sum: the result register takes it, and ``result_in`` in all other cycles.
    result_in : In(signed(width))
    result : Out(signed(width))
    """

    def __init__(self, *, width: int, addend_width: int):
        self.width, self.addend_width = width, addend_width
        super().__init__({
            "addend": In(signed(addend_width)), "carry": In(1), "first": In(1), "last": In(1),
            "result_in": In(signed(width)), "result": Out(signed(width)),
        })

    def elaborate(self, platform):
        m = Module()
        total = Signal(signed(self.width), reset_less=True)
        summed = Signal(signed(self.width))
        so_far = Mux(self.first, 0, total).as_signed()
        # Adding at one bit below the unit makes the carry an operand bit: one adder, not two.
        m.d.comb += summed.eq(
            (Cat(1, so_far).as_signed() + Cat(self.carry, self.addend).as_signed()) >> 1)
        result = Signal(signed(self.width), reset_less=True)
        m.d.sync += [total.eq(summed), result.eq(Mux(self.last, summed, self.result_in))]
        m.d.comb += self.result.eq(result)
        return m


class AnchoredAccumulator(wiring.Component):
    """Shift block products to the anchor, round half up, add up: as `hw.mac_cell`, in any width.

    Timing as `Accumulator`.

    Parameters
    ----------
    product_width : int
        Bits of the signed block product.
    fraction_bits : int
        Bits kept below the unit of a block product at the anchor.
    shift_width, width : int
        Of ``shift`` and of the sum.

    Members
    -------
    product : In(signed(product_width))
    shift : In(shift_width)
        Binades by which the product lies below the anchor; past its width it gives zero.
    first, last, result_in, result
        As in `Accumulator`.
    """

    def __init__(self, *, product_width: int, fraction_bits: int, shift_width: int, width: int):
        self.product_width, self.fraction_bits = product_width, fraction_bits
        self.shift_width, self.width = shift_width, width
        super().__init__({
            "product": In(signed(product_width)), "shift": In(shift_width), "first": In(1),
            "last": In(1), "result_in": In(signed(width)), "result": Out(signed(width)),
        })

    def elaborate(self, platform):
        m = Module()
        addend_width = self.product_width + self.fraction_bits
        m.submodules.accumulator = accumulator = Accumulator(
            width=self.width, addend_width=addend_width)
        shifted = Signal(signed(addend_width + 1))  # the lowest bit rounds
        m.d.comb += [
            shifted.eq(Cat(*[0] * (self.fraction_bits + 1), self.product).as_signed()
                       >> self.shift),
            accumulator.addend.eq(shifted[1:]), accumulator.carry.eq(shifted[0]),
            accumulator.first.eq(self.first), accumulator.last.eq(self.last),
            accumulator.result_in.eq(self.result_in), self.result.eq(accumulator.result),
        ]
        return m
