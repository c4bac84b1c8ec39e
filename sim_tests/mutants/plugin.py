"""The half that runs under pytest: what a bench builds gets mutants, and its tests run for each.

Loaded by ``python -m pytest -p sim_tests.mutants.plugin``; what to do stands in the environment.
"""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from amaranth.lib.wiring import Component

from commands import children
from hw.parts.sram import MODULE as SRAM
from hw.parts.sram import sram_verilog
from sim_tests import bench
from sim_tests.mutants.mutant import SELECT
from sim_tests.mutants.netlist import Netlist
from sim_tests.mutants.task import Task, report

HANDOVER = "MUTANTS_RUN"
"""Variable with what the half inside the simulator needs."""

STALL_SECONDS = 400
"""Without a line in the log, after which a simulation counts as hung."""


class Trial:
    """The tests of one bench on one build, for each of some mutants.

    Parameters
    ----------
    task : Task
    folder : pathlib.Path
        For netlist, logs and report.
    """

    def __init__(self, task: Task, folder: Path):
        self._task, self._folder = task, folder
        self._run, self._build = bench.run, bench.build
        self._killed: dict[int, str] = {}

    def build(self, component: Component, name: str, *, top: str | None = None,
              args: Any = (), opened: Any = (), emitted: Any = None,
              **options: Any) -> bench.Build:
        """Do `bench.build` with mutants behind an input."""
        verilog = top or name
        self._netlist = netlist = Netlist(component, verilog, self._folder / "netlist")
        self._mutants, self._places = self._task.choose(netlist, opened)
        if not self._mutants:
            return self._build(component, name, top=top, args=args, opened=opened,
                               emitted=emitted, **options)
        files = {f"{verilog}.v": netlist.embed(self._mutants)}
        if netlist.has_memory:
            files[f"{verilog}_{SRAM}.v"] = sram_verilog(f"{verilog}_{SRAM}")
        return self._build(component, name, top=top, emitted=files, opened=[*opened, SELECT],
                           args=[*args, "-Wno-fatal", "-Wno-lint", "-Wno-style"], **options)

    def run(self, built: bench.Build, test_module: str, *, label: str = "run",
            **options: Any) -> None:
        """Do `bench.run` for the good netlist, then for each mutant that is still alive."""
        alive = [number for number, _ in enumerate(self._mutants, 1) if number not in self._killed]
        if not alive:
            self._report(0)
            return
        log = self._folder / f"{label}.jsonl"
        log.write_text("", encoding="utf-8")

        def simulate(mutants: list[int], times: dict[str, float]) -> list[list]:
            before = len(log.read_text(encoding="utf-8").splitlines())
            os.environ[HANDOVER] = json.dumps({"bench": test_module, "log": str(log),
                                               "mutants": mutants, "times": times})
            said = ""
            with _Watch(log):
                try:
                    self._run(built, "sim_tests.mutants.in_simulator", label=label, **options)
                except AssertionError as error:
                    said = str(error)
            lines = log.read_text(encoding="utf-8").splitlines()[before:]
            if not lines:
                raise AssertionError(f"the bench did not begin: {said}")
            return [json.loads(line) for line in lines]

        good = simulate([0], {})
        if [line for line in good if line[0] == "fail"] or _unended(good):
            raise AssertionError(f"the bench fails with the good netlist: {good[-3:]}")
        ended = sorted((line for line in good if line[0] == "pass"), key=lambda line: line[4])
        times = {line[2]: line[3] for line in ended}
        while alive:
            lines = simulate(alive, times)
            for kind, number, test, *_ in lines:
                if kind == "fail":
                    self._killed.setdefault(number, test)
            for number, test in _unended(lines):
                self._killed.setdefault(number, test)
            # A mutant may have stopped the simulator: those behind it are still to be tried.
            alive = alive[alive.index(lines[-1][1]) + 1:]
        self._report(sum(line[4] for line in ended))

    def _report(self, seconds: float) -> None:
        report(self._folder, self._netlist, self._mutants, self._places, self._killed, seconds)


def _unended(lines: list[list]) -> list[tuple[int, str]]:
    """List the mutants and tests that began, and neither passed nor failed."""
    found = []
    for line, following in zip(lines, [*lines[1:], ["start", None, None]], strict=True):
        if line[0] == "start" and following[0] == "start":
            found.append((line[1], line[2]))
    return found


class _Watch:
    """End the simulation while its log does not grow."""

    def __init__(self, log: Path):
        self._log, self._is_over = log, threading.Event()

    def __enter__(self) -> None:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def __exit__(self, *_: Any) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        size, since = -1, time.monotonic()
        while not self._is_over.wait(1):
            now = self._log.stat().st_size
            if now != size:
                size, since = now, time.monotonic()
            elif time.monotonic() - since > STALL_SECONDS:
                children.end_all()
                since = time.monotonic()


def pytest_configure() -> None:
    """Put a trial in the place of the bench's functions."""
    task, folder = Task.from_environment()
    bench.BUILD = folder / "sim"  # the models of whole benches stay as they are
    trial = Trial(task, folder)
    bench.build, bench.run = trial.build, trial.run
