"""The half that runs under pytest: what a bench builds gets mutants, and its tests run for each.

Loaded by ``python -m pytest -p sim_tests.mutants.plugin``; what to do stands in the environment.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amaranth.lib.wiring import Component

from commands import children
from hw.parts.sram import MODULE as SRAM
from hw.parts.sram import sram_verilog
from sim_tests import bench
from sim_tests.mutants.mutant import SELECT, Mutant

TASK, HANDOVER = "MUTANTS_TASK", "MUTANTS_RUN"
"""Variables: for this half, and from it for the half inside the simulator."""

STALL_SECONDS = 400
"""Without a line in the log, after which a simulation counts as hung."""


class Trial:
    """The tests of one bench on one build, for each of some mutants.

    Parameters
    ----------
    folder : pathlib.Path
        Results go to ``mutants.json`` (a list of records) and ``report.json``.
    module : str
        Whose mutants are drawn.
    count, seed : int
        How many, and which.
    mutants : list of Mutant, optional
        Those of another build instead, where they have a sibling in this one.
    """

    def __init__(self, folder: Path, module: str, count: int, seed: int,
                 mutants: list[Mutant] | None = None):
        self.folder, self.module, self.count, self.seed = folder, module, count, seed
        self._given = mutants
        self._run, self._build = bench.run, bench.build
        self._mutants: list[Mutant] = []
        self._killed: dict[int, str] = {}

    def build(self, component: Component, name: str, *, top: str | None = None,
              args: Any = (), emitted: Any = None, **options: Any) -> bench.Build:
        """Do `bench.build` with mutants behind an input."""
        from sim_tests.mutants.netlist import Netlist  # Yosys takes its time

        verilog = top or name
        netlist = Netlist(component, verilog, self.folder / "netlist")
        if self._given is None:
            self._mutants = netlist.draw(self.module, self.count, self.seed)
        else:
            found = [netlist.sibling(mutant) for mutant in self._given]
            self._mutants = [mutant for mutant in found if mutant]
            self._places = [number for number, mutant in enumerate(found) if mutant]
        files = {f"{verilog}.v": netlist.embed(self._mutants)} if self._mutants else None
        if files and netlist.has_memory:
            files[f"{verilog}_{SRAM}.v"] = sram_verilog(f"{verilog}_{SRAM}")
        self.owners = netlist.modules()
        return self._build(component, name, top=top, emitted=files,
                           args=[*args, "-Wno-fatal", "-Wno-lint", "-Wno-style"],
                           inputs=[SELECT] if files else (), **options)

    def run(self, built: bench.Build, test_module: str, *, label: str = "run",
            **options: Any) -> None:
        """Do `bench.run` for the good netlist, then for each mutant that is still alive."""
        alive = [number for number, _ in enumerate(self._mutants, 1) if number not in self._killed]
        if not alive:
            self._write({})
            return
        log = self.folder / f"{label}.jsonl"
        log.unlink(missing_ok=True)

        def simulate(mutants: list[int], times: dict[str, float]) -> list[list]:
            log.touch()
            before = len(log.read_text(encoding="utf-8").splitlines())
            os.environ[HANDOVER] = json.dumps({"bench": test_module, "log": str(log),
                                               "mutants": mutants, "times": times})
            with _Watch(log):
                try:
                    self._run(built, "sim_tests.mutants.in_simulator", label=label, **options)
                except AssertionError as error:
                    said = str(error)
                else:
                    said = ""
            lines = log.read_text(encoding="utf-8").splitlines()[before:]
            found = [json.loads(line) for line in lines]
            if not found:
                raise AssertionError(f"the bench did not begin: {said}")
            return found

        good = simulate([0], {})
        if [line for line in good if line[0] == "fail"] or _unended(good):
            raise AssertionError(f"the bench fails with the good netlist: {good[-3:]}")
        ended = sorted((line for line in good if line[0] == "pass"), key=lambda line: line[4])
        times = {line[2]: line[3] for line in ended}
        while alive:
            lines = simulate(alive, times)
            for kind, number, *rest in lines:
                if kind == "fail":
                    self._killed.setdefault(number, rest[0])
            for number, test in _unended(lines):
                self._killed.setdefault(number, test)
            begun = [line[1] for line in lines]
            after = alive.index(begun[-1]) + 1
            alive = alive[after:]
        self._write({"bench_seconds": round(sum(line[4] for line in ended), 2)})

    def _write(self, more: dict[str, Any]) -> None:
        """Write what became of the mutants so far."""
        if self._given is None:
            records = [mutant.record() for mutant in self._mutants]
            (self.folder / "mutants.json").write_text(json.dumps(records), encoding="utf-8")
            places = list(range(len(records)))
        else:
            places = self._places
        report = {"killed": {places[number - 1]: test for number, test in self._killed.items()},
                  "tried": places, "owners": sorted(self.owners), **more}
        (self.folder / "report.json").write_text(json.dumps(report), encoding="utf-8")


def _unended(lines: list[list]) -> list[tuple[int, str]]:
    """List the mutants and tests that began, and neither passed nor failed."""
    found = []
    for line, following in zip(lines, [*lines[1:], ["end", None, None]], strict=True):
        if line[0] == "start" and (following[0] == "start" or following[1] != line[1]):
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
    task = json.loads(os.environ[TASK])
    given, folder = task.pop("mutants"), Path(task.pop("folder"))
    bench.BUILD = folder / "sim"  # the models of whole benches stay as they are
    trial = Trial(folder, **task,
                  mutants=None if given is None else [Mutant.read(each) for each in given])
    functions: dict[str, Callable] = {"build": trial.build, "run": trial.run}
    for name, function in functions.items():
        setattr(bench, name, function)
