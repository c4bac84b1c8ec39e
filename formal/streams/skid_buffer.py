"""Proof of `hw.streams.skid_buffer`."""

import hw.streams.skid_buffer as module
from formal.proof import Mutant, Proof
from formal.streams.stream import SAYS, WIDTH, QueueHarness


class SkidBufferHarness(QueueHarness):
    """A payload aside is the one that is followed."""

    def __init__(self):
        super().__init__(module.SkidBuffer(WIDTH), capacity=1, needs_stable_input=True)

    def strengthen(self, m):
        is_aside, aside = self.look("dut.is_aside"), self.look("dut.aside", WIDTH)
        self.check(m, "counted", self.inside == is_aside)
        self.check(m, "ready_is_a_register", self.component.i.ready == ~is_aside)
        self.check(m, "kept", ~self.is_followed
                   | ((self.ahead == 0) & is_aside & (aside == self.followed)))


PROOFS = (Proof(
    name="skid_buffer", make=SkidBufferHarness, depth=2,
    says=SAYS,
    assumes="What i offers stays until it is taken.",
    mutants=(Mutant(module.__name__, "with m.If(self.i.valid & ~is_aside):",
                    "with m.If(self.i.valid):"),)),)
