"""Good jobs, bad jobs, broken packets and aborts, mixed at random on one machine."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hw.contract.config import Config
from hw.host.carrier import ACTIVATIONS, RESULTS, WEIGHTS
from hw.host.carrier_driver import CarrierDriver, complete
from hw.host.driver_errors import BusError
from hw.host.job_request import Job
from hw.host.packet_order import number_bytes, result_packets
from hw.host.results import Results, packet_count
from hw.host.tables import Tables
from hw.host.work import Work
from hw.registers.job_rules import USES
from hw.registers.map import FAULTS, REFUSED, Command, Refusal, StreamFault
from sim_tests.stimuli.broken_packets import (
    Delivery,
    deliver,
    received_results,
    received_work,
    spoil_some,
)
from sim_tests.stimuli.job_settings import SETTINGS, Loaded, draw, expected, looks_at
from sim_tests.stimuli.packets import read_rows
from simulation.machine import SimulatedMachine
from simulation.packet import Packet
from simulation.works.expected import expected_counts, expected_maxima
from simulation.works.random_works import random_work

LARGEST, LONGEST = 11, 80
"""Most rows or columns of a job, and most channels."""

SHARES = ((0, 0), (0.2, 0), (0.5, 0), (0.9, 0), (0.1, 40), (0.1, 1500))
"""Share of cycles in which a stream pauses, and the longest of the breaks that it takes."""

STREAMS = {"s_axis_act": ACTIVATIONS, "s_axis_wgt": WEIGHTS}

PATIENCE = 30_000
"""Cycles without any progress after which the machine counts as hung."""

OUTCOMES = ("good", "broken", "refused", "aborted")
"""What becomes of jobs: right; right as far as its packets were, and flagged; never run; dropped"""


@dataclass(frozen=True)
class Started:
    """A job under way, as the machine receives it."""

    work: Work
    delivery: Delivery


class Fuzzer:
    """Keep a machine busy and check all it does.

    Parameters
    ----------
    machine : SimulatedMachine
        Fresh out of its reset.
    config : Config
        What it was built from.
    rng : numpy.random.Generator

    Attributes
    ----------
    tally : Counter
        Jobs by `OUTCOMES`; and how often the flags ("flags"), the counters ("counters") and the
        channel maxima ("maxima") of a job that ran were compared.
    """

    def __init__(self, machine: SimulatedMachine, config: Config, rng: np.random.Generator):
        self.machine, self.driver, self.config = machine, CarrierDriver(machine), config
        self.rng, self.tables = rng, Tables()
        self.tally: Counter[str] = Counter()
        self.started: list[Started] = []  # since the last time that the machine was empty
        self.compared = 0                 # of them
        self.seen = 0                     # of them: whose flags had their turn
        self.before = 0                   # JOBS_ENDED when the machine was empty
        self.doing = "nothing yet"

    def run(self, jobs: int) -> None:
        """Try that many jobs or a few more."""
        self._stall()
        while sum(self.tally[outcome] for outcome in OUTCOMES) < jobs:
            for _ in range(int(self.rng.integers(1, 12))):
                (self._try_bad_job() if self.rng.random() < 0.2 else self._try_job())
                if self.rng.random() < 0.3:
                    self.machine.advance(int(self.rng.integers(300)))
                self._look()
            (self._abort() if self.rng.random() < 0.5 else self._finish())

    def _stall(self) -> None:
        """Let every stream have another rhythm."""
        for stream in (ACTIVATIONS, WEIGHTS, RESULTS):
            share, longest = SHARES[self.rng.integers(len(SHARES))]
            cycles = int(self.rng.integers(1, longest)) if longest else 0
            self.machine.stall(stream, share, break_share=0.01 if cycles else 0.0,
                               break_cycles=cycles, seed=int(self.rng.integers(1 << 32)))

    def _try_job(self) -> None:
        """Start a job that can be run, be its packets right or wrong; if there is no room, wait."""
        if self.rng.random() < 0.3:
            self._stall()
        rng, config = self.rng, self.config
        work = random_work(config, rng, LARGEST, LONGEST)
        if not work.job.converts and rng.random() < 0.3:
            blocks = -(-work.job.k // 16)
            most = min(config.tile_slots, config.act_depth // blocks)
            work = replace(work, job=replace(work.job, tiles=int(rng.integers(1, most + 1))))
        delivery = deliver(config, work)
        if rng.random() < 0.25:
            delivery = spoil_some(config, rng, delivery)
        if rng.random() < 0.9:
            self._wait(self._has_slot, "a job to end")
        self._wait(lambda: self._load_table(work), "a table to be free")
        self.doing = f"start {work.job}"
        has_slot, feeds_first = self._has_slot(), rng.random() < 0.5
        self.started.append(Started(received_work(config, work, delivery), delivery))
        if has_slot and feeds_first:
            self._feed(delivery)
        refusal = self._start(noisy_registers(rng, work))
        assert refusal is Refusal.NONE or (refusal is Refusal.QUEUE_FULL and not has_slot), (
            f"{refusal.name} for {work.job}")
        if refusal is not Refusal.NONE:
            self.started.pop()
            self.tally["refused"] += 1
        elif not (has_slot and feeds_first):
            self._feed(delivery)

    def _try_bad_job(self) -> None:
        """Start a job that can't be run."""
        rng = self.rng
        wanted = Refusal.NONE
        while wanted is Refusal.NONE:
            registers = {name: value & 0xFFFFFFFF for name, value in draw(rng, self.config).items()}
            if rng.random() < 0.2:
                registers = {name: int(rng.integers(1 << 32)) for name in registers}
            wanted = expected(self.config, registers, self._loaded(registers["table"]))
        self.doing = f"start {registers}"
        has_slot = self._has_slot()
        refusal = self._start({f"JOB_{name.upper()}": value
                                     for name, value in registers.items()})
        assert refusal is wanted or (refusal is Refusal.QUEUE_FULL and not has_slot), (
            f"{refusal.name}, expected {wanted.name} for {registers}")
        self.tally["refused"] += 1

    def _start(self, registers: dict[str, int]) -> Refusal:
        """Start a job, whatever it is."""
        for name, value in registers.items():
            complete(self.driver.write(name, value))
        complete(self.driver.write("CONTROL", Command.START.value))
        refusal = Refusal(complete(self.driver.read("REFUSAL")))
        was_refused = complete(self.driver.read("IRQ_PENDING")) >> REFUSED & 1
        assert was_refused == (refusal is not Refusal.NONE), f"interrupt with {refusal.name}"
        complete(self.driver.write("IRQ_PENDING", 1 << REFUSED))
        return refusal

    def _has_slot(self) -> bool:
        return complete(self.driver.read("STATUS")) >> 8 & 0xFF > 0

    def _loaded(self, table: int) -> Loaded:
        """Say what a calibration table was loaded with."""
        order, tags = (self.tables.part(table, name) for name in ("order", "tags"))
        return Loaded(tuple(map(int, order)), len(tags))

    def _load_table(self, work: Work) -> bool:
        """Load a job's table unless it is there; tell whether it is now."""
        missing = self.tables.missing(work)
        try:
            if missing:
                complete(self.driver.load_table(work.job.table, **missing))
        except BusError:
            return False
        self.tables.note(work.job.table, missing)
        return True

    def _feed(self, delivery: Delivery) -> None:
        for stream, packets in delivery.packets.items():
            for packet in packets:
                if all(packet.keep):
                    self.machine.send(STREAMS[stream], [packet.data])
                else:
                    self.machine.send_beats(STREAMS[stream], packet.data, packet.keep)

    def _wait(self, reached: Callable[[], bool], what: str) -> None:
        """Look after the jobs under way until something holds, as long as any makes progress."""
        since, progress = self.machine.cycles, None
        while not reached():
            self._look()
            self.machine.advance(int(self.rng.integers(1, 40)))
            now = (self.compared, *(self.machine.counts(stream).beats
                                    for stream in (ACTIVATIONS, WEIGHTS, RESULTS)))
            if now != progress:
                since, progress = self.machine.cycles, now
            if self.machine.cycles - since > PATIENCE:
                under_way = "\n".join(str(each.work.job) for each in self.started[self.compared:])
                raise AssertionError(f"hung: waited {PATIENCE} cycles for {what}; under way:\n"
                                     f"{under_way}\nlast: {self.doing}")

    def _look(self) -> None:
        """Compare what has arrived, and the flags and counters of the job that ended last."""
        self._compare_arrived(len(self.started))
        ended = self._ended()
        if ended == self.seen:
            return
        self.seen = ended
        last = self.started[ended - 1]
        faults = StreamFault(complete(self.driver.read("JOB_FAULTS")))
        if self._ended() != ended:
            return
        self.tally["flags"] += 1
        assert faults == last.delivery.faults, (
            f"{faults!r}, expected {last.delivery.faults!r} of {last.work.job}")
        if last.delivery.faults or self.rng.random() < 0.7:
            return
        counters = complete(self.driver.counters())
        if self._ended() == ended:
            self.tally["counters"] += 1
            for name, count in expected_counts(self.config, last.work).items():
                assert counters[name] == count, (
                    f"{name}: {counters[name]}, expected {count} of {last.work.job}")

    def _ended(self) -> int:
        return complete(self.driver.read("JOBS_ENDED")) - self.before

    def _compare_arrived(self, most: int) -> None:
        """Compare the results of jobs whose packets are all here; leave those from `most` on."""
        while self.compared < most:
            work, delivery = self.started[self.compared].work, self.started[self.compared].delivery
            wanted = received_results(self.config, work, delivery)
            packets = packet_count(self.config, work.job)
            if self.machine.available < packets:
                return
            actual = self._read(work.job, self.machine.take_packets(packets))
            where = first_difference(actual, wanted)
            assert where is None, (f"job {self.compared} differs at {where}: {work.job}, "
                                   f"{delivery.faults!r}")
            self.compared += 1
            self.tally["broken" if delivery.faults else "good"] += 1

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

    def _finish(self) -> None:
        """Let all jobs end; nothing may be left over."""
        count = len(self.started)
        self._wait(lambda: self._all_ended(count), "all jobs to end")
        self._look()
        assert self.compared == count, f"{count - self.compared} jobs ended without their results"
        self._wait(self._is_dry, "what is left of long packets to be taken")
        assert not self.machine.available and self._is_between_results(), (
            "results that nobody asked for")
        faults = StreamFault(complete(self.driver.read("IRQ_PENDING")) >> FAULTS)
        wanted = StreamFault(0)
        for each in self.started:
            wanted |= each.delivery.faults
        assert faults == wanted, f"interrupts {faults!r}, expected {wanted!r}"
        if self.rng.random() < 0.2:
            self._check_maxima([each.work for each in self.started if each.work.job.measure])
        self._begin_anew()

    def _check_maxima(self, measured: list[Work]) -> None:
        """Compare the maxima that the last of these jobs has recorded, if there is any."""
        if measured:
            maxima = complete(self.driver.channel_maxima(measured[-1].job.k))
            assert np.array_equal(maxima, expected_maxima(measured[-1])), measured[-1].job
            self.tally["maxima"] += 1

    def _is_between_results(self) -> bool:
        return not self.machine.counts(RESULTS).inside

    def _all_ended(self, count: int) -> bool:
        return self.compared == count and self._ended() == count

    def _is_dry(self) -> bool:
        return not any(self.machine.counts(stream).waiting for stream in (ACTIVATIONS, WEIGHTS))

    def _abort(self) -> None:
        """Abort at any moment; what ended before is right, and nothing of the others is left."""
        machine, rng = self.machine, self.rng
        machine.advance(int(rng.integers(200)))
        complete(self.driver.abort())
        machine.advance(2)
        status = complete(self.driver.read("STATUS"))
        assert status & 0xFF == 0 and status >> 16 & 1, f"STATUS {status:#x} after ABORT"
        if rng.random() < 0.5:
            work = random_work(self.config, rng, LARGEST, LONGEST)
            refusal = self._start(work.job.registers())
            assert refusal is Refusal.DRAINING, refusal.name
            self.tally["refused"] += 1
        if rng.random() < 0.5:
            self._give_up()
        else:
            self._run_dry()
        ended = self._ended()
        self._compare_arrived(ended)
        assert self.compared >= ended, f"{ended} jobs ended, {self.compared} gave their results"
        self.tally["aborted"] += len(self.started) - self.compared
        assert self._is_between_results(), "the last packet of results does not end"
        machine.take(machine.available)
        complete(self.driver.resume())
        status = complete(self.driver.read("STATUS"))
        assert status & 0xFF == 0 and status >> 8 & 0x1FF == 4, f"STATUS {status:#x} after RESUME"
        self._stall()
        self._begin_anew()

    def _give_up(self) -> None:
        """Send no further packet; one that is on its way stops in the middle, if it is long."""
        machine = self.machine
        machine.drop(ACTIVATIONS)
        machine.drop(WEIGHTS)
        self._run_freely()
        machine.advance(int(self.rng.integers(4, 12)))  # its first beat is taken by now
        for stream in (ACTIVATIONS, WEIGHTS):
            machine.stall(stream, break_share=1 - 2.0**-32, break_cycles=1 << 40)
        machine.advance(16)

    def _run_dry(self) -> None:
        """Let the sources send all that they still have."""
        machine = self.machine
        beats = [counts.waiting_bytes // width + counts.waiting for counts, width in
                 ((machine.counts(ACTIVATIONS), self.config.act_bytes),
                  (machine.counts(WEIGHTS), self.config.weight_bytes))]
        longest = self.config.k_blocks_max * 32  # of a packet that is on its way
        self._run_freely()
        machine.advance(20)
        for _ in range(max(beats) + longest):
            if self._is_dry():
                return
            machine.advance(1)
        raise AssertionError(f"{beats} beats were not swallowed in as many cycles")

    def _run_freely(self) -> None:
        """Let no stream pause."""
        for stream in (ACTIVATIONS, WEIGHTS, RESULTS):
            self.machine.stall(stream)

    def _begin_anew(self) -> None:
        """Forget the jobs so far; none is under way."""
        complete(self.driver.write("IRQ_PENDING", 0xFFFFFFFF))
        self.started, self.compared, self.seen = [], 0, 0
        self.before = complete(self.driver.read("JOBS_ENDED"))


def noisy_registers(rng: np.random.Generator, work: Work) -> dict[str, int]:
    """Give a job's registers, with noise in those that it does not look at."""
    registers = work.job.registers()
    settings = {name: registers[f"JOB_{name.upper()}"] for name in SETTINGS}
    for use in USES:
        name = f"JOB_{use.name}"
        is_unused = not use.others_zero and not looks_at(settings, use.name)
        if is_unused and rng.random() < 0.5:
            registers[name] = int(rng.integers(1 << 32))
    return registers


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
