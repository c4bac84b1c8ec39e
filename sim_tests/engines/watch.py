"""What the ports of `Engines` must show in every cycle, from what went in and came out before."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cocotb.triggers import RisingEdge

from hw.contract.config import Config
from hw.contract.counts import CONVERSION_COUNTS
from hw.contract.job_codes import JobKind
from hw.control.scoreboard import SCORE, score_layout
from hw.host.job_request import Job
from hw.host.packet_order import number_bytes, result_packets
from hw.host.results import Counters, Results
from hw.host.work import Work
from hw.registers.map import StreamFault
from hw.streams.packet_guard import beat_layout
from sim_tests import drive
from sim_tests.stimuli.broken_packets import (
    Delivery,
    Packet,
    deliver,
    received_results,
    received_work,
)
from sim_tests.stimuli.operands import job_words, packet_words
from simulation.works.expected import expected_counts

STREAMS = {"act": ("s_axis_act", StreamFault.ACT_LENGTH, StreamFault.ACT_KEEP),
           "weight": ("s_axis_wgt", StreamFault.WEIGHT_LENGTH, StreamFault.WEIGHT_KEEP)}
"""Input ports: the machine's streams that come to them, and their faults."""

COUNTS_AT = SCORE["beat_counts"].offset
"""From here on a score holds what was counted."""

ALL_OF_SCORE = (1 << SCORE.size) - 1
"""Bits of a score that every machine has."""

COUNTED_AS = {"saturated_elements": "saturated"}
"""What golden calls by another name than the score does."""


@dataclass(eq=False)
class Task:
    """A job as the engines get it, and what must come of it.

    Attributes
    ----------
    work : Work
        With the activations that arrive, whole or not.
    delivery : Delivery
    word : int
        The job, packed.
    beats : list of tuple of (int, int)
        Of ``o``: each beat, and the bits of it that count.
    packets : int
        How many packets these are.
    pulses : Counter
        In how many cycles each fault is flagged.
    counts : Counters, or None
        What golden counts; None where packets are broken.
    started : int
        The cycle of its start.
    score : dict
        What the engines said at its end.
    """

    work: Work
    delivery: Delivery
    word: int
    beats: list[tuple[int, int]]
    packets: int
    pulses: Counter
    counts: Counters | None
    started: int = 0
    score: dict[str, Any] = field(default_factory=dict)

    @property
    def job(self) -> Job:
        """The job itself."""
        return self.work.job

    @property
    def has_beats(self) -> bool:
        """Whether the array works on it."""
        return not self.job.converts

    @property
    def of_vector(self) -> dict[str, int]:
        """What a machine with a vector unit says besides at its end."""
        return {"has_blocks": 1, "saturated": 0}


def make_task(config: Config, work: Work, delivery: Delivery | None = None) -> Task:
    """Make a job's task; its packets are as they must be unless they are given."""
    whole = deliver(config, work)
    delivery = delivery or whole
    received = received_work(config, work, delivery)
    beats = list(result_beats(config, work.job, received_results(config, received, delivery)))
    last_at = beat_layout(config.result_bytes)["last"].offset
    word, = job_words(config, [work.job], ignored(work.job))
    return Task(received, delivery, word, beats, sum(beat >> last_at for beat, _ in beats),
                count_pulses(config, whole, delivery),
                None if delivery.faults else expected_counts(config, received))


def ignored(job: Job) -> list[str]:
    """List the fields that a job does not look at and that may hold anything."""
    fields = [] if job.uses_table else ["table"]
    fields += ["m", "tiles"] if job.converts else []
    return fields + (["float_format", "policy"] if job.kind is JobKind.GEMM_PACKED else [])


def result_beats(config: Config, job: Job, results: Results) -> Iterator[tuple[int, int]]:
    """List the beats of a job's results, and the bits of each that count.

    Floating-point results lie as `docs/packets.md` says: a row every `config.row_bytes`, or half of
    them for narrow numbers.
    """
    width = config.result_bytes
    if isinstance(results, list):
        words = [word for packet in results for word in packet_words(packet, width)]
    else:
        size = number_bytes(job.output)
        words = []
        for part in result_packets(config, job):
            lines = np.zeros((2, part.rows, config.row_bytes * size // 4), np.uint8)
            numbers = results[part.row : part.row + part.rows, part.col : part.col + part.cols]
            lines[0, :, : part.cols * size] = np.ascontiguousarray(numbers).view(np.uint8)
            lines[1, :, : part.cols * size] = 1
            octets, keep = lines.reshape(2, -1)
            words.append(int.from_bytes(octets.tobytes(), "little")
                         | int(keep @ (1 << np.arange(len(keep), dtype=object))) << 8 * width
                         | 1 << 9 * width)
    for word in words:
        keep = word >> 8 * width & (1 << width) - 1
        counts = sum(0xFF << 8 * index for index in range(width) if keep >> index & 1)
        yield word, counts | (1 << width + 1) - 1 << 8 * width


def beats_of(packet: Packet, width: int) -> list[int]:
    """Cut a packet into beats of `width` bytes, packed as `hw.streams.packet_guard.beat_layout`."""
    marked = [sum(keep << index for index, keep in enumerate(packet.keep[at : at + width]))
              for at in range(0, len(packet.data), width)]
    every = (1 << width) - 1 << 8 * width
    return [word & ~every | keep << 8 * width
            for word, keep in zip(packet_words(packet.data, width), marked, strict=True)]


def count_pulses(config: Config, whole: Delivery, sent: Delivery) -> Counter:
    """Count the faults of a delivery: one for each packet that is not as it must be."""
    pulses = Counter()
    for stream, wrong_length, wrong_keep in STREAMS.values():
        width = {"s_axis_act": config.act_bytes, "s_axis_wgt": config.weight_bytes}[stream]
        for right, packet in zip(whole.packets[stream], sent.packets[stream], strict=True):
            words = [beats_of(each, width) for each in (right, packet)]
            keeps = [[word >> 8 * width for word in each] for each in words]
            if len(words[0]) != len(words[1]):
                pulses[wrong_length] += 1
            elif keeps[0] != keeps[1]:
                pulses[wrong_keep] += 1
    return pulses


class EnginesWatch:
    """Compare all that the engines show with what they must, cycle by cycle.

    Parameters
    ----------
    dut : handle
    config : Config

    Attributes
    ----------
    planned, under_way : deque of Task
        Jobs that are to be started, and those that were.
    ended : list of Task
    most : int
        How many were under way at once.
    """

    def __init__(self, dut: Any, config: Config):
        self.dut, self.config = dut, config
        self.planned: deque[Task] = deque()
        self.under_way: deque[Task] = deque()
        self.ended: list[Task] = []
        self.most = 0
        self._cycle = 0
        self._flagged = Counter()  # how often each fault was
        self._due = Counter()  # and had to be, by the jobs that have ended
        self._expected: deque[tuple[int, int]] = deque()  # of all jobs under way
        self._left = deque()  # packets of each
        self._ends = False  # the oldest job, in this cycle
        self._last_end = -1
        self._counts: int | None = None  # as they must stay
        self._counts_of: Task | None = None  # the job whose counts are new in this cycle

    async def run(self) -> None:
        """Watch for ever."""
        edge = RisingEdge(self.dut.clk)
        while True:
            await edge
            self._look()

    def _look(self) -> None:
        """Look at the cycle that ends now."""
        dut, in_reset = self.dut, int(self.dut.rst.value)
        under_way = int(dut.under_way.value)
        assert under_way == len(self.under_way), f"{under_way} are under way"
        in_use = {task.job.table for task in self.under_way if task.job.uses_table}
        assert int(dut.tables_in_use.value) == sum(1 << table for table in in_use), "in use"
        assert int(dut.jobs__ready.value)
        if in_reset:
            assert not int(dut.act__ready.value) and not int(dut.weight__ready.value), "in reset"
        self._look_at_score()
        self._look_at_faults(StreamFault(int(dut.faults.value)))
        self._ends = False
        if int(dut.o__valid.value) and int(dut.o__ready.value):
            self._look_at_beat(int(dut.o__payload.value))
        if int(dut.jobs__valid.value) and not in_reset:
            task = self.planned.popleft()
            task.started = self._cycle
            self.under_way.append(task)
            self.most = max(self.most, len(self.under_way))
            self._expected.extend(task.beats)
            self._left.append(task.packets)
        if in_reset:
            for each in (self.under_way, self._expected, self._left, self._flagged, self._due):
                each.clear()
            self._ends = False
        self._cycle += 1

    def _look_at_faults(self, faults: StreamFault) -> None:
        """Count what is flagged: not more than the packets of jobs under way are due."""
        for fault in faults:
            self._flagged[fault] += 1
            most = self._due[fault] + sum(task.pulses[fault] for task in self.under_way)
            assert self._flagged[fault] <= most, f"{fault!r} is flagged once too often"

    def _look_at_beat(self, word: int) -> None:
        assert self._expected, "a beat of no job"
        wanted, counts = self._expected.popleft()
        assert word & counts == wanted & counts, (
            f"beat {word & counts:#x}, not {wanted & counts:#x} of {self.under_way[0].job}")
        if word >> 9 * self.config.result_bytes:
            self._left[0] -= 1
            self._ends = self._left[0] == 0
            if self._ends:
                self._left.popleft()

    def _look_at_score(self) -> None:
        """Compare the end of a job, the flags with it, and the counts after it."""
        assert int(self.dut.job_ended.value) == self._ends, f"job_ended is not {self._ends}"
        every = int(self.dut.score.value)
        bits = every & ALL_OF_SCORE
        if self._counts_of:
            self._compare_counts(self._counts_of, bits)
            self._counts, self._counts_of = bits >> COUNTS_AT, None
        assert self._counts in (None, bits >> COUNTS_AT), "counts change between the ends of jobs"
        if not self._ends:
            return
        task = self.under_way.popleft()
        score = drive.unpack(SCORE, [bits])
        task.score = {name: int(score[name][0]) for name in ("cycles", "faults", "has_beats")}
        wanted = {"cycles": self._cycle - max(self._last_end, task.started),
                  "faults": task.delivery.faults.value, "has_beats": task.has_beats}
        assert task.score == wanted, f"{task.score}, not {wanted} of {task.job}"
        if self.config.vector_lanes:
            told = drive.unpack(score_layout(self.config), [every])
            for name, value in task.of_vector.items():
                assert int(told[name][0]) == value, f"{name} is not {value} of {task.job}"
        self._due += task.pulses
        assert self._due <= self._flagged, f"{self._flagged} were flagged, not {self._due}"
        self.ended.append(task)
        self._last_end, self._counts_of = self._cycle, task

    def _compare_counts(self, task: Task, bits: int) -> None:
        score = drive.unpack(SCORE, [bits])
        counted = {name: int(count[0]) for part in ("conversion_counts", "beat_counts")
                   for name, count in score[part].items()}
        if not task.of_vector["has_blocks"]:
            assert self._counts in (None, bits >> COUNTS_AT), "counts changed"
            return
        if not task.has_beats:  # the others stay as they were
            kept = SCORE["conversion_counts"].offset - COUNTS_AT
            beats = (bits >> COUNTS_AT) & (1 << kept) - 1
            assert self._counts is None or beats == self._counts & (1 << kept) - 1, "beats changed"
            counted = {name: counted[name] for name in CONVERSION_COUNTS.members}
        task.score |= counted
        for name in counted if task.counts else ():
            wanted = task.counts.get(COUNTED_AS.get(name, name), counted[name])
            assert counted[name] == wanted, f"{name}: {counted[name]}, not {wanted} of {task.job}"

    def check_done(self) -> None:
        """Tell that all planned jobs have ended, and that nothing more was flagged."""
        assert not self.planned and not self.under_way and not self._expected, "jobs are left"
        assert self._flagged == self._due, f"{self._flagged} were flagged, not {self._due}"
