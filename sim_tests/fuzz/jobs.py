"""Good jobs, bad jobs, broken packets and a host of bad manners, mixed at random on one machine."""

from dataclasses import replace

import numpy as np

from golden.formats import FLOAT_FORMATS
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from hw.host.carrier import ACTIVATIONS, WEIGHTS
from hw.host.carrier_driver import complete
from hw.host.driver_errors import BusError
from hw.host.work import Work
from hw.registers.job_rules import USES
from hw.registers.map import REFUSED, Command, Refusal
from sim_tests.fuzz.breaks import Breaks
from sim_tests.fuzz.meddler import Meddler
from sim_tests.fuzz.models import Counting
from sim_tests.fuzz.rig import Rig
from sim_tests.fuzz.under_way import Started, UnderWay
from sim_tests.stimuli.broken_packets import Delivery, deliver, received_work, spoil_some
from sim_tests.stimuli.job_settings import SETTINGS, draw, expected, looks_at
from sim_tests.stimuli.litter import litter
from sim_tests.stimuli.raw_blocks import raw_blocks
from simulation.machine import SimulatedMachine
from simulation.works.random_works import random_work

LARGEST, LONGEST = 11, 80
"""Most rows or columns of a job, and most channels, where the array is small."""

STREAMS = {"s_axis_act": ACTIVATIONS, "s_axis_wgt": WEIGHTS}

OUTCOMES = ("good", "broken", "refused", "aborted", "reset")
"""What becomes of jobs: right; right as far as its packets were, and flagged; never run; dropped by
an abort, or by a reset."""


class Fuzzer:
    """Keep a machine busy and check all it does.

    Parameters
    ----------
    machine : SimulatedMachine
        Fresh out of its reset.
    config : Config
        What it was built from.
    rng : numpy.random.Generator
    counting : Counting
        How it counts.

    Attributes
    ----------
    rig : Rig
        Its `tally` has the jobs by `OUTCOMES`; how often the flags ("flags"), the counters
        ("counters") and the channel maxima ("maxima") of a job that ran were compared; and what
        else was done to the machine.
    """

    def __init__(self, machine: SimulatedMachine, config: Config, rng: np.random.Generator,
                 counting: Counting):
        self.rig = Rig(machine, config, counting, rng)
        self.jobs = UnderWay(self.rig)
        self.meddler, self.breaks = Meddler(self.rig, self.jobs), Breaks(self.rig, self.jobs)

    def run(self, jobs: int) -> None:
        """Try that many jobs or a few more."""
        rig = self.rig
        rig.stall()
        while sum(rig.tally[outcome] for outcome in OUTCOMES) < jobs:
            for _ in range(int(rig.rng.integers(1, 12))):
                (self._try_bad_job() if rig.chance(0.2) else self._try_job())
                if rig.chance(0.3):
                    rig.pass_time(300)
                if rig.chance(0.3):
                    self.meddler.meddle()
                self.jobs.look()
            self._end()

    def _end(self) -> None:
        """Let the jobs end, in one of three ways."""
        if self.rig.chance(0.4):
            self.jobs.finish()
        elif self.rig.chance(0.7):
            self.breaks.abort()
        else:
            self.breaks.reset()

    def _try_job(self) -> None:
        """Start a job that can be run, be its packets right or wrong; if there is no room, wait."""
        if self.rig.chance(0.3):
            self.rig.stall()
        rng, config = self.rig.rng, self.rig.config
        work = draw_work(config, rng)
        delivery = deliver(config, work)
        if self.rig.chance(0.25):
            delivery = spoil_some(config, rng, delivery)
        if self.rig.chance(0.9):
            self.jobs.wait(self._has_slot, "a job to end")
        self.jobs.wait(lambda: self._load_table(work), "a table to be free")
        self.rig.doing = f"start {work.job}"
        has_slot, feeds_first = self._has_slot(), self.rig.chance(0.5)
        self.jobs.started.append(Started(received_work(config, work, delivery), delivery))
        if self.rig.chance(0.5):
            delivery = litter(config, rng, work.job, delivery)
        if has_slot and feeds_first:
            self._feed(delivery)
        refusal = self._start(noisy_registers(rng, work))
        assert refusal is Refusal.NONE or (refusal is Refusal.QUEUE_FULL and not has_slot), (
            f"{refusal.name} for {work.job}")
        if refusal is not Refusal.NONE:
            self.jobs.started.pop()
            self.rig.tally["refused"] += 1
        elif not (has_slot and feeds_first):
            self._feed(delivery)

    def _try_bad_job(self) -> None:
        """Start a job that can't be run."""
        rig = self.rig
        wanted = Refusal.NONE
        while wanted is Refusal.NONE:
            registers = {name: value & 0xFFFFFFFF
                         for name, value in draw(rig.rng, rig.config).items()}
            if rig.chance(0.2):
                registers = {name: int(rig.rng.integers(1 << 32)) for name in registers}
            wanted = expected(rig.config, registers, rig.loaded(registers["table"]))
        rig.doing = f"start {registers}"
        has_slot = self._has_slot()
        refusal = self._start({f"JOB_{name.upper()}": value
                               for name, value in registers.items()})
        assert refusal is wanted or (refusal is Refusal.QUEUE_FULL and not has_slot), (
            f"{refusal.name}, expected {wanted.name} for {registers}")
        rig.tally["refused"] += 1

    def _start(self, registers: dict[str, int]) -> Refusal:
        """Start a job, whatever it is; a RESUME beside the start does nothing."""
        rig = self.rig
        for name in rig.rng.permutation(list(registers)):
            rig.write(str(name), registers[name])
        rig.write("CONTROL", Command.START | (Command.RESUME if rig.chance(0.2) else 0))
        refusal = Refusal(rig.read("REFUSAL"))
        was_refused = rig.read("IRQ_PENDING") >> REFUSED & 1
        assert was_refused == (refusal is not Refusal.NONE), f"interrupt with {refusal.name}"
        rig.write("IRQ_PENDING", 1 << REFUSED)
        return refusal

    def _has_slot(self) -> bool:
        return self.rig.read("STATUS") >> 8 & 0xFF > 0

    def _load_table(self, work: Work) -> bool:
        """Load a job's table unless it is there; tell whether it is now."""
        missing = self.rig.tables.missing(work)
        try:
            if missing:
                self.rig.settings["TABLE_SELECT"] = work.job.table
                complete(self.rig.driver.load_table(work.job.table, **missing))
        except BusError:
            return False
        self.rig.tables.note(work.job.table, missing)
        return True

    def _feed(self, delivery: Delivery) -> None:
        for stream, packets in delivery.packets.items():
            for packet in packets:
                if all(packet.keep):
                    self.rig.machine.send(STREAMS[stream], [packet.data])
                else:
                    self.rig.machine.send_beats(STREAMS[stream], packet.data, packet.keep)


def draw_work(config: Config, rng: np.random.Generator) -> Work:
    """Draw a job that can be run: as a host would, or with operands of any bits at all."""
    largest = max(LARGEST, 3 * max(config.rows, config.cols) // 2)
    work = random_work(config, rng, largest, 5 * LONGEST if rng.random() < 0.05 else LONGEST)
    job = work.job
    if not job.converts and rng.random() < 0.3:
        blocks = -(-job.k // 16)
        most = min(config.tile_slots, config.act_depth // blocks)
        work = replace(work, job=replace(job, tiles=int(rng.integers(1, most + 1))))
    if work.weights is not None and rng.random() < 0.3:
        work = replace(work, weights=raw_blocks(rng, job.n, job.k, config.cols).transpose())
    if job.kind is JobKind.GEMM_PACKED:
        if rng.random() < 0.4:
            work = replace(work, activations=raw_blocks(rng, job.m, job.k, config.rows))
    elif rng.random() < 0.1:
        width = FLOAT_FORMATS[job.float_format].width
        bits = rng.integers(0, 1 << width, work.activations.shape, np.uint64)
        work = replace(work, activations=bits.astype(f"u{width // 8}"))
    return work


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
