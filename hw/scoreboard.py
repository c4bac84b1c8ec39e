"""Keeps the score of every job under way."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from .beat_issuer import BEAT_COUNTS
from .conversion_counter import CONVERSION_COUNTS, COUNT_BITS
from .job import JobKind, converts, job_layout, report_signature
from .job_queue import JOBS_UNDER_WAY
from .outlier_policy import Selection
from .registers import COUNTERS, StreamFault

REPORTS = {"beat_counts": BEAT_COUNTS, "conversion_counts": CONVERSION_COUNTS,
           "act_faults": 2, "weight_faults": 2}
"""What engines say once per job; those of ``_OF_GEMMS`` not in a conversion."""

_OF_GEMMS = ("beat_counts", "weight_faults")

SCORE = data.StructLayout({
    "faults": len(StreamFault), "counters": data.ArrayLayout(COUNT_BITS, len(COUNTERS))})
"""A job's `StreamFault` flags, and its counters in the order of `hw.registers.COUNTERS`."""


class Scoreboard(wiring.Component):
    """Gather what engines report of each job until the job ends.

    Parameters
    ----------
    config : Config

    Members
    -------
    started : In(1), job : In(job_layout)
        A job starts.
    beat_counts, conversion_counts, act_faults, weight_faults : In(report_signature)
        Of each job, before it ends.
    job_ended : In(1)
        The oldest job ends.
    score : Out(SCORE)
        Its score, in that cycle.
    under_way : Out
        Jobs that have started and not ended.
    tables_in_use : Out(tables)
        Tables that they read.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "started": In(1), "job": In(job_layout(config)),
            **{name: In(report_signature(shape)) for name, shape in REPORTS.items()},
            "job_ended": In(1), "score": Out(SCORE),
            "under_way": Out(range(JOBS_UNDER_WAY + 1)), "tables_in_use": Out(config.tables),
        })

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.under_way.eq(self.under_way + self.started - self.job_ended)
        oldest_converts = self._remember(m)
        reports = {}
        for name, shape in REPORTS.items():
            report = getattr(self, name)
            queue = SyncFIFOBuffered(width=len(Value.cast(report.payload)), depth=JOBS_UNDER_WAY)
            m.submodules[name] = queue
            exists = ~oldest_converts if name in _OF_GEMMS else 1
            m.d.comb += [queue.w_en.eq(report.valid), queue.w_data.eq(report.payload),
                         queue.r_en.eq(self.job_ended & exists)]
            value = Mux(exists, queue.r_data, 0)
            reports[name] = data.View(shape, value) if shape != 2 else value

        cycles = Signal(COUNT_BITS)
        with m.If(self.job_ended | (self.under_way == 0)):
            m.d.sync += cycles.eq(0)
        with m.Else():
            m.d.sync += cycles.eq(cycles + 1)
        beats, conversions = reports["beat_counts"], reports["conversion_counts"]
        values = {
            "CYCLES": cycles + 1, "BEATS": beats.beats, "SKIPPED": beats.skipped,
            "ACT_STALLS": beats.act_stalls, "WEIGHT_STALLS": beats.weight_stalls,
            "RESULT_STALLS": beats.result_stalls, "MX9_UNITS": conversions.mx9_units,
            "NAN_BLOCKS": conversions.nan_blocks, "SATURATED": conversions.saturated_elements,
        }
        for index, (name, _) in enumerate(COUNTERS):
            m.d.comb += self.score.counters[index].eq(values[name])
        m.d.comb += self.score.faults.eq(Cat(reports["act_faults"], reports["weight_faults"]))
        return m

    def _remember(self, m):
        """Keep of each job what its end must know; return whether the oldest one converts."""
        kept = data.StructLayout({
            "converts": 1, "uses_table": 1, "table": self.job.table.shape()})
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
                    # Packed activations need no policy: their job may hold any.
                    job.uses_table.eq(self.job.reorder
                                      | (self.job.policy.selection == Selection.STATIC)
                                      & (self.job.kind != JobKind.GEMM_PACKED)),
                    job.table.eq(self.job.table),
                ]
        for table in range(self.config.tables):
            m.d.comb += self.tables_in_use[table].eq(
                Cat(job.uses_table & (job.table == table) for job in jobs).any())
        return jobs[0].converts
