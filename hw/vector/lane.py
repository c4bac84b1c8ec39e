"""One lane of the pipe that docs/vector.md describes: a number a cycle through all stages."""

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from golden.memory.jobs import Function
from hw.contract.factor import Factor
from hw.contract.named import Named
from hw.floats.fp32_adder import FP32Adder

from .functions import Functions, check_functions, latency_of
from .product import Product

Addend = data.StructLayout({"value": FP32.width, "enable": 1, "subtracts": 1})
"""Of the first stage: a bias, or an offset, which is subtracted."""

Residual = data.StructLayout({"value": FP32.width, "enable": 1})


def _stages(functions, is_full):
    """List the operands of a lane, their shapes, and the cycles of the stages that take them."""
    stages = [("addend", Addend, FP32Adder.latency)]
    if is_full:
        stages.append(("row_factor", Factor, Product.latency))
    if functions:
        stages.append(("chosen", Named(Function), latency_of(functions)))
    if is_full:
        stages += [("channel_factor", Factor, Product.latency),
                   ("residual", Residual, FP32Adder.latency)]
    return [*stages, ("is_valid", 1, 0)]


def schedule(functions, *, is_full=True):
    """Say in which cycle after its number a lane takes each operand; the last one as it leaves.

    Parameters
    ----------
    functions, is_full
        As in `Lane`.

    Returns
    -------
    dict of str to int
    """
    taken_at, cycle = {}, 0
    for name, _, latency in _stages(functions, is_full):
        taken_at[name] = cycle
        cycle += latency
    return taken_at


class Lane(wiring.Component):
    """Take numbers through the stages of `golden.vector.pipe`.

    A stage that is not enabled changes no bit, except that subnormals become the zeros of their
    signs and NaNs 0x7FC00000. Latency `latency` cycles whatever is enabled (16 of a full lane with
    all functions, 6 of a narrow one with exp2); a number each cycle; never stalls.

    Each operand is taken when the number comes to its stage, so that none waits in the lane:
    `taken_at` cycles after ``i``. What operands come from is the same for many lanes.

    Parameters
    ----------
    functions : tuple of str
        What is built in, of "exp2", "gelu" and "silu"; none by default.
    is_full : bool
        Both products and the second sum are there, else only the first sum, the function and the
        mask.

    Members
    -------
    i : In(32)
        FP32 pattern.
    addend : In(Addend)
        FP32; with ``subtracts`` the number less it.
    row_factor : In(Factor)
        V24, see `V24Rounder`. In a full lane only.
    chosen : In(Named(Function))
        If there are functions.
    channel_factor : In(Factor)
        V24; not enabled with GELU and SiLU, which take its multiplier. In a full lane only.
    residual : In(Residual)
        FP32. In a full lane only.
    is_valid : In(1)
        Else the result is +0, and not saturated.
    o : Out(32)
        FP32 pattern of the number given `latency` cycles ago.
    saturated : Out(1)
        exp2 was beyond its limit.

    Attributes
    ----------
    taken_at : dict of str to int
        By the operand's name.

    Raises
    ------
    ValueError
        If a function does not exist, or needs a product that a narrow lane lacks.
    """

    def __init__(self, *, functions: tuple[str, ...] = (), is_full: bool = True):
        self.functions = check_functions(functions) if functions else ()
        self.is_full = is_full
        if not is_full and set(self.functions) - {"exp2"}:
            raise ValueError("a narrow lane has no product, so of all functions it can have exp2 "
                             f"alone, not {', '.join(self.functions)}")
        stages = _stages(self.functions, is_full)
        self.taken_at = schedule(self.functions, is_full=is_full)
        self.latency = self.taken_at["is_valid"]
        super().__init__({"i": In(FP32.width), "o": Out(FP32.width), "saturated": Out(1),
                          **{name: In(shape) for name, shape, _ in stages}})

    def elaborate(self, platform):
        m = Module()
        m.submodules.addition = addition = FP32Adder()
        # A difference is a sum with the other sign, also of zeros.
        m.d.comb += [
            addition.a.eq(self.i), addition.enable.eq(self.addend.enable),
            addition.b.eq(self.addend.value ^ (self.addend.subtracts << FP32.width - 1))]
        number, saturated, factor = addition.o, Const(0, 1), None
        if self.is_full:
            number = self._multiply(m, "row_product", number, self.row_factor)
            factor = self.channel_factor
        if self.functions:
            m.submodules.functions = functions = Functions(self.functions)
            m.d.comb += [functions.i.eq(number), functions.chosen.eq(self.chosen)]
            number, saturated = functions.o, functions.saturated
            if functions.gates:
                factor = Signal(Factor)
                m.d.comb += [
                    factor.value.eq(Mux(functions.uses_gate, functions.gate,
                                        self.channel_factor.value)),
                    factor.enable.eq(functions.uses_gate | self.channel_factor.enable)]
        if self.is_full:
            number = self._multiply(m, "channel_product", number, factor)
            m.submodules.second_addition = addition = FP32Adder()
            m.d.comb += [addition.a.eq(number), addition.b.eq(self.residual.value),
                         addition.enable.eq(self.residual.enable)]
            number = addition.o
            for cycle in range(Product.latency + FP32Adder.latency):
                held = Signal(name=f"saturated_{cycle}", reset_less=True)
                m.d.sync += held.eq(saturated)
                saturated = held
        m.d.comb += [self.o.eq(Mux(self.is_valid, number, 0)),
                     self.saturated.eq(saturated & self.is_valid)]
        return m

    def _multiply(self, m, name, number, factor):
        """Multiply by a factor where it is enabled."""
        m.submodules[name] = product = Product()
        m.d.comb += [product.a.eq(number), product.b.eq(factor.value),
                     product.enable.eq(factor.enable)]
        return product.o
