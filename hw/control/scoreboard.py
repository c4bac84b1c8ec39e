"""Keeps the score of every job under way."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from hw.contract.config import JOBS_UNDER_WAY
from hw.contract.counts import BEAT_COUNTS, CONVERSION_COUNTS, COUNT_BITS
from hw.contract.job import converts, is_pass, job_layout, report_signature, uses_table
from hw.contract.job_codes import AnyKind
from hw.parts.ring import index_signal
from hw.parts.sram import Sram
from hw.registers.map import StreamFault

REPORTS = {"beat_counts": BEAT_COUNTS, "conversion_counts": CONVERSION_COUNTS,
           "act_faults": 2, "weight_faults": 2}
"""What engines say once per job; those of ``_OF_GEMMS`` not in a conversion."""

_OF_GEMMS = ("beat_counts", "weight_faults")

SATURATING = {"lanes": "through_lanes", "drain": "at_drain"}
"""Who may find a power of two that does not exist, and of which jobs, by the stage that says it."""


SCORE = data.StructLayout({
    "faults": len(StreamFault), "cycles": COUNT_BITS, "has_beats": 1,
    "beat_counts": BEAT_COUNTS, "conversion_counts": CONVERSION_COUNTS})
"""A job's `StreamFault` flags and the cycles it took, in the cycle in which it ends, and whether it
was a GEMM, which has beats to count. What was counted follows in the next cycle and stays until the
next job ends, through an abort too: it is a memory's output."""


def score_layout(config):
    """Describe the score of a job.

    With a vector unit: `SCORE`, and ``has_blocks``, which says whether MX blocks were made and
    counted, and ``saturated``, whether a power of two did not exist.
    """
    if not config.vector_lanes:
        return SCORE
    return data.StructLayout(SCORE.members | {"has_blocks": 1, "saturated": 1})


class Scoreboard(wiring.Component):
    """Gather what engines report of each job until the job ends.

    Counts wait in memories of a word per job under way: their widths make registers dear.

    Parameters
    ----------
    config : Config

    Members
    -------
    started : In(1), job : In(job_layout)
        A job starts.
    beat_counts, conversion_counts, act_faults, weight_faults : In(report_signature)
        What engines report of each job, before it ends.
    lanes_saturated, drain_saturated : In(report_signature(1))
        With a vector unit: as in `VectorPipe`, in `ResultPath`.
    job_ended : In(1)
        The oldest job ends.
    score : Out(score_layout)
        The score of the oldest job, this cycle included.
    under_way : Out
        Jobs that have started and not ended.
    tables_in_use : Out(tables)
        Tables that the jobs under way read.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "started": In(1), "job": In(job_layout(config)),
            **{name: In(report_signature(shape)) for name, shape in REPORTS.items()},
            **({f"{name}_saturated": In(report_signature(1)) for name in SATURATING}
               if config.vector_lanes else {}),
            "job_ended": In(1), "score": Out(score_layout(config)),
            "under_way": Out(range(JOBS_UNDER_WAY + 1)), "tables_in_use": Out(config.tables),
        })

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.under_way.eq(self.under_way + self.started - self.job_ended)
        oldest = self._remember(m)
        multiplies, has_blocks = ~oldest.converts, 1
        if self.config.vector_lanes:
            multiplies &= ~oldest.is_pass
            has_blocks = ~oldest.is_pass | oldest.packs
            self._keep_saturated(m, oldest)
            m.d.comb += self.score.has_blocks.eq(has_blocks)
        faults = []
        for name in REPORTS:
            report = getattr(self, name)
            exists = multiplies if name in _OF_GEMMS else (
                has_blocks if name == "conversion_counts" else 1)
            if name.endswith("counts"):
                m.d.comb += getattr(self.score, name).eq(
                    self._keep_counts(m, name, report, self.job_ended & exists))
                continue
            queue = SyncFIFOBuffered(width=len(report.payload), depth=JOBS_UNDER_WAY)
            m.submodules[name] = queue
            m.d.comb += [queue.w_en.eq(report.valid), queue.w_data.eq(report.payload),
                         queue.r_en.eq(self.job_ended & exists)]
            faults.append(Mux(exists, queue.r_data, 0))

        cycles = Signal(COUNT_BITS)
        with m.If(self.job_ended | (self.under_way == 0)):
            m.d.sync += cycles.eq(0)
        with m.Else():
            m.d.sync += cycles.eq(cycles + 1)
        m.d.comb += [self.score.cycles.eq(cycles + 1), self.score.has_beats.eq(multiplies),
                     self.score.faults.eq(Cat(faults))]
        return m

    def _keep_counts(self, m, name, report, read):
        """Store each job's counts when they come; return what was read last."""
        m.submodules[name] = words = Sram(
            width=len(Value.cast(report.payload)), depth=JOBS_UNDER_WAY)
        write_at, read_at = (index_signal(JOBS_UNDER_WAY, f"{name}_{end}_at")
                             for end in ("write", "read"))
        # Both wrap: the jobs under way are a power of two.
        m.d.sync += [write_at.eq(write_at + report.valid), read_at.eq(read_at + read)]
        m.d.comb += [
            words.write_en.eq(report.valid), words.write_addr.eq(write_at),
            words.write_data.eq(report.payload),
            words.read_en.eq(read), words.read_addr.eq(read_at),
        ]
        return words.read_data

    def _keep_saturated(self, m, oldest):
        """Keep what is said of jobs with functions until they end."""
        found = []
        for name, of_job in SATURATING.items():
            report = getattr(self, f"{name}_saturated")
            queue = SyncFIFOBuffered(width=1, depth=JOBS_UNDER_WAY)
            m.submodules[f"{name}_saturated"] = queue
            m.d.comb += [queue.w_en.eq(report.valid), queue.w_data.eq(report.payload),
                         queue.r_en.eq(self.job_ended & oldest[of_job])]
            found.append(oldest[of_job] & queue.r_data)
        m.d.comb += self.score.saturated.eq(Cat(found).any())

    def _remember(self, m):
        """Keep of each job what its end must know; return that of the oldest one."""
        has_vector = self.config.vector_lanes > 0
        kept = data.StructLayout({
            "converts": 1, "uses_table": 1, "table": self.job.table.shape(),
            **(dict.fromkeys(("is_pass", "packs", *SATURATING.values()), 1)
               if has_vector else {})})
        jobs = [Signal(kept, name=f"kept_{index}") for index in range(JOBS_UNDER_WAY)]
        # A shift register: job 0 is the oldest, and the new one comes behind the last.
        after = Signal(range(JOBS_UNDER_WAY + 1))
        m.d.comb += after.eq(self.under_way - self.job_ended)
        for index, job in enumerate(jobs):
            younger = jobs[index + 1] if index + 1 < len(jobs) else 0
            with m.If(self.job_ended):
                m.d.sync += job.eq(younger)
            with m.If(self.started & (after == index)):
                m.d.sync += [
                    job.converts.eq(converts(self.job.kind)),
                    job.uses_table.eq(uses_table(self.job)), job.table.eq(self.job.table),
                ]
                if has_vector:
                    m.d.sync += [job.is_pass.eq(is_pass(self.job.kind)),
                                 job.packs.eq(self.job.kind == AnyKind.VECTOR_PACKED),
                                 *(job[name].eq(self.job.stages[name])
                                   for name in SATURATING.values())]
        for table in range(self.config.tables):
            m.d.comb += self.tables_in_use[table].eq(
                Cat(job.uses_table & (job.table == table) for job in jobs).any())
        return jobs[0]
