"""The function of the pipe: exp2 of a number, or the gate that it is to be multiplied by."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from golden.memory.jobs import Function
from golden.vector.formats import V24
from golden.vector.tables import EXP2
from hw.contract.named import Named
from hw.floats.fp32_adder import Pattern

from . import exponential, gate
from .fixed import largest_exponent, to_fixed
from .interpolation import Interpolation, Shared

TABLES = {"exp2": EXP2, **gate.TABLES}
"""Every function's table, by its name in `golden.vector.pipe`."""


Side = data.StructLayout({
    "number": FP32.width, "takes_value": 1, "saturated": 1, "uses_gate": 1})
"""What travels beside the table: with `takes_value` the number's mantissa is to be its value."""


def check_functions(functions):
    """Return functions in the order of their codes.

    Raises
    ------
    ValueError
        If there is none, or one that does not exist.
    """
    unknown = sorted(set(functions) - set(TABLES))
    if unknown or not functions:
        raise ValueError(f"functions must be some of {', '.join(TABLES)}, not "
                         f"{', '.join(map(repr, unknown)) or 'none'}")
    return tuple(name for name in TABLES if name in functions)


def latency_of(functions):
    """Return the cycles that some functions take together."""
    table = Shared.of(tuple(TABLES[name] for name in functions))
    return 2 + table.latency + any(name in gate.TABLES for name in functions)


class Functions(wiring.Component):
    """Look up exp2, or the gate of GELU or SiLU, of a number.

    All share the circuit that makes a number an integer, and the interpolation.

    Latency `latency` cycles: 2 with exp2 alone, else 4; a number each cycle; never stalls.

    Parameters
    ----------
    functions : tuple of str
        What is built in, of "exp2", "gelu" and "silu".

    Members
    -------
    i : In(32)
        FP32 pattern, no subnormal, every NaN 0x7FC00000: what an adder or a product hands out.
    chosen : In(Named(Function))
        What is not built in counts as none.
    o : Out(32)
        exp2 of ``i``; the number itself where the function is another one, or none.
    gate : Out(24)
        V24 pattern: the gate of GELU or SiLU of ``i``. That of a NaN means nothing; it is there
        only where gates are built in.
    uses_gate : Out(1)
        The function is GELU or SiLU. Likewise.
    saturated : Out(1)
        exp2 is beyond its limit.

    Raises
    ------
    ValueError
        If there is no function, or one that does not exist.
    """

    def __init__(self, functions: tuple[str, ...]):
        self.functions = check_functions(functions)
        self.has_exp2 = "exp2" in self.functions
        self.gates = tuple(name for name in self.functions if name in gate.TABLES)
        self.latency = latency_of(self.functions)
        members = {"i": In(FP32.width), "chosen": In(Named(Function)), "o": Out(FP32.width),
                   "saturated": Out(1)}
        if self.gates:
            members |= {"gate": Out(V24.width), "uses_gate": Out(1)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = Interpolation(
            tuple(TABLES[name] for name in self.functions))
        # Cycle 1: the number as an integer.
        units, overflows = self._to_argument(m)
        number, argument = (Signal(len(value), name=name, reset_less=True) for value, name in (
            (self.i, "number_1"), (units, "argument_1")))
        function, is_over = (Signal(Named(Function), name="function_1", reset_less=True),
                             Signal(reset_less=True))
        m.d.sync += [number.eq(self.i), argument.eq(units), is_over.eq(overflows),
                     function.eq(self.chosen)]

        # Cycle 2: the table; beside it what exp2 is without the table's value.
        m.d.comb += table.argument.eq(argument)
        for index, name in enumerate(self.functions):
            with m.If(function == Function[name.upper()]):
                m.d.comb += table.which.eq(index)
        side = Signal(Side)
        m.d.comb += [side.number.eq(number), side.uses_gate.eq(self._is(function, self.gates))]
        if self.has_exp2:
            power = exponential.power_of_two(m, argument[exponential.PLACE:], number, is_over)
            with m.If(function == Function.EXP2):
                m.d.comb += [side.takes_value.eq(power.takes_value),
                             side.saturated.eq(power.saturated)]
                with m.If(~power.stays):
                    m.d.comb += side.number.eq(power.number)

        # Cycle 3, with gates: the table's second half.
        value = table.o
        if self.gates:
            for cycle in range(2, self.latency):
                held = Signal(Side, name=f"side_{cycle}", reset_less=True)
                m.d.sync += held.eq(side)
                side = held
            held = Signal(len(value), name="value_3", reset_less=True)
            m.d.sync += held.eq(value)
            value = held

        # The last cycle: the table's value becomes a number, or a gate.
        number = Signal(FP32.width, name="number_o", reset_less=True)
        flags = Signal(2, reset_less=True)
        filled = exponential.with_value(side.number, value, table.result_bits) \
            if self.has_exp2 else side.number
        m.d.sync += [number.eq(Mux(side.takes_value, filled, side.number)),
                     flags.eq(Cat(side.saturated, side.uses_gate))]
        m.d.comb += [self.o.eq(number), self.saturated.eq(flags[0])]
        if self.gates:
            factor = Signal(V24.width, reset_less=True)
            m.d.sync += factor.eq(gate.gate_of(m, value, side.number[-1]))
            m.d.comb += [self.gate.eq(factor), self.uses_gate.eq(flags[1])]
        return m

    def _is(self, function, names):
        """Tell whether a function is one of some."""
        return Cat(Const(0, 1), *(function == Function[name.upper()] for name in names)).any()

    def _to_argument(self, m):
        """Return the number in units of its function's table, and whether exp2's is too large."""
        x = data.View(Pattern, self.i)
        is_exp2 = self._is(self.chosen, ("exp2",) * self.has_exp2)
        width = exponential.ARGUMENT_WIDTH if self.has_exp2 else max(
            TABLES[name].argument_bits for name in self.gates)
        significand, largest = Cat(x.mantissa, Const(1, 1)), exponential.LARGEST_EXPONENT
        if self.gates:
            rounded = gate.rounded_significand(m, self.i)
            significand = Mux(is_exp2, significand, rounded)
            largest = Mux(is_exp2, largest, largest_exponent(gate.PLACE, width))
        units, overflows = to_fixed(
            m, significand, x.exponent, largest=largest, width=width,
            is_negative=x.sign & is_exp2, name="argument")
        ends = [self._is(self.chosen, (name,))
                & gate.is_at_the_end(name, x.exponent, rounded[-1]) for name in self.gates]
        return units | Cat(Const(0, 1), *ends).any().replicate(len(units)), overflows
