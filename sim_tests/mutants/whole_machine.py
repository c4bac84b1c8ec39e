"""Mutants in a whole machine, against random jobs; `main` runs in a process of its own.

The compiled machine reads the mutant's number from a file when it is created. Each mutant has a
process of its own, which it may crash or hang.
"""

import multiprocessing
import re
import time
from dataclasses import replace
from pathlib import Path

from hw.accelerator import Accelerator
from hw.parts.sram import MODULE as SRAM
from sim_tests.bench import POISONED_SRAM
from sim_tests.fuzz.command import CAMPAIGN, simulate
from sim_tests.fuzz.models import MACHINES
from sim_tests.mutants.mutant import SELECT, SELECT_BITS
from sim_tests.mutants.netlist import Netlist
from sim_tests.mutants.task import Task, report
from simulation.build import TOP, Flags, compile_verilog

SEEDS = (1, 2, 3)
"""Of the simulations, each of `CAMPAIGN.per_simulation` jobs, that a mutant has to survive."""

_PATIENCE, _PATIENCE_SECONDS = 10, 60
"""A mutant hangs if it takes so many times as long as the good machine, and so much longer."""


def main() -> None:
    """Try the mutants of the task; write the report."""
    task, folder = Task.from_environment()
    name = task.bench.split()[1]
    netlist = Netlist(Accelerator(MACHINES[name]), TOP, folder / "netlist")
    mutants, places = task.choose(netlist)
    killed: dict[int, str] = {}
    good = 0.0
    if mutants:
        number = folder / "mutant.hex"
        library = _compile(netlist.embed(mutants), number, folder)
        good, failed = _try(library, name, number, 0, None)
        if failed:
            raise AssertionError(f"{name} fails with the good netlist: {failed}")
        for index, mutant in enumerate(mutants, 1):
            _, failed = _try(library, name, number, index,
                             _PATIENCE * good + _PATIENCE_SECONDS)
            if failed:
                killed[index] = failed
            print(f"{index} of {len(mutants)}: {failed or 'survives'}  {mutant.place}", flush=True)
    report(folder, netlist, mutants, places, killed, good)


def _compile(verilog: str, number: Path, folder: Path) -> Path:
    """Compile a machine that takes its mutant's number from a file."""
    for pattern, by in (
        (rf"^(module {TOP}\(.*?), {SELECT}\b|^(module {TOP}\(){SELECT}, ", r"\1\2"),
        (rf"^ +input \[{SELECT_BITS - 1}:0\] {SELECT};\n", ""),
        (rf"^ +wire \[{SELECT_BITS - 1}:0\] {SELECT};\n",
         f"  reg [{SELECT_BITS - 1}:0] {SELECT};\n"
         f"  reg [{SELECT_BITS - 1}:0] {SELECT}_file [0:0];\n"
         f'  initial begin $readmemh("{number}", {SELECT}_file); '
         f"{SELECT} = {SELECT}_file[0]; end\n"),
    ):
        verilog, count = re.subn(pattern, by.replace("\\n", "\n"), verilog, count=1,
                                 flags=re.MULTILINE | re.DOTALL)
        if count != 1:
            raise ValueError(f"the netlist has nothing like {pattern}")
    memory = f"{TOP}_{SRAM}"
    verilog += POISONED_SRAM.read_text(encoding="utf-8").replace(SRAM, memory)
    flags = Flags()
    lenient = ("-Wno-fatal", "-Wno-lint", "-Wno-style", f"-DSRAM_RESET=!{TOP}.aresetn")
    return compile_verilog(verilog, place=folder / "model",
                           flags=replace(flags, verilate=(*flags.verilate, *lenient),
                                         optimise="-O1"))


def _try(library: Path, name: str, number: Path, mutant: int,
         patience: float | None) -> tuple[float, str]:
    """Run a mutant; return the seconds, and what went wrong, "" if nothing did."""
    number.write_text(f"{mutant:x}\n", encoding="ascii")
    queue = multiprocessing.get_context("fork").SimpleQueue()

    def work() -> None:
        for seed in SEEDS:
            try:
                simulate(library, name, CAMPAIGN.per_simulation, seed)
            except Exception as error:  # whatever it is, the fuzzer has seen it
                queue.put(f"seed {seed}: {type(error).__name__}")
                return
        queue.put("")

    begin = time.monotonic()
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(patience)
    if process.is_alive():
        process.kill()
        process.join()
        return time.monotonic() - begin, "hangs"
    said = "crashes" if queue.empty() else queue.get()
    return time.monotonic() - begin, said
