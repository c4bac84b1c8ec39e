"""Proof of `hw.control.scoreboard`."""

from unittest.mock import patch

from amaranth import Array, Cat, Mux, Signal, Value
from amaranth.lib import data

import hw.control.scoreboard as module
from formal.fifo import FIFOInside
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.config import JOBS_UNDER_WAY, Config
from hw.contract.job_codes import JobKind, Selection

CONFIG = Config.sized(rows=2, cols=2, k_max=16)

COUNTS = {"beat_counts": data.StructLayout({"beats": 2}),
          "conversion_counts": data.StructLayout({"nan_blocks": 2})}
"""They are copied and never looked at, so their widths prove nothing."""

PLACES = range(JOBS_UNDER_WAY + 1)


class ScoreboardHarness(Harness):
    """One arbitrary job is followed from its start to its score."""

    def prove(self, m):
        with patch.object(module, "REPORTS", module.REPORTS | COUNTS), patch.object(
                module, "SCORE", data.StructLayout(module.SCORE.members | COUNTS)):
            m.submodules.dut = dut = module.Scoreboard(CONFIG)
        self.free_inputs(m, dut)
        kind, policy = dut.job.kind, dut.job.policy
        started, ended = dut.started, dut.job_ended
        multiplies = (kind == JobKind.GEMM) | (kind == JobKind.GEMM_PACKED)
        uses_table = dut.job.reorder | (
            (policy.selection == Selection.STATIC) & (kind != JobKind.GEMM_PACKED))

        # Jobs that are under way, and which of them multiply, oldest first.
        jobs, order = Signal(PLACES), Signal(JOBS_UNDER_WAY)
        behind = Signal(PLACES)
        m.d.comb += behind.eq(jobs - ended)
        m.d.sync += [jobs.eq(behind + started), order.eq(
            order >> ended & ~(1 << behind)[:JOBS_UNDER_WAY]
            | (started & multiplies) << behind)]
        self.assume(m, ~started | (jobs < JOBS_UNDER_WAY))
        self.assume(m, ~ended | (jobs != 0))

        self.is_followed, self.ahead = Signal(), Signal(PLACES)
        self.multiplies, table_used, table = Signal(), Signal(), Signal.like(dut.job.table)
        cycles = Signal.like(dut.score.cycles)
        marks, self.ends = Signal(), Signal()
        m.d.comb += [marks.eq(started & ~self.is_followed & self.free(1, "marks")),
                     self.ends.eq(self.is_followed & ended & (self.ahead == 0))]
        with m.If(marks):
            m.d.sync += [self.is_followed.eq(1), self.ahead.eq(behind),
                         self.multiplies.eq(multiplies), table_used.eq(uses_table),
                         table.eq(dut.job.table)]
        with m.Else():
            m.d.sync += [self.is_followed.eq(self.is_followed & ~self.ends),
                         self.ahead.eq(self.ahead - (ended & (self.ahead != 0)))]
        m.d.sync += cycles.eq(Mux(marks | ended, 0, cycles + 1))
        self.jobs, self.order, self.behind, self.marked = jobs, order, behind, marks

        self.cover(m, "scored", self.ends & dut.score.faults.all() & (jobs == 4))
        self.check(m, "under_way", (dut.under_way == jobs) & (jobs <= JOBS_UNDER_WAY))
        self.check(m, "has_beats", ~self.ends | (dut.score.has_beats == self.multiplies))
        self.check(m, "cycles", ~self.ends | (dut.score.cycles == (cycles + 1)[:len(cycles)]))
        self.check(m, "followed_is_under_way", ~self.is_followed | (self.ahead < jobs))
        self.check(m, "time", ~(self.is_followed & (self.ahead == 0))
                   | (self.look("dut.cycles", len(cycles)) == cycles))
        self._tables(m, dut, table_used, table)
        for index, name in enumerate(module.REPORTS):
            self._report(m, dut, index, name)

    def _tables(self, m, dut, used, table):
        """Of the tables: the followed job's is in use, and none that no job under way uses."""
        width = 2 + len(dut.job.table)
        kept = [self.look(f"dut.kept_{index}", width) for index in range(JOBS_UNDER_WAY)]
        own = Signal(width)
        m.d.comb += own.eq(Array(kept)[self.ahead])
        self.check(m, "kept", ~self.is_followed
                   | (own == Cat(~self.multiplies, used, table)))
        self.check(m, "kept_order", Cat(
            (self.jobs <= index) | (job[0] == ~self.order[index])
            for index, job in enumerate(kept)).all())
        self.check(m, "nothing_kept_beyond", Cat(
            (self.jobs > index) | (job == 0) for index, job in enumerate(kept)).all())
        self.check(m, "table_is_in_use", ~(self.is_followed & used)
                   | dut.tables_in_use.bit_select(table, 1))
        for number in range(CONFIG.tables):
            self.check(m, f"table_{number}_has_a_user", dut.tables_in_use[number] == Cat(
                (self.jobs > index) & job[1] & (job[2:] == number)
                for index, job in enumerate(kept)).any())

    def _report(self, m, dut, index, name):
        """Compare what is told of the followed job with what its engine has reported."""
        report, of_gemms = getattr(dut, name), name in ("beat_counts", "weight_faults")
        payload = Value.cast(report.payload)
        exists = [self.order[place] if of_gemms else 1 for place in range(JOBS_UNDER_WAY)]
        there, before = (Signal(PLACES, name=f"{each}_{name}") for each in ("there", "before"))
        waiting = Signal(PLACES, name=f"waiting_{name}")  # reports of jobs that have not ended
        is_fresh = Signal(name=f"fresh_{name}")
        has, value = Signal(name=f"has_{name}"), Signal(len(payload), name=f"reported_{name}")
        takes, is_own = Signal(name=f"takes_{name}"), Signal(name=f"own_{name}")
        wanted = self.multiplies if of_gemms else 1
        m.d.comb += [
            there.eq(sum((self.jobs > place) & each for place, each in enumerate(exists))),
            before.eq(sum((self.ahead > place) & each for place, each in enumerate(exists))),
            takes.eq(dut.job_ended & exists[0]),
            is_own.eq(self.is_followed & wanted & report.valid & ~has & (waiting == before)),
        ]
        m.d.sync += [waiting.eq(waiting + report.valid - takes), is_fresh.eq(report.valid)]
        self.assume(m, ~report.valid | (waiting < there))
        early = waiting - is_fresh if name.endswith("faults") else waiting
        self.assume(m, ~takes | (early > 0))
        with m.If(self.marked | self.ends):
            m.d.sync += has.eq(0)
        with m.Elif(is_own):
            m.d.sync += [has.eq(1), value.eq(payload)]
        self.check(m, f"within_{name}", waiting <= there)
        self.check(m, f"has_{name}", ~self.is_followed | ~wanted
                   | (has == (waiting > before)))
        self.check(m, f"has_only_followed_{name}", ~has | (self.is_followed & wanted))
        if name.endswith("faults"):
            fifo = FIFOInside(self, m, f"dut.{name}", width=len(payload), depth=JOBS_UNDER_WAY)
            self.check(m, f"level_{name}", fifo.level == waiting)
            self.check(m, f"offers_{name}", fifo.is_offered | (waiting <= is_fresh))
            self.check(m, f"kept_{name}", ~has | (fifo.word(before, f"at_{name}") == value))
            place = 2 * ("weight" in name)
            self.check(m, f"told_{name}", ~self.ends | (
                dut.score.faults[place:place + 2] == Mux(wanted, value, 0)))
            return
        told, shown = getattr(dut.score, name), Signal(name=f"shown_{name}")
        last = Signal(len(payload), name=f"last_{name}")
        with m.If(dut.job_ended):
            m.d.sync += [shown.eq(self.ends & wanted), last.eq(value)]
        write_at, read_at = (self.look(f"dut.{name}_{end}_at", 2) for end in ("write", "read"))
        words = Array(self.look(f"dut.{name}.words.contents[{word}]", len(payload))
                      for word in range(JOBS_UNDER_WAY))
        own = Signal(2, name=f"place_{name}")
        m.d.comb += own.eq(read_at + before)
        self.check(m, f"addresses_{name}", write_at == (read_at + waiting)[:2])
        self.check(m, f"kept_{name}", ~has | (words[own] == value))
        self.check(m, f"told_{name}", ~shown | (Value.cast(told) == last))


PROOFS = (Proof(
    name="scoreboard", make=ScoreboardHarness, depth=1, steps=12,
    says="At the end of each job its score is what every engine has reported of it, and the cycles "
         "since its start or the end of the job before; counts stay until the next end. A table is "
         "in use exactly while a job under way reads it.",
    assumes="At most four jobs are under way. Every engine reports each job of its kinds once, in "
            "order, before it ends; faults two cycles before or earlier.",
    bounds="A 2x2 machine; counts of two bits.",
    mutants=(Mutant(module.__name__, "exists = multiplies if name in _OF_GEMMS",
                    "exists = 1 if name in _OF_GEMMS"),
             Mutant(module.__name__, "self.started & (after == index)",
                    "self.started & (self.under_way == index)"),
             Mutant(module.__name__, "self.job_ended | (self.under_way == 0)",
                    "self.job_ended"),
             Mutant(module.__name__, "younger = jobs[index + 1] if index + 1 < len(jobs) else 0",
                    "younger = jobs[index + 1] if index + 1 < len(jobs) else job"))),)
