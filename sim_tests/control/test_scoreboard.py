"""The score of every job under way: what engines report, in what order ever, and its cycles."""

from dataclasses import dataclass, field

import cocotb
import pytest

from hw.contract.config import JOBS_UNDER_WAY, Config
from hw.contract.counts import BEAT_COUNTS, CONVERSION_COUNTS, COUNT_BITS
from hw.contract.job import job_layout
from hw.contract.job_codes import FORMAT_CODES, AnyKind, JobKind, Output, Selection
from hw.control.scoreboard import REPORTS, Scoreboard, score_layout
from hw.host.job_request import Job
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over, job_words, small_config

WIDTHS = {"beat_counts": BEAT_COUNTS.size, "conversion_counts": CONVERSION_COUNTS.size,
          "act_faults": 2, "weight_faults": 2}

OF_GEMMS = ("beat_counts", "weight_faults")

OF_VECTOR = {"lanes_saturated": 1, "drain_saturated": 1}
"""Bits of what a vector unit reports."""

WAYS = {"lanes_saturated": "through_lanes", "drain_saturated": "at_drain"}
"""Of results that may saturate, by who says so: the stage that tells of them."""

KINDS = (*(AnyKind(kind.value) for kind in JobKind), AnyKind.VECTOR, AnyKind.VECTOR_PACKED)
"""Of jobs; the first are those of every machine."""

FORMATS = tuple(FORMAT_CODES)

QUEUE_CYCLES = 3
"""From a report to the first cycle in which its job may end: flags wait in buffered queues."""


@dataclass
class Started:
    """A job under way, and what has been reported of it."""

    job: Job
    kind: AnyKind
    way: str | None = None
    reports: dict[str, int] = field(default_factory=dict)
    reported: int = 0  # the cycle of the last one

    @property
    def is_pass(self):
        return self.kind in (AnyKind.VECTOR, AnyKind.VECTOR_PACKED)

    @property
    def has_beats(self):
        return self.kind in (AnyKind.GEMM, AnyKind.GEMM_PACKED)

    @property
    def has_blocks(self):
        """Whether blocks become MX, and are counted."""
        return self.kind is not AnyKind.VECTOR

    def misses(self, name):
        """Tell whether a report is still to come."""
        exists = {"conversion_counts": self.has_blocks,
                  **{report: self.way == way for report, way in WAYS.items()},
                  **dict.fromkeys(OF_GEMMS, self.has_beats)}
        return name not in self.reports and exists.get(name, True)

    def may_end(self, cycle):
        """Tell whether all reports have come through the queues."""
        return not any(map(self.misses, reported())) and cycle >= self.reported + QUEUE_CYCLES

    @property
    def faults(self):
        """What its flags must say: those of the weights lie above those of the activations."""
        return self.reports["act_faults"] | self.reports.get("weight_faults", 0) << 2

    @property
    def tells(self):
        """What its score must say besides, of the fields that there are."""
        told = {"faults": self.faults, "has_beats": self.has_beats}
        if configuration().vector_lanes:
            told |= {"has_blocks": self.has_blocks,
                     "saturated": int(any(self.reports.get(name, 0) for name in WAYS))}
        return told


def reported():
    """Return what the machine's engines report, and how many bits of each."""
    return WIDTHS | (OF_VECTOR if configuration().vector_lanes else {})


def draw_job(rng, config):
    """Draw a job that reads a table, or does not; it need not be one that could be run.

    Of a pass the software's kind is that of a GEMM, and its table is looked at likewise.
    """
    def up_to(most):
        return int(rng.integers(most + 1))

    kinds = KINDS if config.vector_lanes else KINDS[:len(JobKind)]
    kind = kinds[up_to(len(kinds) - 1)]
    job = Job(kind=JobKind(kind.value if kind.value < 4 else 0), reorder=bool(up_to(1)),
              table=up_to(config.tables - 1), selection=Selection(up_to(3)),
              m=up_to((1 << 32) - 1), n=up_to((1 << 32) - 1), k=up_to(config.k_max),
              tiles=up_to(config.tile_slots), float_format=FORMATS[up_to(len(FORMATS) - 1)],
              output=Output(up_to(len(Output) - 1)), bias=bool(up_to(1)), measure=bool(up_to(1)),
              units=up_to(config.k_blocks_max), threshold=up_to((1 << 31) - 1))
    ways = (None, *WAYS.values()) if kind in KINDS[:2] and config.vector_lanes else (None,)
    way = ways[up_to(len(ways) - 1)]
    return Started(job, kind, WAYS["lanes_saturated"] if kind in KINDS[len(JobKind):] else way)


def word_of(config, started):
    """Pack a job, with its kind."""
    word, = job_words(config, [started.job])
    kind = job_layout(config)["kind"]
    assert kind.offset == 0
    word = word >> kind.width << kind.width | started.kind.value
    if started.way is None:
        return word
    stages = job_layout(config)["stages"]
    return word | 1 << stages.offset + stages.shape[started.way].offset


def random_bits(rng, width):
    return int.from_bytes(rng.bytes(-(-width // 8)), "little") & (1 << width) - 1


def score_of(dut):
    """Read the score: integers, or mappings of them."""
    def plain(value):
        return {name: plain(each) for name, each in value.items()} if isinstance(
            value, dict) else int(value[0])
    return plain(drive.unpack(score_layout(configuration()), [int(dut.score.value)]))


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
        dut.job.value = word_of(config, new)
        for name, width in reported().items():
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
            if last.has_blocks:
                assert score["conversion_counts"] == counts_of(
                    CONVERSION_COUNTS, last.reports["conversion_counts"])
            if last.has_beats:
                assert score["beat_counts"] == counts_of(BEAT_COUNTS, last.reports["beat_counts"])
        if ends:
            last = under_way.pop(0)
            assert score["cycles"] == cycles + 1
            assert {name: score[name] for name in last.tells} == last.tells
            ended += 1
        was_empty = not under_way and not ends
        cycles = 0 if ends or was_empty else cycles + 1
        if starts:
            under_way.append(new)
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


def test_scoreboard_of_passes():
    config = Config.sized(rows=2, cols=2, k_max=64, bus_bytes=8, vector_lanes=2)
    bench.simulate(Scoreboard(config), __name__, "scoreboard_of_passes", opened=["cycles"],
                   parameters=handed_over(config))
