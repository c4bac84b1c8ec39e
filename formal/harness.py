"""What every proof is built of: free inputs, looks into a module, assumptions and checks."""

from amaranth import ClockDomain, Module, Signal, Value
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring


class Harness:
    """A module under proof, whatever its inputs do.

    A subclass writes `prove`. A run begins with a cycle of reset, before which every register and
    memory holds anything; registers without a reset keep that. There is no other reset.

    Attributes
    ----------
    inputs : list of Signal
        Free in every cycle.
    looks : list of (Signal, str)
        What stands for a signal inside the module, and its path in the flattened netlist.
    cuts : list of str
        Paths of signals inside that are anything, whatever drives them.
    checks, covers : list of str
        Names of the properties, and of what must be seen to happen.
    clock : ClockDomain
    """

    def __init__(self):
        self.inputs, self.looks, self.cuts = [], [], []
        self.checks, self.covers = [], []
        self.clock = ClockDomain("sync")

    def build(self):
        """Return the harness as a module."""
        m = Module()
        m.domains += self.clock
        self.prove(m)
        return m

    def prove(self, m):
        """Add the module under proof, and what is assumed and checked of it."""
        raise NotImplementedError

    def free(self, shape, name):
        """Return an input that is anything in every cycle."""
        signal = Signal(shape, name=name)
        self.inputs.append(signal)
        return signal

    def free_constant(self, m, shape, name):
        """Return an input that is anything, and stays so through the run."""
        signal = self.free(shape, name)
        before, runs = Signal(shape, name=f"{name}_before"), Signal(name=f"{name}_runs")
        m.d.sync += [before.eq(signal), runs.eq(1)]
        self.assume(m, ~runs | (signal == before))
        return signal

    def free_inputs(self, m, component, but=()):
        """Connect free inputs to all inputs of a component except some members."""
        for path, member, value in component.signature.flatten(component):
            name = "__".join(map(str, path))
            if member.flow is wiring.In and name not in but:
                m.d.comb += Value.cast(value).eq(self.free(len(Value.cast(value)), name))

    def look(self, path, shape=1):
        """Return a signal that is one inside the module under proof."""
        signal = Signal(shape, name=f"look_{len(self.looks)}")
        self.looks.append((signal, path))
        return signal

    def cut(self, path, shape=1):
        """Cut a signal inside off from what drives it, and return it."""
        self.cuts.append(path)
        return self.look(path, shape)

    def assume(self, m, value):
        """Take for granted that something holds in every cycle."""
        m.d.comb += Assume(value)

    def check(self, m, name, value):
        """Have it proven that something holds in every cycle."""
        holds = Signal(name=f"holds_{name}", attrs={"keep": 1})
        m.d.comb += [holds.eq(value), Assert(holds)]
        self.checks.append(name)

    def cover(self, m, name, value):
        """Have it shown that something can happen, so that no check is empty talk."""
        m.d.comb += Signal(name=f"seen_{name}", attrs={"keep": 1}).eq(value)
        self.covers.append(name)

    def offers_stay(self, m, stream, name):
        """Assume that what a source offers stays until it is taken."""
        waits = Signal(name=f"{name}_waits")
        before = Signal(len(Value.cast(stream.p)), name=f"{name}_before")
        m.d.sync += [waits.eq(stream.valid & ~stream.ready), before.eq(stream.p)]
        self.assume(m, ~waits | (stream.valid & (Value.cast(stream.p) == before)))
