"""Proof of `hw.streams.job_merge`."""

from amaranth import Mux, Signal, Value
from amaranth.lib import data

import hw.streams.job_merge as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.config import Config

CONFIG = Config.sized(rows=2, cols=2, k_max=16)

PAYLOAD = data.StructLayout({"number": 3, "last": 1})


class JobMergeHarness(Harness):
    """Jobs of any kinds: their bit 0 says whose payloads they have, bit 1 that they have none."""

    def prove(self, m):
        m.submodules.dut = dut = module.JobMerge(
            CONFIG, PAYLOAD, from_second=lambda job: Value.cast(job.kind)[0],
            passes_by=lambda job: Value.cast(job.kind)[1], ends=lambda payload: payload.last)
        self.free_inputs(m, dut)
        kind, o = Value.cast(dut.jobs.p.kind), dut.o
        has, leaves = Signal(), Signal()
        m.d.comb += [has.eq(dut.jobs.valid & ~kind[1]), leaves.eq(o.valid & o.ready)]
        for name, is_its in (("first", has & ~kind[0]), ("second", has & kind[0])):
            source = getattr(dut, name)
            self.cover(m, name, leaves & is_its & ~source.p.last)
            self.check(m, f"{name}_in_its_jobs", source.ready == (is_its & o.ready))
            self.check(m, f"{name}_as_it_is", ~is_its | (o.valid == source.valid)
                       & (~o.valid | (Value.cast(o.p) == Value.cast(source.p))))
        self.check(m, "only_of_a_job", ~o.valid | has)
        self.check(m, "a_job_goes_with_its_last", ~dut.jobs.valid
                   | (dut.jobs.ready == Mux(kind[1], 1, leaves & o.p.last)))


PROOFS = (Proof(
    name="job_merge", make=JobMergeHarness, depth=0, steps=1,
    says="Each job's payloads come from its stream, as they are, one for one, and none of the "
         "other's is taken; the job is taken with its last payload, or at once if it has none.",
    bounds="A 2x2 machine; payloads of four bits.",
    mutants=(Mutant(module.__name__, "may_go.eq(self.jobs.valid & ~is_none)",
                    "may_go.eq(self.jobs.valid)"),
             Mutant(module.__name__, "may_go & is_second & self.o.ready", "may_go & self.o.ready"),
             Mutant(module.__name__, "self.o.valid & self.o.ready & self.ends", "self.ends"))),)
