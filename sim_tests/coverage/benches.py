"""Which benches reach what, and what a bench's figures follow from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reporting.version import code_version
from sim_tests.bench import ROOT

TESTS = ROOT / "sim_tests"

OF_MACHINES = {"3x5": ("accelerator", "faults", "abort"), "4x4": ("accelerator",)}
"""Benches of the accelerator by machine. The second one is there for its formats and its sizes,
powers of two: what it adds is in the datapath, and all jobs go through that."""

OF_A_RING = ("memory_machine", "ring_faults", "ring_bus", "ring_tables", "ring_counts",
             "ring_window")
"""Benches of the machine between a bus and a ring, each of all its machines."""

OTHER_BENCHES = {
    "radix_select": "outlier_detector", "tile_maxima": "outlier_detector",
    "gather": "reorder", "tile_tags": "tile_stage",
    "beat_issuer": "block_walker", "tile_loops": "block_walker",
    "block_aligner": "mx_packer", "block_rounder": "mx_converter",
    "part_joiner": "result_path", "tile_turner": "result_path",
    "result_writer": "result_path", "register_slice": "skid_buffer",
    "burst_splitter": "bus_reader", "read_channel": "bus_reader", "read_port": "bus_reader",
    "row_reader": "readers", "tile_reader": "readers", "tile_extent": "readers",
    "beside_reader": "readers", "pass_work": "dispatcher",
    "memory_machine": OF_A_RING, "operand_reader": OF_A_RING, "operand_path": OF_A_RING,
    "side_reader": OF_A_RING, "burst_former": "write_port",
    "descriptor_check": "dispatcher", "count_writer": "result_sink",
}
"""The bench of a module that has none of its own name, or several."""

COUNTING = tuple(f"sim_tests/coverage/{name}.py" for name in (
    "constants", "emission", "places", "plugin", "points", "simulator"))
"""What decides which points there are and how they are counted."""

_SIMULATES = re.compile(r"\b(bench\.(simulate|build)|simulate)\(")


@dataclass(frozen=True)
class Bench:
    """A file of tests, or one machine's tests in it.

    Attributes
    ----------
    path : pathlib.Path
    machine : str
        Empty of a module's bench.
    """

    path: Path
    machine: str = ""

    @property
    def name(self) -> str:
        """What the figures are kept under."""
        stem = self.path.stem.removeprefix("test_")
        return f"{stem}_{self.machine}" if self.machine else stem

    @property
    def arguments(self) -> list[str]:
        """What pytest is called with."""
        path = self.path.relative_to(ROOT).as_posix()
        if self.machine:
            return [f"{path}::{self.path.stem}[{self.machine}]"]
        return [path]

    @property
    def version(self) -> str:
        """A number that changes with all that the figures follow from."""
        shared = ("hw/**/*.py", "golden/*.py", "golden/memory/*.py", "simulation/**/*.py",
                  "sim_tests/*.py", "sim_tests/stimuli/*.py", "sim_tests/verilog/*", *COUNTING)
        if self.machine or self.path.parent.name == "memory":
            shared = (*shared, f"sim_tests/{self.path.parent.name}/*.py")
        return code_version((*shared, self.path.relative_to(ROOT).as_posix()))


def find_benches() -> list[Bench]:
    """List the benches of modules by their folders, then those of machines."""
    folder = TESTS / "accelerator"
    apart = {folder, *(TESTS / name for name in (
        "coverage", "fuzz", "gates", "host", "parts", "tools"))}
    modules = [Bench(path) for path in sorted(TESTS.glob("*/test_*.py"))
               if path.parent not in apart
               and _SIMULATES.search(path.read_text(encoding="utf-8"))]
    machines = [Bench(folder / f"test_{name}.py", machine)
                for machine, names in OF_MACHINES.items() for name in names]
    return [*modules, *machines]


def benches_of(modules: Sequence[str]) -> list[Bench]:
    """Choose the benches of some modules, such as "control/job_check"; all without."""
    benches = find_benches()
    if not modules:
        return benches
    own = {bench.name: bench for bench in benches if not bench.machine}
    chosen = []
    for module in modules:
        name = module.rpartition("/")[2]
        names = OTHER_BENCHES.get(name, name)
        found = [own[each] for each in ([names] if isinstance(names, str) else names)
                 if each in own]
        chosen += found or [each for each in benches if each.machine]
    return list(dict.fromkeys(chosen))


def find_modules() -> list[str]:
    """List the files of hw/, such as "control/job_check"."""
    folder = ROOT / "hw"
    return [path.relative_to(folder).with_suffix("").as_posix()
            for path in sorted(folder.rglob("*.py")) if path.name != "__init__.py"]
