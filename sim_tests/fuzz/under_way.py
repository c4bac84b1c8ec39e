"""The jobs under way on a machine, and the comparison of all they give with golden."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hw.host.carrier import ACTIVATIONS, RESULTS, WEIGHTS
from hw.host.carrier_driver import complete
from hw.host.job_request import Job
from hw.host.packet_order import number_bytes, result_packets
from hw.host.results import Results, packet_count
from hw.host.work import Work
from hw.registers.map import FAULTS, StreamFault
from sim_tests.fuzz.rig import STREAMS, Rig
from sim_tests.stimuli.broken_packets import Delivery, received_results
from sim_tests.stimuli.packets import read_rows
from simulation.packet import Packet
from simulation.works.expected import expected_counts, expected_maxima

PATIENCE = 30_000
"""Cycles without any progress after which the machine counts as hung."""


@dataclass(frozen=True)
class Started:
    """A job under way, as the machine receives it."""

    work: Work
    delivery: Delivery


class UnderWay:
    """The jobs that were started since the machine was last empty.

    Parameters
    ----------
    rig : Rig

    Attributes
    ----------
    started : list of Started
    compared : int
        Of them: whose results have been compared.
    """

    def __init__(self, rig: Rig):
        self.rig, self.machine, self.config = rig, rig.machine, rig.config
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget the jobs so far; none is under way."""
        self.started: list[Started] = []
        self.compared = 0
        self.seen = 0  # of them: whose flags had their turn
        self.before = self.rig.ended()

    def ended(self) -> int:
        """Count those that have ended."""
        return (self.rig.ended() - self.before) % (1 << 32)

    def uses(self, table: int, ended: int) -> bool:
        """Tell whether a table is in use once so many have ended."""
        return any(each.work.uses_table and each.work.job.table == table
                   for each in self.started[ended:])

    def wait(self, reached: Callable[[], bool], what: str) -> None:
        """Look after the jobs until something holds, as long as any makes progress."""
        since, progress = self.machine.cycles, None
        while not reached():
            self.look()
            self.machine.advance(int(self.rig.rng.integers(1, 40)))
            now = (self.compared, *(self.machine.counts(stream).beats for stream in STREAMS))
            if now != progress:
                since, progress = self.machine.cycles, now
            if self.machine.cycles - since > PATIENCE:
                under_way = "\n".join(str(each.work.job) for each in self.started[self.compared:])
                raise AssertionError(f"hung: waited {PATIENCE} cycles for {what}; under way:\n"
                                     f"{under_way}\nlast: {self.rig.doing}")

    def look(self) -> None:
        """Compare what has arrived, and the flags and counters of the job that ended last."""
        self.compare_arrived(len(self.started))
        ended = self.ended()
        if ended == self.seen:
            return
        assert ended <= len(self.started), f"{ended} of {len(self.started)} jobs have ended"
        self.seen = ended
        last = self.started[ended - 1]
        faults = StreamFault(self.rig.read("JOB_FAULTS"))
        if self.ended() != ended:
            return
        self.rig.tally["flags"] += 1
        assert faults == last.delivery.faults, (
            f"{faults!r}, expected {last.delivery.faults!r} of {last.work.job}")
        if last.delivery.faults or self.rig.chance(0.7):
            return
        counters = complete(self.rig.driver.counters())
        if self.ended() == ended:
            self.rig.tally["counters"] += 1
            for name, count in expected_counts(self.config, last.work).items():
                wanted = count % (1 << self.rig.counting.bits)
                self.rig.tally["counters' ends"] += wanted != count
                assert counters[name] == wanted, (
                    f"{name}: {counters[name]}, expected {wanted} of {last.work.job}")

    def compare_arrived(self, most: int) -> None:
        """Compare the results of jobs whose packets are all here; leave those from `most` on."""
        while self.compared < most:
            work, delivery = self.started[self.compared].work, self.started[self.compared].delivery
            packets = packet_count(self.config, work.job)
            if self.machine.available < packets:
                return
            wanted = received_results(self.config, work, delivery)
            actual = self._read(work.job, self.machine.take_packets(packets))
            where = first_difference(actual, wanted)
            assert where is None, (f"job {self.compared} differs at {where}: {work.job}, "
                                   f"{delivery.faults!r}")
            self.compared += 1
            self.rig.tally["broken" if delivery.faults else "good"] += 1

    def _read(self, job: Job, packets: list[Packet]) -> Results:
        """Put a job's packets together, floating-point results by where ``tkeep`` says they are."""
        if job.converts or job.is_packed:
            return [packet.marked for packet in packets]
        results = np.zeros((job.m, job.n), f"<u{number_bytes(job.output)}")
        for part, packet in zip(result_packets(self.config, job), packets, strict=True):
            mask, = packet.keeps
            keep = np.array([mask >> index & 1 for index in range(self.config.result_bytes)], bool)
            data = np.zeros(self.config.result_bytes, np.uint8)
            data[keep] = np.frombuffer(packet.marked, np.uint8)
            results[part.row : part.row + part.rows, part.col : part.col + part.cols] = read_rows(
                self.config, job, part, data, keep)
        return results

    def finish(self) -> None:
        """Let all jobs end; nothing may be left over."""
        count = len(self.started)
        self.wait(lambda: self.compared == count and self.ended() == count, "all jobs to end")
        self.look()
        assert self.compared == count, f"{count - self.compared} jobs ended without their results"
        self.wait(self.is_dry, "what is left of long packets to be taken")
        assert not self.machine.available and self.is_between_results(), (
            "results that nobody asked for")
        faults = StreamFault(self.rig.read("IRQ_PENDING") >> FAULTS)
        wanted = StreamFault(0)
        for each in self.started:
            wanted |= each.delivery.faults
        assert faults == wanted, f"interrupts {faults!r}, expected {wanted!r}"
        if self.rig.chance(0.2):
            self._check_maxima([each.work for each in self.started if each.work.job.measure])
        self.rig.write("IRQ_PENDING", 0xFFFFFFFF)
        self.begin_anew()

    def _check_maxima(self, measured: list[Work]) -> None:
        """Compare the maxima that the last of these jobs has recorded, if there is any."""
        if measured:
            channels = measured[-1].job.k
            maxima = complete(self.rig.driver.channel_maxima(channels))
            self.rig.settings["MAXIMUM_CHANNEL"] = channels - 1
            assert np.array_equal(maxima, expected_maxima(measured[-1])), measured[-1].job
            self.rig.tally["maxima"] += 1

    def is_between_results(self) -> bool:
        """Tell whether no packet of results has begun and not ended."""
        return not self.machine.counts(RESULTS).inside

    def is_dry(self) -> bool:
        """Tell whether all was sent."""
        return not any(self.machine.counts(stream).waiting for stream in (ACTIVATIONS, WEIGHTS))


def first_difference(actual: Results, wanted: Results) -> tuple[int, ...] | None:
    """Say where two results differ first: row and column, or packet and byte."""
    if isinstance(wanted, np.ndarray):
        different = np.argwhere(actual != wanted)
        return tuple(map(int, different[0])) if len(different) else None
    for index, (ours, theirs) in enumerate(zip(actual, wanted, strict=True)):
        if ours != theirs:
            pairs = enumerate(zip(ours, theirs, strict=False))
            return index, next((place for place, (one, other) in pairs if one != other),
                               min(len(ours), len(theirs)))
    return None
