"""Good jobs, bad jobs, broken packets and aborts, mixed at random on one machine."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from hw.host.driver import BusError
from hw.host.results import packet_count
from hw.host.work import Work
from hw.registers.job_rules import USES
from hw.registers.map import FAULTS, REFUSED, Command, Refusal, StreamFault
from sim_tests import drive
from sim_tests.machine import Machine
from sim_tests.stimuli.broken_packets import (
    Delivery,
    deliver,
    received_results,
    received_work,
    spoil_some,
)
from sim_tests.stimuli.job_settings import SETTINGS, draw, expected, looks_at
from sim_tests.stimuli.works import check_maxima, compare_results
from simulation.works.expected import expected_counts
from simulation.works.random_works import random_work

LARGEST, LONGEST = 11, 80
"""Most rows or columns of a job, and most channels."""

SHARES = ((0, 400), (0.2, 400), (0.5, 400), (0.9, 400), (1, 40), (1, 1500))
"""Share of cycles in which a stream pauses, and for how many cycles at most it does so."""

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
    machine : Machine
    rng : numpy.random.Generator

    Attributes
    ----------
    tally : Counter
        Jobs by `OUTCOMES`; and how often the flags ("flags"), the counters ("counters") and the
        channel maxima ("maxima") of a job that ran were compared.
    """

    def __init__(self, machine: Machine, rng: np.random.Generator):
        self.machine, self.driver, self.config = machine, machine.driver, machine.config
        self.rng = rng
        self.tally: Counter[str] = Counter()
        self.started: list[Started] = []  # since the last time that the machine was empty
        self.compared = 0                 # of them
        self.seen = 0                     # of them: whose flags had their turn
        self.before = 0                   # JOBS_ENDED when the machine was empty
        self.doing = "nothing yet"

    async def run(self, jobs: int) -> None:
        """Try that many jobs or a few more."""
        self._stall()
        while sum(self.tally[outcome] for outcome in OUTCOMES) < jobs:
            for _ in range(int(self.rng.integers(1, 12))):
                await (self._try_bad_job() if self.rng.random() < 0.2 else self._try_job())
                if self.rng.random() < 0.3:
                    await self.machine.ticks(int(self.rng.integers(300)))
                await self._look()
            await (self._abort() if self.rng.random() < 0.5 else self._finish())

    def _stall(self) -> None:
        """Let every stream have its own rhythm, which changes all the time."""
        for end in self.machine.ends.values():
            end.set_pause_generator(_rhythm(np.random.default_rng(self.rng.integers(1 << 32))))

    async def _try_job(self) -> None:
        """Start a job that can be run, be its packets right or wrong; if there is no room, wait."""
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
            await self._wait(self._has_slot, "a job to end")
        await self._wait(lambda: self._load_table(work), "a table to be free")
        self.doing = f"start {work.job}"
        has_slot, feeds_first = await self._has_slot(), rng.random() < 0.5
        self.started.append(Started(received_work(config, work, delivery), delivery))
        if has_slot and feeds_first:
            self._feed(delivery)
        refusal = await self._start(noisy_registers(rng, work))
        assert refusal is Refusal.NONE or (refusal is Refusal.QUEUE_FULL and not has_slot), (
            f"{refusal.name} for {work.job}")
        if refusal is not Refusal.NONE:
            self.started.pop()
            self.tally["refused"] += 1
        elif not (has_slot and feeds_first):
            self._feed(delivery)

    async def _try_bad_job(self) -> None:
        """Start a job that can't be run."""
        rng = self.rng
        wanted = Refusal.NONE
        while wanted is Refusal.NONE:
            registers = {name: value & 0xFFFFFFFF for name, value in draw(rng, self.config).items()}
            if rng.random() < 0.2:
                registers = {name: int(rng.integers(1 << 32)) for name in registers}
            wanted = expected(self.config, registers, self.machine.loaded(registers["table"]))
        self.doing = f"start {registers}"
        has_slot = await self._has_slot()
        refusal = await self._start({f"JOB_{name.upper()}": value
                                     for name, value in registers.items()})
        assert refusal is wanted or (refusal is Refusal.QUEUE_FULL and not has_slot), (
            f"{refusal.name}, expected {wanted.name} for {registers}")
        self.tally["refused"] += 1

    async def _start(self, registers: dict[str, int]) -> Refusal:
        """Start a job, whatever it is."""
        for name, value in registers.items():
            await self.driver.write(name, value)
        await self.driver.write("CONTROL", Command.START.value)
        refusal = Refusal(await self.driver.read("REFUSAL"))
        was_refused = await self.driver.read("IRQ_PENDING") >> REFUSED & 1
        assert was_refused == (refusal is not Refusal.NONE), f"interrupt with {refusal.name}"
        await self.driver.write("IRQ_PENDING", 1 << REFUSED)
        return refusal

    async def _has_slot(self) -> bool:
        return await self.driver.read("STATUS") >> 8 & 0xFF > 0

    async def _load_table(self, work: Work) -> bool:
        try:
            await self.machine.load_table(work)
        except BusError:
            return False
        return True

    def _feed(self, delivery: Delivery) -> None:
        for stream, packets in delivery.packets.items():
            for packet in packets:
                self.machine.ends[stream].send_nowait(packet.frame())

    async def _wait(self, reached: Callable[[], Awaitable[bool]], what: str) -> None:
        """Look after the jobs under way until something holds, as long as any makes progress."""
        since, progress = drive.cycle(), None
        while not await reached():
            await self._look()
            await self.machine.ticks(int(self.rng.integers(1, 40)))
            now = (self.compared, self.machine.out.count(), self.machine.act.count(),
                   self.machine.weight.count())
            if now != progress:
                since, progress = drive.cycle(), now
            if drive.cycle() - since > PATIENCE:
                under_way = "\n".join(str(each.work.job) for each in self.started[self.compared:])
                raise AssertionError(f"hung: waited {PATIENCE} cycles for {what}; under way:\n"
                                     f"{under_way}\nlast: {self.doing}")

    async def _look(self) -> None:
        """Compare what has arrived, and the flags and counters of the job that ended last."""
        await self._compare_arrived(len(self.started))
        ended = await self._ended()
        if ended == self.seen:
            return
        self.seen = ended
        last = self.started[ended - 1]
        faults = StreamFault(await self.driver.read("JOB_FAULTS"))
        if await self._ended() != ended:
            return
        self.tally["flags"] += 1
        assert faults == last.delivery.faults, (
            f"{faults!r}, expected {last.delivery.faults!r} of {last.work.job}")
        if last.delivery.faults or self.rng.random() < 0.7:
            return
        counters = await self.driver.counters()
        if await self._ended() == ended:
            self.tally["counters"] += 1
            for name, count in expected_counts(self.config, last.work).items():
                assert counters[name] == count, (
                    f"{name}: {counters[name]}, expected {count} of {last.work.job}")

    async def _ended(self) -> int:
        return await self.driver.read("JOBS_ENDED") - self.before

    async def _compare_arrived(self, most: int) -> None:
        """Compare the results of jobs whose packets are all here; leave those from `most` on."""
        while self.compared < most:
            work, delivery = self.started[self.compared].work, self.started[self.compared].delivery
            wanted = received_results(self.config, work, delivery)
            packets = packet_count(self.config, work.job)
            if self.machine.out.count() < packets:
                return
            actual = await self.machine.collect(work.job)
            compare_results(actual, wanted, f"job {self.compared}", job=work.job,
                            faults=repr(delivery.faults))
            self.compared += 1
            self.tally["broken" if delivery.faults else "good"] += 1

    async def _finish(self) -> None:
        """Let all jobs end; nothing may be left over."""
        count = len(self.started)
        await self._wait(lambda: self._all_ended(count), "all jobs to end")
        await self._look()
        assert self.compared == count, f"{count - self.compared} jobs ended without their results"
        await self._wait(self._is_dry, "what is left of long packets to be taken")
        assert self.machine.out.empty() and self.machine.out.idle(), "results that nobody asked for"
        faults = StreamFault(await self.driver.read("IRQ_PENDING") >> FAULTS)
        wanted = StreamFault(0)
        for each in self.started:
            wanted |= each.delivery.faults
        assert faults == wanted, f"interrupts {faults!r}, expected {wanted!r}"
        if self.rng.random() < 0.2:
            works = [each.work for each in self.started]
            await check_maxima(self.machine, works)
            self.tally["maxima"] += any(work.job.measure for work in works)
        await self._begin_anew()

    async def _all_ended(self, count: int) -> bool:
        return self.compared == count and await self._ended() == count

    async def _is_dry(self) -> bool:
        return self.machine.act.idle() and self.machine.weight.idle()

    async def _abort(self) -> None:
        """Abort at any moment; what ended before is right, and nothing of the others is left."""
        machine, rng = self.machine, self.rng
        await machine.ticks(int(rng.integers(200)))
        await self.driver.abort()
        await machine.ticks(2)
        status = await self.driver.read("STATUS")
        assert status & 0xFF == 0 and status >> 16 & 1, f"STATUS {status:#x} after ABORT"
        if rng.random() < 0.5:
            work = random_work(self.config, rng, LARGEST, LONGEST)
            refusal = await self._start(work.job.registers())
            assert refusal is Refusal.DRAINING, refusal.name
            self.tally["refused"] += 1
        if rng.random() < 0.5:
            await self._give_up()
        else:
            await self._run_dry()
        ended = await self._ended()
        await self._compare_arrived(ended)
        assert self.compared >= ended, f"{ended} jobs ended, {self.compared} gave their results"
        self.tally["aborted"] += len(self.started) - self.compared
        assert machine.out.idle(), "the last packet of results does not end"
        machine.out.clear()
        await self.driver.resume()
        status = await self.driver.read("STATUS")
        assert status & 0xFF == 0 and status >> 8 & 0x1FF == 4, f"STATUS {status:#x} after RESUME"
        self._stall()
        await self._begin_anew()

    async def _give_up(self) -> None:
        """Send no further packet; one that is on its way stops in the middle, if it is long."""
        machine = self.machine
        machine.act.clear()
        machine.weight.clear()
        self._run_freely()
        await machine.ticks(int(self.rng.integers(4, 12)))  # its first beat is taken by now
        machine.act.pause = machine.weight.pause = True
        await machine.ticks(16)

    async def _run_dry(self) -> None:
        """Let the sources send all that they still have."""
        machine = self.machine
        beats = [sum(-(-len(frame) // width) for frame in end.queue._queue) for end, width in
                 ((machine.act, self.config.act_bytes), (machine.weight, self.config.weight_bytes))]
        longest = self.config.k_blocks_max * 32  # of a packet that is on its way
        self._run_freely()
        await machine.ticks(20)
        for _ in range(max(beats) + longest):
            if await self._is_dry():
                return
            await machine.ticks(1)
        raise AssertionError(f"{beats} beats were not swallowed in as many cycles")

    def _run_freely(self) -> None:
        """Let no stream pause."""
        for end in self.machine.ends.values():
            end.clear_pause_generator()
            end.pause = False

    async def _begin_anew(self) -> None:
        """Forget the jobs so far; none is under way."""
        await self.driver.write("IRQ_PENDING", 0xFFFFFFFF)
        self.started, self.compared, self.seen = [], 0, 0
        self.before = await self.driver.read("JOBS_ENDED")


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


def _rhythm(rng: np.random.Generator) -> Iterator[bool]:
    """Tell for each cycle whether to pause: now never, now often, now for a long time."""
    while True:
        share, longest = SHARES[rng.integers(len(SHARES))]
        yield from (bool(flip) for flip in rng.random(rng.integers(1, longest)) < share)
