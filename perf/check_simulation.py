"""Jobs on the emitted Verilog, with the cycle in which each was started.

``python -m perf.check_simulation FOLDER`` builds the machine that ``FOLDER/machine.json`` describes
and runs the works in ``FOLDER`` on it, each group from an idle machine and all streams at full
rate. `perf.check` starts it and reads ``timed.json``; progress goes to ``progress.jsonl``.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, with_timeout

from commands.outputs import write_text
from commands.running import start
from examples.job_files import read_works
from examples.run_jobs import InterruptDriver, ReportingMachine, read_config, run_folder
from hw.contract.config import Config
from hw.registers.map import ADDRESSES, COUNTERS
from perf.schedule import COUNTER_NAMES
from sim_tests import drive
from sim_tests.machine import Work

TIMED_FILE = "timed.json"
_PATIENCE = 20


@dataclass(frozen=True)
class Timed:
    """What the machine said of one job.

    Attributes
    ----------
    start : int
        Cycle in which the job was started; any origin, the same for all jobs of a machine.
    loads_order : bool
        A channel order was written before.
    counters : dict of str to int, or None
        By the names in `perf.schedule.COUNTER_NAMES`; None where the next job ended before they
        were read.
    """

    start: int
    loads_order: bool
    counters: dict[str, int] | None


def read_timed(folder: Path) -> list[Timed]:
    """Read what the jobs of all groups gave, in order."""
    text = (folder / TIMED_FILE).read_text(encoding="utf-8")
    return [Timed(**fields) for fields in json.loads(text)]


class QuickDriver(InterruptDriver):
    """A driver that reads only the counters that the model predicts, to be early enough."""

    async def counters(self) -> dict[str, int]:
        """Return the lower words, by lower-case name."""
        return {name.lower(): await self.read(f"{name}_LOW")
                for name, _ in COUNTERS if name.lower() in COUNTER_NAMES}


class TimedMachine(ReportingMachine):
    """A machine that notes when jobs start."""

    def __init__(self, dut: Any, config: Config, folder: Path):
        super().__init__(dut, config, folder)
        self.driver = QuickDriver(self.read, self.write, dut.irq)
        self.starts: list[int] = []
        self.loads_order: list[bool] = []
        self._answered = 0
        cocotb.start_soon(self._watch_answers())

    async def _watch_answers(self) -> None:
        """Note when a register write is answered, which is the cycle after it happened."""
        while True:
            await RisingEdge(self.dut.s_axil_bvalid)
            self._answered = drive.cycle()

    async def write(self, address: int, value: int) -> None:
        """Write a register; note the cycle of a START."""
        await super().write(address, value)
        if address == ADDRESSES["CONTROL"]:
            self.starts.append(self._answered - 1)

    async def load_table(self, work: Work) -> None:
        """Load a job's table unless it is there, and note whether it was."""
        self.loads_order.append("order" in self._missing(work))
        await super().load_table(work)


@cocotb.test()
async def jobs(dut):
    folder = Path(drive.parameters()["folder"])
    machine = TimedMachine(dut, read_config(folder)[0], folder)
    await machine.reset()
    await machine.driver.enable()
    counters = []
    for group in read_works(folder):
        limit = 10_000 + _PATIENCE * sum(machine.cycles_bound(work) for work in group)
        ran = await with_timeout(machine.run_all(group), limit * drive.PERIOD_NS, "ns")
        counters += [each for _, each in ran]
    rows = zip(machine.starts, machine.loads_order, counters, strict=True)
    timed = [Timed(*row) for row in rows]
    write_text(folder / TIMED_FILE, json.dumps([asdict(each) for each in timed]))


if __name__ == "__main__":
    start(lambda: run_folder("perf.check_simulation", "perf.check_simulation",
                             lambda place: f"check_{place.name}"))
