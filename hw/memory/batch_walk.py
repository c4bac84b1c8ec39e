"""Walks through both batch levels of a command."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .axi4 import advance, reach
from .descriptor import ADDRESS_BITS, PLAIN


class BatchWalk(wiring.Component):
    """Give the addresses of each iteration, level 0 inside level 1.

    Where a round of level 0 begins stands in the command itself, and changes there.

    Parameters
    ----------
    address_bits : int
        Of addresses inside.
    descriptor : Descriptor

    Members
    -------
    bits : In(descriptor.bits)
        The command, from `begins` until its last iteration has moved.
    begins : In(1)
        The walk through the command begins in the next cycle.
    moves : In(1)
        The iteration is done.
    a, b, c, … : Out(address_bits)
        Of this iteration.
    renews : Out(1), a_after, b_after, … : Out(address_bits)
        With the last iteration of a round: where the next one begins, which `bits` have to say
        from the next cycle on.
    is_first, is_last : Out(1)
        Iteration of its command.
    """

    def __init__(self, *, address_bits, descriptor=PLAIN):
        self.address_bits, self.descriptor = address_bits, descriptor
        super().__init__({
            "bits": In(descriptor.bits), "begins": In(1), "moves": In(1),
            **{name: Out(address_bits) for name in descriptor.stepped},
            **{f"{name}_after": Out(address_bits) for name in descriptor.stepped},
            "renews": Out(1),
            "is_first": Out(1), "is_last": Out(1)})

    def elaborate(self, platform):
        m = Module()
        command = Signal(self.descriptor.layout)
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
        m.d.comb += self.renews.eq(self.moves & (inner == 1))
        for name in self.descriptor.stepped:
            here, after = getattr(self, name), getattr(self, f"{name}_after")
            first = self._first(m, name, command[name], after)
            m.d.comb += after.eq(advance(
                Mux(inner == 1, first, here),
                Mux(inner == 1, command[f"{name}_step_1"], command[f"{name}_step_0"])))
            with m.If(self.begins):
                m.d.sync += here.eq(first)
            with m.Elif(self.moves):
                m.d.sync += here.eq(after)
        return m

    def _first(self, m, name, address, after):
        """Give where this round of level 0 begins, with its reach.

        The command has no place for that of an address of 64 bits, so it is kept here.
        """
        first = reach(address, self.address_bits - 1)
        if self.address_bits <= ADDRESS_BITS:
            return first
        is_beyond = Signal(name=f"{name}_is_beyond")
        with m.If(self.begins):
            m.d.sync += is_beyond.eq(0)
        with m.Elif(self.renews):
            m.d.sync += is_beyond.eq(after[-1])
        return Cat(first[:-1], is_beyond & ~self.begins)
