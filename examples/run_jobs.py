"""Both halves of a simulation of jobs: the process that builds the model, and what drives it.

``python -m examples.run_jobs FOLDER`` builds the machine that ``FOLDER/machine.json`` describes and
runs the works in ``FOLDER`` on it. It appends to ``FOLDER/progress.jsonl`` what it does, one JSON
object a line; `examples.simulation` starts it and reads that.
"""

import hashlib
import json
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, SimTimeoutError, Timer, with_timeout
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiStreamSink

from commands import children
from commands.exit_codes import ExitCode
from commands.outputs import write_text
from commands.running import start
from commands.tools import ToolError
from examples.job_files import Outcome, read_stalls, read_works, write_outcomes
from examples.streams import Sink, Source
from hw.accelerator import Accelerator
from hw.contract.config import Config
from hw.host.driver import Driver, Job
from hw.host.packet_order import weight_passes
from hw.registers.map import ENDED, FAULTS, StreamFault
from sim_tests import bench, drive
from sim_tests.machine import STREAMS, Machine, Results, Work
from sim_tests.stimuli.packets import act_packets, weight_packets

MACHINE_FILE, PROGRESS_FILE = "machine.json", "progress.jsonl"

_REPORT_CYCLES = 2000
_TABLE_WRITE_CYCLES = 16
_PATIENCE = 20
"""Jobs are given up after so many times the cycles that the streams and the array need."""


def build_name(config: Config) -> str:
    """Name the Verilog module, and the folder under ``build/sim``, so that no two machines share.

    The main parameters can be read; a digest stands for all of them.
    """
    digest = hashlib.sha256(config.describe().encode()).hexdigest()[:8]
    return f"mixdit_{config.rows}x{config.cols}_acc{config.acc_width}_k{config.k_max}_{digest}"


def read_config(folder: Path) -> tuple[Config, str]:
    """Read the machine that a command wants simulated, and the name of its Verilog module."""
    machine = json.loads((folder / MACHINE_FILE).read_text(encoding="utf-8"))
    fields = machine["parameters"]
    return Config(**fields | {"float_formats": tuple(fields["float_formats"])}), machine["name"]


def write_config(folder: Path, config: Config, name: str | None = None) -> None:
    """Write what `read_config` reads; the name is `build_name`, unless a model has another."""
    machine = {"name": name or build_name(config), "parameters": asdict(config)}
    write_text(folder / MACHINE_FILE, json.dumps(machine))


def report(folder: Path, **entry: Any) -> None:
    """Append one line to the progress file."""
    with (folder / PROGRESS_FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


class InterruptDriver(Driver):
    """A driver that waits for the machine's interrupt instead of polling."""

    def __init__(self, read: Callable, write: Callable, irq: Any):
        super().__init__(read, write, pause=self._sleep, clock=partial(get_sim_time, "sec"))
        self._irq = irq

    async def enable(self) -> None:
        """Ask for an interrupt at each job's end and at a stream fault."""
        await self.write("IRQ_ENABLE", 1 << ENDED | StreamFault(~0).value << FAULTS)

    async def _sleep(self) -> None:
        """Wait for an interrupt and clear it; the count is read after that, so none is lost."""
        if not int(self._irq.value):
            await RisingEdge(self._irq)
        await self.check()
        await self.write("IRQ_PENDING", 1 << ENDED)


class ReportingMachine(Machine):
    """A machine for long runs: it reports how far it is, and its bus models are fast."""

    def __init__(self, dut: Any, config: Config, folder: Path):
        super().__init__(dut, config)
        self.folder = folder
        self.driver = InterruptDriver(self.read, self.write, dut.irq)

    def _stream(self, kind: type, prefix: str) -> Source | Sink:
        return Sink(self.dut, prefix) if kind is AxiStreamSink else Source(self.dut, prefix)

    def stall(self, share: float) -> None:
        """Let every stream take a random share of the cycles off, from now on."""
        if share:
            self.pause(dict.fromkeys(STREAMS, share))
        else:
            for end in (self.act, self.weight, self.out):
                end.set_pause_generator(None)

    async def collect(self, job: Job) -> Results:
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
        table = work.uses_table * _TABLE_WRITE_CYCLES * (job.k + k_blocks)
        act = sum(1 + len(packet) // config.act_bytes for packet in act_packets(config, work))
        weight = weight_passes(config, job) * sum(
            len(packet) // config.weight_bytes for packet in weight_packets(config, work))
        converted = column_tiles * k_blocks * (2 + 18 * config.cols // config.weight_bytes)
        if job.converts:
            return table + act + converted
        return table + act + weight + tiles * column_tiles * 4 * k_blocks + job.m * column_tiles


@cocotb.test()
async def jobs(dut):
    folder = Path(drive.parameters()["folder"])
    works = read_works(folder)
    machine = ReportingMachine(dut, read_config(folder)[0], folder)
    await machine.reset()
    await machine.driver.identify()
    await machine.driver.enable()
    reporter = cocotb.start_soon(machine.report_cycles())
    outcomes = []
    for group, stall in zip(works, read_stalls(folder), strict=True):
        machine.stall(stall)
        limit = 10_000 + _PATIENCE * sum(machine.cycles_bound(work) for work in group)
        try:
            ran = await with_timeout(machine.run_all(group), limit * drive.PERIOD_NS, "ns")
        except SimTimeoutError:
            raise RuntimeError(f"the machine hung: no end after {limit} cycles") from None
        outcomes += [Outcome(results, counters) for results, counters in ran]
    reporter.cancel()
    write_outcomes(folder, outcomes)


def build_and_run(folder: Path, tests: str, label: str) -> int:
    """Build the machine of a folder and run its works; the exit code says whether that failed.

    Parameters
    ----------
    folder : pathlib.Path
        With what `write_config` and `write_works` wrote.
    tests : str
        The module whose cocotb tests run the works.
    label : str
        Of the run, in the simulation's folder.
    """
    config, name = read_config(folder)
    report(folder, stage="build")
    try:
        built = bench.build(Accelerator(config), name)
        report(folder, stage="run", verilog=str(built.directory / f"{built.name}.v"))
        bench.run(built, tests, parameters={"folder": str(folder)}, label=label)
    except (AssertionError, ToolError, OSError) as error:
        report(folder, error=str(error))
        return ExitCode.FAILED
    return ExitCode.DONE


def run_folder(program: str, tests: str, label: Callable[[Path], str]) -> int:
    """Be the program that another command starts with a folder; return the exit code.

    It ends when the process that started it is gone.
    """
    parser = ArgumentParser(prog=f"python -m {program}",
                            description="Started by other commands, with standard input a pipe.")
    parser.add_argument("folder", type=Path, help="with the jobs' files")
    place = parser.parse_args().folder.resolve()
    children.end_with_parent()
    return build_and_run(place, tests, label(place))


if __name__ == "__main__":
    start(lambda: run_folder("examples.run_jobs", "examples.run_jobs",
                             lambda place: place.parent.name))
