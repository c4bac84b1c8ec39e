"""Run benches on a netlist, and say what they found."""

import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from perf.rtl.ppa.library import Library
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
