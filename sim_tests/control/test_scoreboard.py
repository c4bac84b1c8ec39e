"""The score of every job under way: what engines report, in what order ever, and its cycles."""

from dataclasses import dataclass, field

import cocotb
import pytest

from hw.contract.config import JOBS_UNDER_WAY
from hw.contract.counts import BEAT_COUNTS, CONVERSION_COUNTS, COUNT_BITS
from hw.contract.job_codes import FORMAT_CODES, JobKind, Output, Selection
from hw.control.scoreboard import REPORTS, SCORE, Scoreboard
from hw.host.job_request import Job
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over, job_words, small_config

WIDTHS = {"beat_counts": BEAT_COUNTS.size, "conversion_counts": CONVERSION_COUNTS.size,
          "act_faults": 2, "weight_faults": 2}

OF_GEMMS = ("beat_counts", "weight_faults")

FORMATS = tuple(FORMAT_CODES)

QUEUE_CYCLES = 3
"""From a report to the first cycle in which its job may end: flags wait in buffered queues."""


@dataclass
class Started:
    """A job under way, and what has been reported of it."""

    job: Job
    reports: dict[str, int] = field(default_factory=dict)
    reported: int = 0  # the cycle of the last one

    def misses(self, name):
        """Tell whether a report is still to come."""
        return name not in self.reports and not (self.job.converts and name in OF_GEMMS)

    def may_end(self, cycle):
        """Tell whether all reports have come through the queues."""
        return not any(map(self.misses, WIDTHS)) and cycle >= self.reported + QUEUE_CYCLES

    @property
    def faults(self):
        """What its flags must say: those of the weights lie above those of the activations."""
        return self.reports["act_faults"] | self.reports.get("weight_faults", 0) << 2


def draw_job(rng, config):
    """Draw a job that reads a table, or does not; it need not be one that could be run."""
    def up_to(most):
        return int(rng.integers(most + 1))

    return Job(kind=JobKind(up_to(3)), reorder=bool(up_to(1)), table=up_to(config.tables - 1),
               selection=Selection(up_to(3)), m=up_to((1 << 32) - 1), n=up_to((1 << 32) - 1),
               k=up_to(config.k_max), tiles=up_to(config.tile_slots),
               float_format=FORMATS[up_to(len(FORMATS) - 1)], output=Output(up_to(len(Output) - 1)),
               bias=bool(up_to(1)), measure=bool(up_to(1)), units=up_to(config.k_blocks_max),
               threshold=up_to((1 << 31) - 1))


def random_bits(rng, width):
    return int.from_bytes(rng.bytes(-(-width // 8)), "little") & (1 << width) - 1


def score_of(dut):
    """Read the score: integers, or mappings of them."""
    def plain(value):
        return {name: plain(each) for name, each in value.items()} if isinstance(
            value, dict) else int(value[0])
    return plain(drive.unpack(SCORE, [int(dut.score.value)]))


def counts_of(layout, word):
    return {name: int(value[0]) for name, value in drive.unpack(layout, [word]).items()}


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(hurry=[0.2, 0.9])
async def keeps_the_score_of_every_job(dut, hurry):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    under_way, ended, cycles, last = [], 0, 0, None
    words, cycle = {}, 0
    while ended < drive.amount(300, 5_000):
        starts = len(under_way) < JOBS_UNDER_WAY and rng.random() < hurry
        ends = bool(under_way) and under_way[0].may_end(cycle) and rng.random() < hurry
        dut.started.value, dut.job_ended.value = int(starts), int(ends)
        new = draw_job(rng, config)
        (dut.job.value,) = job_words(config, [new])
        for name, width in WIDTHS.items():
            waiting = [each for each in under_way[int(ends):] if each.misses(name)]
            reports = bool(waiting) and rng.random() < hurry
            words[name] = random_bits(rng, width)
            getattr(dut, f"{name}__valid").value = int(reports)
            getattr(dut, f"{name}__payload").value = words[name]
            if reports:
                waiting[0].reports[name], waiting[0].reported = words[name], cycle
        await drive.ticks(dut, 1)
        assert int(dut.under_way.value) == len(under_way)
        in_use = {each.job.table for each in under_way if each.job.uses_table}
        assert int(dut.tables_in_use.value) == sum(1 << table for table in in_use)
        score = score_of(dut)
        if last is not None:  # what was counted is there since the job ended, and stays
            assert score["conversion_counts"] == counts_of(
                CONVERSION_COUNTS, last.reports["conversion_counts"])
            if not last.job.converts:
                assert score["beat_counts"] == counts_of(BEAT_COUNTS, last.reports["beat_counts"])
        if ends:
            last = under_way.pop(0)
            assert score["cycles"] == cycles + 1
            assert (score["faults"], score["has_beats"]) == (last.faults, not last.job.converts)
            ended += 1
        was_empty = not under_way and not ends
        cycles = 0 if ends or was_empty else cycles + 1
        if starts:
            under_way.append(Started(new))
        cycle += 1


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(before=[(1 << 48) - 2, 0x555555555555, 0xAAAAAAAAAAAA, (1 << 32) - 1])
async def counts_cycles_on_from_any_number(dut, before):
    """What would take days is set: the counter carries through all of its bits, and wraps."""
    config = configuration()
    await drive.reset(dut)
    (dut.job.value,) = job_words(config, [Job(kind=JobKind.CONVERT, n=1, k=1)])
    dut.started.value = 1
    await drive.ticks(dut, 1)
    dut.started.value = 0
    await drive.ticks(dut, 3)
    dut.cycles.value = before
    for step in range(4):
        await drive.ticks(dut, 1)
        assert score_of(dut)["cycles"] == (before + 1 + step) % (1 << COUNT_BITS)


def test_every_report_is_driven():
    assert list(WIDTHS) == list(REPORTS)


@pytest.mark.parametrize("tables", [1, 4])
def test_scoreboard(tables):
    config = small_config(tables=tables)
    bench.simulate(Scoreboard(config), __name__, f"scoreboard_{tables}", opened=["cycles"],
                   parameters=handed_over(config))
