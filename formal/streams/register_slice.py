"""Proof of `hw.streams.register_slice`."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

import hw.streams.register_slice as module
from formal.proof import Mutant, Proof
from formal.streams.stream import SAYS, WIDTH, QueueHarness
from formal.streams.stream_buffer import keeps_offer


class Slice(wiring.Component):
    """A register slice with ports of its own."""

    i: In(stream.Signature(WIDTH))
    o: Out(stream.Signature(WIDTH))

    def elaborate(self, platform):
        m = Module()
        module.register_slice(m, self.i, self.o, self.i.payload)
        return m


class RegisterSliceHarness(QueueHarness):
    """One payload at most, in one register."""

    def __init__(self):
        super().__init__(Slice(), capacity=1)

    def strengthen(self, m):
        is_held, held = self.look("dut.is_held"), self.look("dut.held", WIDTH)
        keeps_offer(self, m, is_held, held)
        self.check(m, "counted", self.inside == is_held)
        self.check(m, "kept", ~self.is_followed
                   | ((self.ahead == 0) & is_held & (held == self.followed)))


PROOFS = (Proof(
    name="register_slice", make=RegisterSliceHarness, depth=2, says=SAYS,
    mutants=(Mutant(module.__name__, "i.ready.eq(~is_held | o.ready), o.valid",
                    "i.ready.eq(1), o.valid"),
             Mutant(module.__name__, "is_held.eq(i.valid)", "is_held.eq(1)"))),)
