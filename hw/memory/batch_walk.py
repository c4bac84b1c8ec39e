"""Walks through both batch levels of a command."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .axi4 import advance, reach
from .descriptor import DESCRIPTOR, FIELD_BITS

OPERANDS = ("a", "b", "c", "bias")
"""That have steps."""


class BatchWalk(wiring.Component):
    """Give the addresses of each iteration, level 0 inside level 1.

    Parameters
    ----------
    address_bits : int
        Of addresses inside.

    Members
    -------
    bits : In(FIELD_BITS)
        The command, from `begins` until its last iteration has moved.
    begins : In(1)
        The walk through the command begins in the next cycle.
    moves : In(1)
        The iteration is done.
    a, b, c, bias : Out(address_bits)
        Of this iteration.
    is_first, is_last : Out(1)
        Iteration of its command.
    """

    def __init__(self, *, address_bits):
        self.address_bits = address_bits
        super().__init__({
            "bits": In(FIELD_BITS), "begins": In(1), "moves": In(1),
            **{name: Out(address_bits) for name in OPERANDS},
            "is_first": Out(1), "is_last": Out(1)})

    def elaborate(self, platform):
        m = Module()
        command = Signal(DESCRIPTOR)
        inner, outer = (Signal(16, name=name, reset_less=True) for name in ("inner", "outer"))
        # Iterations that are left of each level, this one included.
        m.d.comb += [
            command.as_value().eq(self.bits), self.is_last.eq((inner == 1) & (outer == 1))]
        with m.If(self.begins):
            m.d.sync += [self.is_first.eq(1), inner.eq(command.count_0), outer.eq(command.count_1)]
        with m.Elif(self.moves):
            m.d.sync += [self.is_first.eq(0), inner.eq(inner - 1)]
            with m.If(inner == 1):
                m.d.sync += [inner.eq(command.count_0), outer.eq(outer - 1)]
        for name in OPERANDS:
            here, first = getattr(self, name), Signal(
                self.address_bits, name=f"{name}_first", reset_less=True)  # of this round
            begin = reach(command[name], self.address_bits - 1)
            after = advance(
                Mux(inner == 1, first, here),
                Mux(inner == 1, command[f"{name}_step_1"], command[f"{name}_step_0"]))
            with m.If(self.begins):
                m.d.sync += [here.eq(begin), first.eq(begin)]
            with m.Elif(self.moves):
                m.d.sync += here.eq(after)
                with m.If(inner == 1):
                    m.d.sync += first.eq(after)
        return m
