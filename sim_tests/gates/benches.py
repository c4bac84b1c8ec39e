"""Run benches on a netlist, and say what they found."""

import hashlib
import json
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from commands import kept
from commands.outputs import write_text
from perf.rtl.ppa.library import Library
from reporting.version import code_version
from sim_tests import bench
from sim_tests.gates.mapping import map_to_gates
from sim_tests.gates.subjects import Subject


@dataclass(frozen=True)
class Outcome:
    """What benches found of a netlist.

    Attributes
    ----------
    subject : Subject
    cells, registers : int
        Library cells, and the flip-flops among them.
    passed : dict of str to int
        Tests by the module that holds them.
    fault : str
        Of the first bench that failed; empty if none did.
    seconds : float
        Synthesis, compilation and simulation.
    """

    subject: Subject
    cells: int
    registers: int
    passed: dict[str, int]
    fault: str
    seconds: float


def judge_once(subject: Subject, library: Library, folder: Path) -> Outcome:
    """Do what `judge` does, unless the same has been done in this folder, and nothing failed."""
    path, version = folder / "outcome.json", _version(subject, library)
    record = kept.result(path)
    if record and record.pop("version") == version:
        return Outcome(subject=subject, fault="", **record)
    outcome = judge(subject, library, folder)
    if not outcome.fault:
        write_text(path, json.dumps({
            "version": version, "cells": outcome.cells, "registers": outcome.registers,
            "passed": outcome.passed, "seconds": outcome.seconds}))
    return outcome


def _version(subject: Subject, library: Library) -> str:
    """Return what changes with all that an outcome follows from."""
    tests = (f"{run.tests.replace('.', '/')}.py" for run in subject.runs)
    code = code_version((
        "hw/**/*.py", "golden/*.py", "simulation/**/*.py", "perf/rtl/ppa/*", "sim_tests/*.py",
        "sim_tests/stimuli/*.py", *(f"sim_tests/gates/{name}.py" for name in (
            "subjects", "mapping")), *tests))
    return f"{code} {hashlib.sha256(library.path.read_bytes()).hexdigest()[:16]} {bench.seed()}"


def judge(subject: Subject, library: Library, folder: Path) -> Outcome:
    """Map a subject to gates and run its benches.

    Parameters
    ----------
    subject : Subject
    library : Library
    folder : pathlib.Path
        For the netlist; the model of it goes where the benches build.

    Raises
    ------
    ToolError
        If synthesis fails.
    """
    began, component = time.monotonic(), subject.make()
    mapped = map_to_gates(subject, component, library, folder)
    passed: dict[str, int] = {}
    fault = ""
    try:
        built = bench.build(component, f"gates_{subject.name}", top=subject.top,
                            poison=subject.is_machine, simulator="verilator",
                            args=["-Wno-UNOPTFLAT"], emitted=mapped.files)
        for run in subject.runs:
            label = run.tests.rpartition(".")[2]
            bench.run(built, run.tests, only=run.only, parameters=run.parameters, label=label)
            passed[run.tests] = _ran(built.directory / label / "results.xml")
    except AssertionError as error:
        fault = str(error)
    return Outcome(subject, sum(mapped.netlist.cells.values()), mapped.netlist.registers, passed,
                   fault, time.monotonic() - began)


def _ran(results: Path) -> int:
    """Count the tests that ran."""
    return sum(case.find("skipped") is None
               for case in ET.parse(results).getroot().iter("testcase"))
