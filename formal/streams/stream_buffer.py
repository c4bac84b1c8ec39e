"""Proof of `hw.streams.stream_buffer`."""

import hw.streams.stream_buffer as module
from formal.proof import Mutant, Proof
from formal.streams.stream import SAYS, WIDTH, QueueHarness


class StreamBufferHarness(QueueHarness):
    """Two payloads at most: what is offered, and one behind it."""

    def __init__(self):
        super().__init__(module.StreamBuffer(WIDTH), capacity=2)

    def strengthen(self, m):
        is_offered, is_behind = self.look("dut.is_offered"), self.look("dut.is_behind")
        offered, behind = self.look("dut.offered", WIDTH), self.look("dut.behind", WIDTH)
        keeps_offer(self, m, is_offered, offered)
        self.check(m, "counted", self.inside == is_offered + is_behind)
        self.check(m, "ready_and_valid_are_registers",
                   (self.component.i.ready == ~is_behind)
                   & (self.component.o.valid == is_offered))
        self.check(m, "offered_first", ~is_behind | is_offered)
        self.check(m, "behind_all_inside", ~self.is_followed | (self.ahead < self.inside))
        self.check(m, "kept_offered", ~(self.is_followed & (self.ahead == 0))
                   | (offered == self.followed))
        self.check(m, "kept_behind", ~(self.is_followed & (self.ahead == 1))
                   | (behind == self.followed))


def keeps_offer(harness, m, is_offered, offered):
    """Add that a stalled offer is the one that stands in the register at ``o``."""
    harness.check(m, "stall_is_held", ~harness.stalled
                  | (is_offered & (offered == harness.offered)))


PROOFS = (Proof(
    name="stream_buffer", make=StreamBufferHarness, depth=2, says=SAYS,
    mutants=(
        Mutant(module.__name__, "with m.If(self.i.valid & ~is_behind):",
               "with m.If(self.i.valid):"),
        Mutant(module.__name__, "is_offered.eq(is_behind | self.i.valid & self.i.ready)",
               "is_offered.eq(self.i.valid & self.i.ready)"))),)
