"""Proof of `hw.control.job_queue`."""

from amaranth import Array, Cat, Signal, Value

import hw.control.job_queue as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.config import JOBS_UNDER_WAY, Config
from hw.contract.job_codes import JobKind

CONFIG = Config.sized(rows=2, cols=2, k_max=16)

ENGINES = (set(JobKind), {JobKind.GEMM, JobKind.GEMM_PACKED}, {JobKind.CONVERT})
"""One that takes every job, one that takes some, one that takes few."""


class JobQueueHarness(Harness):
    """One arbitrary job is followed through every engine's view of the queue."""

    def prove(self, m):
        m.submodules.dut = dut = module.JobQueue(CONFIG, ENGINES)
        self.free_inputs(m, dut)
        width = len(Value.cast(dut.i.p))
        lefts = [self.look(f"dut.left_{index}", JOBS_UNDER_WAY.bit_length())
                 for index in range(len(ENGINES))]
        # A job ends when every engine is done with it; so none has more left than are under way.
        self.assume(m, ~dut.i.valid | Cat(left < JOBS_UNDER_WAY for left in lefts).all())
        end = self.look("dut.end", 2)
        jobs = Array(self.look(f"dut.job_{index}", width) for index in range(JOBS_UNDER_WAY))

        is_followed = Signal()
        followed = Signal(width)
        since = Signal(range(JOBS_UNDER_WAY + 1))  # jobs that were sent behind it
        with m.If(dut.i.valid & ~is_followed & self.free(1, "marks")):
            m.d.sync += [is_followed.eq(1), followed.eq(dut.i.p), since.eq(0)]
        with m.Elif(dut.i.valid & (since < JOBS_UNDER_WAY)):
            m.d.sync += since.eq(since + 1)
        place = Signal(2)
        m.d.comb += place.eq(end - 1 - since)
        self.check(m, "kept", ~is_followed | (since == JOBS_UNDER_WAY) | (jobs[place] == followed))
        self.check(m, "counted", since <= JOBS_UNDER_WAY)
        self.check(m, "always_ready", dut.i.ready)
        for index, (kinds, left) in enumerate(zip(ENGINES, lefts, strict=True)):
            self._read(m, index, kinds, left, end, dut.o[index],
                       is_followed & (left == since + 1), followed)

    def _read(self, m, index, kinds, left, end, output, is_head, followed):
        """Compare what an engine sees when the followed job is the oldest that it has left."""
        behind, passes = self.look(f"dut.behind_{index}", 2), self.look(f"dut.passes_{index}")
        takes = Signal(name=f"takes_{index}")
        next_behind = Signal(2, name=f"next_behind_{index}")
        m.d.comb += [takes.eq(Cat(output.p.kind == kind for kind in kinds).any()),
                     next_behind.eq(end - left + 1)]
        self.cover(m, f"follows_{index}", is_head & output.valid & output.ready)
        self.check(m, f"within_{index}", (left <= JOBS_UNDER_WAY) & (behind == next_behind))
        self.check(m, f"is_that_job_{index}", ~is_head | (Value.cast(output.p) == followed))
        self.check(m, f"offers_its_kinds_{index}", output.valid == ((left != 0) & takes))
        self.check(m, f"passes_when_taken_or_not_its_{index}",
                   passes == ((left != 0) & (~takes | output.ready)))


PROOFS = (Proof(
    name="job_queue", make=JobQueueHarness, depth=2, steps=8,
    says="Every engine is offered each job of its kinds once, in order and as it was sent; a job "
         "of another kind is passed over in a cycle; no engine waits for another.",
    assumes="A job is sent only while every engine has fewer than four left.",
    bounds="A 2x2 machine, three engines.",
    mutants=(Mutant(module.__name__, "init=1, name=f\"behind_{index}\"",
                    "init=0, name=f\"behind_{index}\""),
             Mutant(module.__name__, "with m.If(left == passes):", "with m.If(left == 0):"),
             Mutant(module.__name__, "(output.ready | ~wanted)", "output.ready"))),)
