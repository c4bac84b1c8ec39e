"""The simulators that benches run in.

``verilator``
    Two-state and fast; registers and memories are zero before the reset.
``random``
    Verilator, but registers and memories hold random bits before the reset, by MIXDIT_SEED.
``icarus``
    Four-state and slow: they are unknown (X) before the reset.

In all of them a read of the memory word that is being written returns garbage.
"""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import sysconfig
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.lib.wiring import Component
from cocotb_tools.runner import Icarus, Runner, Verilator

from commands import children, environment, tools
from hw.parts.emit import emit_files
from hw.tools.waivers import WAIVERS
from simulation.runtime import Optimise, prepare

POISON = "-DSRAM_POISON"


class Simulator(ABC):
    """What a bench needs to know of a simulator.

    Attributes
    ----------
    suffix : str
        Of the build folder.
    compilers : tuple of str
        Programs of the computer that make a model.
    build_args : tuple of str
    environment : Mapping
        What a simulation finds in its environment.
    is_four_state : bool
        There are X and Z.
    tools : tuple of str
        What it needs beside pip's packages, of `commands.tools.PACKAGES`.
    """

    suffix = ""
    compilers: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    build_args: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    is_four_state = False

    @abstractmethod
    def model(self, top: str) -> str:
        """Name the file that a build makes in its folder."""

    def made_of(self, *parts: str) -> str:
        """Return a digest of what a model is made of: texts, arguments, and the tools' versions."""
        programs = [Path(found) for each in self.compilers if (found := shutil.which(each))]
        made_of = [type(self).__name__, sys.prefix, *map(version, ("cocotb", "verilator")), *parts,
                   *(f"{path.resolve()} {path.stat().st_mtime_ns}" for path in programs)]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    @abstractmethod
    def runner(self) -> Runner:
        """Make cocotb's runner."""

    def control(self, top: str, ports: Iterable[str]) -> str:
        """Return the text of Verilator's control file for a top whose ports are driven."""
        return ""

    def emitted(self, component: Component, name: str, known: Mapping[str, str] | None
                ) -> Mapping[str, str]:
        """Return the files of a component: those that are known, or what `emit_files` gives."""
        return emit_files(component, name) if known is None else known

    def plusargs(self, seed: int) -> list[str]:
        """List the arguments of a simulation."""
        return []

    def ended(self, verilog: Path, directory: Path) -> None:  # noqa: B027
        """Look at what a simulation of a Verilog file left in its folder."""


class VerilatorSimulator(Simulator):
    """Verilator, as fast as it gets."""

    compilers = ("c++", "make")
    tools = tools.VERILATOR
    build_args = (
        "-O3",
        *("--x-assign", "fast", "--x-initial", "fast"),
        POISON,
        "--no-public-flat-rw",  # cocotb's runner makes every net public; `control` names ours
        # Small functions compile fast; each file costs half a second for the templates it uses.
        *("--output-split", "40000", "--output-split-cfuncs", "500"),
    )
    optimise = Optimise("-O1", "-O0", "-O1")
    """Dearer ones cost a bench more than they save it."""

    def model(self, top: str) -> str:
        return top

    def runner(self) -> Runner:
        _find_verilator()
        return CocotbVerilator(self.optimise)

    def made_of(self, *parts: str) -> str:
        return super().made_of(repr(self.optimise), *parts)

    def control(self, top: str, ports: Iterable[str]) -> str:
        return WAIVERS + "".join(f'public_flat_rw -module "{top}" -var "{port}"\n'
                                 for port in ports)


class RandomVerilator(VerilatorSimulator):
    """Verilator with a random state before the reset, another one for each seed."""

    suffix = "_random"
    build_args = (*VerilatorSimulator.build_args, "--x-initial", "unique")

    def plusargs(self, seed: int) -> list[str]:
        return ["+verilator+rand+reset+2", f"+verilator+seed+{seed}"]


class IcarusSimulator(Simulator):
    """Icarus Verilog by the rules of SystemVerilog, where what has no value yet is X.

    An output may be X where nobody looks, such as in bytes without ``tkeep``. cocotb takes that for
    zeros; `sim_tests.accelerator.x_watch` looks at what counts before it does.
    """

    suffix = "_icarus"
    compilers = ("iverilog",)
    tools = ("iverilog", "libpython")
    build_args = ("-g2012", POISON)
    environment: Mapping[str, str] = {"COCOTB_RESOLVE_X": "zeros"}
    is_four_state = True

    def model(self, top: str) -> str:
        return "sim.vvp"

    def runner(self) -> Runner:
        runner = _Icarus()
        runner.log.setLevel(logging.CRITICAL)
        return runner


SIMULATORS: Mapping[str, Simulator] = {
    "verilator": VerilatorSimulator(), "random": RandomVerilator(), "icarus": IcarusSimulator()}


def choose(name: str | None = None) -> Simulator:
    """Return a simulator by its name, or that of MIXDIT_SIMULATOR; see that its tools are here.

    Raises
    ------
    ValueError
        If there is none of that name.
    commands.tools.ToolError
        If a tool is missing.
    """
    name = name or environment.simulator()
    if name not in SIMULATORS:
        raise ValueError(f"the simulators are {', '.join(SIMULATORS)}, not {name}")
    tools.require(SIMULATORS[name].tools)
    return SIMULATORS[name]


class _Guarded(Runner):
    """cocotb's runner without variables of other projects, whose programs end with us.

    Attributes
    ----------
    lock : int or None
        Descriptor that the programs inherit, so that a build which outlives us stays locked.
    is_built : bool
        There is nothing to build: `build` takes note of what it is told, and starts nothing.
    """

    lock: int | None = None
    is_built = False

    def build(self, *args: Any, **options: Any) -> None:
        with environment.cleared():
            super().build(*args, **options)
        self.is_built = False

    def test(self, *args: Any, **options: Any) -> Path:
        with environment.cleared():
            return super().test(*args, **options)

    def _execute(self, cmds: Sequence[list[str]], cwd: Any) -> None:
        if not self.is_built:
            super()._execute(cmds, cwd)

    def _execute_cmds(self, cmds: Sequence[list[str]], cwd: Any, stdout: Any = None) -> None:
        for command in cmds:
            done = children.run(
                command, cwd=cwd, env=self.env, stdout=stdout, stderr=stdout and subprocess.STDOUT,
                stdin=None, pass_fds=[] if self.lock is None else [self.lock])
            if done.returncode:
                raise RuntimeError(f"{command[0]} ended with code {done.returncode}")


class _Icarus(_Guarded, Icarus):
    """Icarus Verilog."""


class CocotbVerilator(_Guarded, Verilator):
    """cocotb's runner, but Verilator's own runtime is compiled once and not in every build."""

    def __init__(self, optimise: Optimise) -> None:
        super().__init__()
        self._optimise = optimise
        self.log.setLevel(logging.CRITICAL)  # `bench.run` says what failed

    def _build_command(self) -> list[list[str]]:
        verilate, compile_ = super()._build_command()
        if self.is_built:
            return [verilate, compile_]
        runtime = prepare(["--vpi", *(["--trace"] if self.waves else [])], self._optimise)
        copy = ["cp", *map(str, runtime.objects), str(self.build_dir)]
        return [verilate, copy, [*compile_, *runtime.variables]]


def _find_verilator() -> None:
    """Put the Verilator of this environment first on PATH."""
    scripts = Path(sysconfig.get_path("purelib")) / "verilator" / "bin"
    path = os.environ.get("PATH", "").split(os.pathsep)
    if scripts.is_dir() and str(scripts) not in path:
        os.environ["PATH"] = os.pathsep.join([str(scripts), *path])
