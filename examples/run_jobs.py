"""Both halves of a simulation of jobs: the process that builds the model, and what drives it.

``python -m examples.run_jobs FOLDER`` builds the machine that ``FOLDER/machine.json`` describes and
runs the works in ``FOLDER`` on it. It appends to ``FOLDER/progress.jsonl`` what it does, one JSON
object a line; `examples.simulation` starts it and reads that.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, SimTimeoutError, Timer, with_timeout
from cocotbext.axi import AxiStreamSink

from examples.job_files import Outcome, locked, read_works, write_outcomes
from examples.streams import Sink, Source
from hw.accelerator import Accelerator
from hw.config import Config
from hw.driver import Driver, Job, weight_passes
from hw.registers import ENDED, FAULTS, StreamFault
from sim_tests import bench, drive
from sim_tests.machine import Machine, Work

MACHINE_FILE, PROGRESS_FILE = "machine.json", "progress.jsonl"

_REPORT_CYCLES = 2000
_PATIENCE = 20
"""Jobs are given up after so many times the cycles that the streams and the array need."""


def build_name(config: Config) -> str:
    """Name the Verilog module, and the folder under ``build/sim``, after the main parameters."""
    return f"mixdit_{config.rows}x{config.cols}_acc{config.acc_width}_k{config.k_max}"


def read_config(folder: Path) -> Config:
    """Read the machine that a command wants simulated."""
    fields = json.loads((folder / MACHINE_FILE).read_text())
    return Config(**fields | {"float_formats": tuple(fields["float_formats"])})


def write_config(folder: Path, config: Config) -> None:
    """Write what `read_config` reads."""
    (folder / MACHINE_FILE).write_text(json.dumps(asdict(config)))


def report(folder: Path, **entry: Any) -> None:
    """Append one line to the progress file."""
    with (folder / PROGRESS_FILE).open("a") as file:
        file.write(json.dumps(entry) + "\n")


class InterruptDriver(Driver):
    """A driver that waits for the machine's interrupt instead of polling."""

    def __init__(self, read: Callable, write: Callable, irq: Any):
        super().__init__(read, write)
        self._irq = irq

    async def enable(self) -> None:
        """Ask for an interrupt at each job's end and at a stream fault."""
        await self.write("IRQ_ENABLE", 1 << ENDED | StreamFault(~0).value << FAULTS)

    async def wait(self, ended: int) -> None:
        """Wait until so many jobs have ended since reset."""
        while await self.read("JOBS_ENDED") < ended:
            if not int(self._irq.value):
                await RisingEdge(self._irq)
            await self.check()
            await self.write("IRQ_PENDING", 1 << ENDED)


class ReportingMachine(Machine):
    """A machine for long runs: it reports how far it is, and its bus models are fast."""

    def __init__(self, dut: Any, config: Config, folder: Path):
        super().__init__(dut, config)
        self.folder = folder
        self.driver = InterruptDriver(self.axil.read_dword, self.axil.write_dword, dut.irq)

    def _stream(self, kind: type, prefix: str) -> Source | Sink:
        return Sink(self.dut, prefix) if kind is AxiStreamSink else Source(self.dut, prefix)

    async def collect(self, job: Job) -> Any:
        """Receive a job's results, and report that they are complete."""
        results = await super().collect(job)
        report(self.folder, ended=True, cycle=drive.cycle())
        return results

    async def report_cycles(self) -> None:
        """Report the time now and then, for ever."""
        while True:
            await Timer(_REPORT_CYCLES * drive.PERIOD_NS, "ns")
            report(self.folder, cycle=drive.cycle())

    def cycles_bound(self, work: Work) -> int:
        """Add up what each stream and the array need for a job, none overlapping another."""
        config, job = self.config, work.job
        k_blocks, tiles, column_tiles = (-(-job.k // 16), -(-job.m // config.rows),
                                         -(-job.n // config.cols))
        act = job.m * (1 + 4 * job.k // config.act_bytes)
        beats_per_block = 2 + 18 * config.cols // config.weight_bytes
        weight = weight_passes(config, job) * column_tiles * (1 + k_blocks * beats_per_block)
        return act + weight + tiles * column_tiles * 4 * k_blocks + job.m * column_tiles


@cocotb.test()
async def jobs(dut):
    folder = Path(drive.parameters()["folder"])
    works = read_works(folder)
    machine = ReportingMachine(dut, read_config(folder), folder)
    await machine.reset()
    await machine.driver.identify()
    await machine.driver.enable()
    reporter = cocotb.start_soon(machine.report_cycles())
    outcomes = []
    for group in works:
        limit = 10_000 + _PATIENCE * sum(machine.cycles_bound(work) for work in group)
        try:
            ran = await with_timeout(machine.run_all(group), limit * drive.PERIOD_NS, "ns")
        except SimTimeoutError:
            raise RuntimeError(f"the machine hung: no end after {limit} cycles") from None
        outcomes += [Outcome(patterns, counters) for patterns, counters in ran]
    reporter.cancel()
    write_outcomes(folder, outcomes)


def main(folder: Path) -> int:
    """Build the machine and run the works; the exit code is 1 where that failed."""
    config = read_config(folder)
    report(folder, stage="build")
    try:
        with locked(bench.BUILD / f"{build_name(config)}.lock"):
            built = bench.build(Accelerator(config), build_name(config))
        report(folder, stage="run", verilog=str(built.directory / f"{built.name}.v"))
        bench.run(built, "examples.run_jobs", parameters={"folder": str(folder)},
                  label=folder.parent.name)
    except AssertionError as error:
        report(folder, error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
