"""Proof of `hw.results.result_stream`."""

from amaranth import Mux, Signal, Value

import hw.results.result_stream as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Output

CONFIG = Config.sized(rows=2, cols=2, k_max=16, act_bytes=4, tile_slots=2)

SOURCES = ("floats", "blocks", "conversions")


class ResultStreamHarness(Harness):
    """Three engines, which may be jobs ahead of each other, and jobs of any kinds."""

    def prove(self, m):
        m.submodules.dut = dut = module.ResultStream(CONFIG)
        self.free_inputs(m, dut)
        job, o = dut.jobs.p, dut.o
        whose = Mux((job.kind == JobKind.CONVERT) | (job.kind == JobKind.CONVERT_TRANSPOSED), 2,
                    (job.output == Output.MX6) | (job.output == Output.MX9))
        leaves, ends, was_end = Signal(), Signal(), Signal()
        m.d.comb += leaves.eq(o.valid & o.ready)
        last = Signal()
        for index, name in enumerate(SOURCES):
            source, is_its = getattr(dut, name), dut.jobs.valid & (whose == index)
            with m.If(is_its):
                m.d.comb += last.eq(source.p.last & source.p.job_last)
            self.check(m, f"{name}_in_its_jobs", source.ready == (is_its & o.ready))
            self.check(m, f"{name}_as_it_is", ~is_its | (o.valid == source.valid) & (
                ~o.valid | (Value.cast(o.p) == Value.cast(source.p)[:len(Value.cast(o.p))])))
        m.d.comb += ends.eq(leaves & last)
        m.d.sync += was_end.eq(ends)
        self.cover(m, "ends", was_end & dut.job_ended)
        self.check(m, "only_of_a_job", ~o.valid | dut.jobs.valid)
        self.check(m, "a_job_ends_with_its_last_beat", dut.jobs.ready == ends)
        self.check(m, "job_ended", dut.job_ended == was_end)


PROOFS = (Proof(
    name="result_stream", make=ResultStreamHarness, depth=1, steps=4,
    says="Each job's beats come from its engine, as they are, one for one; no other engine's beat "
         "is taken; the job is taken with its last beat, and `job_ended` is a cycle later.",
    bounds="A 2x2 machine.",
    mutants=(Mutant(module.__name__, "ends.eq(source.p.last & source.p.job_last)",
                    "ends.eq(source.p.job_last)"),
             Mutant(module.__name__, "source.ready.eq(self.o.ready & self.jobs.valid)",
                    "source.ready.eq(self.o.ready)"),
             Mutant(module.__name__, "with m.Elif(packs):", "with m.Elif(job.output[0]):"))),)
