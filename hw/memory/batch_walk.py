"""Walks through both batch levels of a command."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .axi4 import advance, reach
from .descriptor import DESCRIPTOR, DESCRIPTOR_BITS

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
    bits : In(DESCRIPTOR_BITS)
        The command, from before its first iteration until its last has moved.
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
            "bits": In(DESCRIPTOR_BITS), "moves": In(1),
            **{name: Out(address_bits) for name in OPERANDS},
            "is_first": Out(1), "is_last": Out(1)})

    def elaborate(self, platform):
        m = Module()
        command = Signal(DESCRIPTOR)
        inner_left, outer_left = (Signal(16, name=name, reset_less=True)
                                  for name in ("inner_left", "outer_left"))
        inner, outer = Signal(16), Signal(16)  # iterations of each level, this one included
        begun = Signal()
        m.d.comb += [
            command.as_value().eq(self.bits), self.is_first.eq(~begun),
            inner.eq(Mux(begun, inner_left, command.count_0)),
            outer.eq(Mux(begun, outer_left, command.count_1)),
            self.is_last.eq((inner == 1) & (outer == 1))]
        with m.If(self.moves):
            m.d.sync += [begun.eq(~self.is_last), outer_left.eq(outer), inner_left.eq(inner - 1)]
            with m.If(inner == 1):
                m.d.sync += [inner_left.eq(command.count_0), outer_left.eq(outer - 1)]
        for name in OPERANDS:
            here, first = (Signal(self.address_bits, name=f"{name}_{end}", reset_less=True)
                           for end in ("here", "first"))  # first: of this round of level 0
            address, round_first = getattr(self, name), Signal.like(first, name=f"{name}_round")
            begin = reach(command[name], self.address_bits - 1)
            m.d.comb += [address.eq(Mux(begun, here, begin)),
                         round_first.eq(Mux(begun, first, begin))]
            with m.If(self.moves):
                m.d.sync += [here.eq(advance(address, command[f"{name}_step_0"])),
                             first.eq(round_first)]
                with m.If(inner == 1):
                    after = advance(round_first, command[f"{name}_step_1"])
                    m.d.sync += [here.eq(after), first.eq(after)]
        return m
