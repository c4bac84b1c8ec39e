"""Units that are synthesized in a second: an adder, two of them, a memory."""

from amaranth import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.parts.sram import Sram
from perf.rtl.ppa.unit import Unit


class Adder(wiring.Component):
    """A registered sum, small enough to be synthesized in a second."""

    a: In(signed(8))
    b: In(signed(8))
    o: Out(signed(9))

    def elaborate(self, platform):
        m = Module()
        total = Signal(signed(9), reset_less=True)
        m.d.sync += total.eq(self.a + self.b)
        m.d.comb += self.o.eq(total)
        return m


ADDER_UNIT = Unit("adder", Adder, 2, 4)


def with_memory() -> wiring.Component:
    """Make a component that is a memory."""
    class Wrapped(wiring.Component):
        address: In(6)
        value: In(32)
        o: Out(32)

        def elaborate(self, platform):
            m = Module()
            m.submodules.memory = memory = Sram(width=32, depth=64)
            m.d.comb += [
                memory.write_en.eq(1), memory.write_addr.eq(self.address),
                memory.write_data.eq(self.value), memory.read_en.eq(1),
                memory.read_addr.eq(self.address), self.o.eq(memory.read_data)]
            return m
    return Wrapped()


class TwoAdders(wiring.Component):
    """An adder, a second behind it, and a memory in a module beside them."""

    a: In(signed(8))
    b: In(signed(8))
    o: Out(signed(9))
    word: Out(32)

    def elaborate(self, platform):
        m = Module()
        m.submodules.first, m.submodules.second = first, second = Adder(), Adder()
        m.submodules.beside = beside = with_memory()
        m.d.comb += [first.a.eq(self.a), first.b.eq(self.b), second.a.eq(first.o),
                     second.b.eq(self.b), self.o.eq(second.o), self.word.eq(beside.o),
                     beside.address.eq(self.a), beside.value.eq(second.o)]
        return m
