"""A list of commands that has run: what each channel did, and whether it met its target."""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from golden.formats import BLOCK_SIZE
from golden.memory.descriptor import BYTES
from hw.contract.config import Config
from hw.host.memory import RingHost
from hw.host.memory.packed import tile_bytes
from hw.host.memory.registers import NamedRegisters
from perf.rtl.ring_scenarios import LOST_CYCLES, SLACK_CYCLES, Scenario
from simulation.memory_library import Counts
from simulation.memory_machine import Manners, SimulatedMemoryMachine
from simulation.works.golden_ring import carried_out

BASE, SIZE = 0x8000_0000, 1 << 24

RING_SIZE = 64

FP16_BYTES = 2


@dataclass(frozen=True)
class RingMeasured:
    """A scenario that has run.

    Attributes
    ----------
    scenario : Scenario
    config : Config
    began : int
        Cycle in which the host began to write registers.
    ends : list of Counts
        When the last beat of each part entered the array.
    first_beats : list of Counts
        When the first one did.
    total : Counts
        At the end.
    wrong_bytes : int
        Of all memory, that golden's ring has otherwise.
    seconds : float
        Of this process' time, in which the list ran.
    """

    scenario: Scenario
    config: Config
    began: int
    ends: list[Counts]
    first_beats: list[Counts]
    total: Counts
    wrong_bytes: int
    seconds: float

    @property
    def whole_cycles(self) -> int:
        """From the first register access to the last answer to a write."""
        return self.total.last_answer - self.began

    @property
    def whole_share(self) -> float:
        """Share of these in which a beat entered the array."""
        return self.total.beats / self.whole_cycles

    def _per_part(self, name: str) -> float:
        """Give a count of a part between others: from the first's end to the last but one's."""
        first, last = (getattr(self.ends[place], name) for place in (0, -2))
        return (last - first) / (self.scenario.parts - 2)

    @property
    def cycles(self) -> float:
        """Cycles of a part between others."""
        return self._per_part("cycle")

    @property
    def channels(self) -> dict[str, float]:
        """Cycles of a part between others in which each channel works."""
        shape = self.scenario.shape
        return {"array": shape.beats(self.config), "read port": self._per_part("read_words"),
                "write port": self._per_part("write_words"), "drain": shape.drains(self.config)}

    @property
    def busiest(self) -> str:
        """The channel that bounds the speed."""
        return max(self.channels, key=self.channels.__getitem__)

    @property
    def array_share(self) -> float:
        """Share of these cycles in which a beat entered the array."""
        return self.channels["array"] / self.cycles

    @property
    def busiest_share(self) -> float:
        """Share of these cycles in which the busiest channel worked."""
        return self.channels[self.busiest] / self.cycles

    @property
    def stalls(self) -> dict[str, float]:
        """Cycles of a part between others without a beat, by what was waited for."""
        return {name: self._per_part(f"{name}_stalls") for name in ("act", "weight", "result")}

    @property
    def delays(self) -> list[int]:
        """Cycles from the last answer to a part's writes to the first beat of the next."""
        return [first.last_beat - first.last_answer for first in self.first_beats[1:]]

    @property
    def loading(self) -> int:
        """Cycles in which the words of a first tile come over the bus."""
        config, k = self.config, self.scenario.shape.k
        size = config.rows * -(-k // BLOCK_SIZE) * BLOCK_SIZE * FP16_BYTES
        if not self.scenario.converts:
            size = tile_bytes(config.rows, k, config.act_bytes, has_residuals=False)
        return -(-size // config.bus_bytes)

    @property
    def most_delay(self) -> int:
        """That a part may wait for the one before."""
        return self.scenario.latency + self.loading + SLACK_CYCLES

    def judge(self) -> tuple[str, str, bool]:
        """Say what was found, what had to be (nothing, if that is ""), and whether it is."""
        scenario, lost = self.scenario, self.cycles - self.channels[self.busiest]
        first_beat = f"{max(self.delays)} cycles to the first beat"
        match scenario.rule:
            case "array":
                return (f"array busy {self.array_share:.1%}", f">= {scenario.least:.0%}",
                        self.array_share >= scenario.least)
            case "busiest":
                return (f"{self.busiest} busy {self.busiest_share:.1%}", f">= {scenario.least:.0%}",
                        self.busiest_share >= scenario.least)
            case "lost":
                return (f"{lost:.1f} cycles lost per job over the {self.busiest}",
                        f"<= {LOST_CYCLES}", lost <= LOST_CYCLES)
            case "dependent":
                return (first_beat, f"<= {self.most_delay}", max(self.delays) <= self.most_delay)
            case _:
                return first_beat, "", True

    def as_json(self) -> dict[str, Any]:
        """Give every number."""
        figure, target, met = self.judge()
        scenario = self.scenario
        return {
            "section": scenario.section, "name": scenario.name, "machine": scenario.machine,
            "latency": scenario.latency, **asdict(scenario.shape), "parts": scenario.parts,
            "cycles": self.cycles, "channels": self.channels, "stalls": self.stalls,
            "array_share": self.array_share, "busiest": self.busiest,
            "busiest_share": self.busiest_share, "whole_cycles": self.whole_cycles,
            "whole_share": self.whole_share, "counts": asdict(self.total), "delays": self.delays,
            "figure": figure, "target": target, "met": met, "wrong_bytes": self.wrong_bytes}


def run_scenario(device: SimulatedMemoryMachine, config: Config, scenario: Scenario,
                 rng: np.random.Generator) -> RingMeasured:
    """Run a scenario on a machine out of its reset, and compare all of memory with golden's.

    Raises
    ------
    RuntimeError
        If the array took other beats than the blocks ask for.
    """
    device.reset()
    device.behave(Manners(read_latency=scenario.latency, write_latency=scenario.latency))
    beats, parts = scenario.shape.beats(config), scenario.parts
    with RingHost(device, BASE, SIZE, ring_size=RING_SIZE, clock=lambda: device.cycles / 1e6
                  ) as host:
        commands = host.commands()
        scenario.fill(host, commands, scenario, rng)
        marks = sorted({mark for part in range(parts)
                        for mark in (part * beats + 1, (part + 1) * beats)})
        device.mark(marks)
        ring = NamedRegisters(device).read_long("RING_BASE"), RING_SIZE * BYTES
        before, began, started = device.memory.copy(), device.cycles, time.process_time()
        host.run(commands)
        seconds = time.process_time() - started
        total, noted = device.counts(), device.noted()
    if total.beats != parts * beats:
        raise RuntimeError(f"{scenario.name} took {total.beats} beats, not {parts * beats}")
    place = slice(ring[0] - BASE, sum(ring) - BASE)
    before[place] = device.memory[place]
    expected = carried_out(config, before, BASE, ring, 0, len(commands))
    by_beats = {counts.beats: counts for counts in noted}
    return RingMeasured(
        scenario, config, began, [by_beats[(part + 1) * beats] for part in range(parts)],
        [by_beats[part * beats + 1] for part in range(parts)], total,
        int(np.count_nonzero(expected != device.memory)), seconds)
