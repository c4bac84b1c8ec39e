"""A machine under random jobs: its registers, the rhythm of its streams, and its clock."""

from collections import Counter

import numpy as np

from hw.contract.config import Config
from hw.host.carrier import ACTIVATIONS, RESULTS, WEIGHTS
from hw.host.carrier_driver import CarrierDriver, complete
from hw.host.tables import Tables
from hw.registers.map import REGISTER, REGISTERS, Access
from sim_tests.fuzz.models import Counting
from sim_tests.stimuli.job_settings import Loaded
from simulation.machine import REGISTERS as REGISTER_PORT
from simulation.machine import SimulatedMachine

STREAMS = (ACTIVATIONS, WEIGHTS, RESULTS)

SHARES = ((0, 0), (0.2, 0), (0.5, 0), (0.9, 0), (0.1, 40), (0.1, 1500))
"""Share of cycles in which a stream pauses, and the longest of the breaks that it takes."""

ALWAYS = 1 - 2.0**-32
"""The share of a stream that does nothing for ever."""

SETTINGS = {register.name: register for register in REGISTERS if register.access is Access.SETTING}


class Rig:
    """A machine, and what the host knows of it.

    Parameters
    ----------
    machine : SimulatedMachine
        Fresh out of its reset.
    config : Config
        What it was built from.
    counting : Counting
        How it counts.
    rng : numpy.random.Generator

    Attributes
    ----------
    driver : CarrierDriver
    tables : Tables
        What the calibration tables hold, to the last entry.
    settings : dict of str to int
        What was written last to each register that keeps it.
    tally : Counter
        What was done, and what was compared.
    doing : str
        The last thing that was tried, for a report.
    """

    def __init__(self, machine: SimulatedMachine, config: Config, counting: Counting,
                 rng: np.random.Generator):
        self.machine, self.driver, self.config = machine, CarrierDriver(machine), config
        self.counting, self.rng = counting, rng
        self.tables = Tables()
        self.tally: Counter[str] = Counter()
        self.doing = "nothing yet"
        self.settings: dict[str, int] = {}
        self.forget()
        machine.scramble(self.chance(0.5), seed=int(rng.integers(1 << 32)))

    def forget(self) -> None:
        """Know what is so after a reset."""
        self.tables.clear()
        self.settings = {name: register.reset for name, register in SETTINGS.items()}

    def chance(self, share: float) -> bool:
        """Say yes in a share of the cases."""
        return bool(self.rng.random() < share)

    def read(self, name: str) -> int:
        """Read a register."""
        return complete(self.driver.read(name))

    def write(self, name: str, value: int) -> None:
        """Write a register; what it will keep is remembered."""
        complete(self.driver.write(name, value))
        if name in SETTINGS:
            self.settings[name] = value & sum(field.mask for field in REGISTER[name].fields)

    def ended(self) -> int:
        """Count the jobs that have ended since the machine's reset, modulo 2^32."""
        return (self.read("JOBS_ENDED") - self.counting.first_ended) % (1 << 32)

    def loaded(self, table: int) -> Loaded:
        """Say what a calibration table was loaded with."""
        order, tags = (self.tables.part(table, name) for name in ("order", "tags"))
        return Loaded(tuple(map(int, order)), len(tags))

    def stall(self) -> None:
        """Let every stream, and the answers of registers, have another rhythm."""
        for stream in STREAMS:
            share, longest = SHARES[self.rng.integers(len(SHARES))]
            cycles = int(self.rng.integers(1, longest)) if longest else 0
            self.machine.stall(stream, share, break_share=0.01 if cycles else 0.0,
                               break_cycles=cycles, seed=int(self.rng.integers(1 << 32)))
        self.machine.stall(REGISTER_PORT, 0.4 if self.chance(0.2) else 0.0,
                           seed=int(self.rng.integers(1 << 32)))

    def run_freely(self) -> None:
        """Let no stream pause."""
        for stream in STREAMS:
            self.machine.stall(stream)

    def stop(self, *streams: str) -> None:
        """Let streams do nothing more, for ever."""
        for stream in streams:
            self.machine.stall(stream, break_share=ALWAYS, break_cycles=1 << 40)

    def pass_time(self, most: int) -> None:
        """Let up to so many cycles pass; now and then the clock stops, or every stream does."""
        self.machine.advance(int(self.rng.integers(most)))
        if self.chance(0.1):
            self.machine.stop_clock(int(self.rng.integers(1, 4)), int(self.rng.integers(1 << 32)))
            self.tally["clock stops"] += 1
        if self.chance(0.06):
            self._freeze()

    def _freeze(self) -> None:
        """Leave all streams alone for a while: at most the beat that was offered moves."""
        self.stop(*STREAMS)
        self.machine.advance(4)  # the sink's ready falls
        before = [self.machine.counts(stream).beats for stream in STREAMS]
        self.machine.advance(int(self.rng.integers(100, 3000)))
        after = [self.machine.counts(stream).beats for stream in STREAMS]
        moved = [now - then for now, then in zip(after, before, strict=True)]
        assert max(moved[:2]) <= 1 and not moved[2], f"{moved} beats moved in frozen streams"
        self.tally["freezes"] += 1
        self.stall()
