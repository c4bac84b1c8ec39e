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
import logging
import os
import shutil
import subprocess
import sysconfig
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cocotb_tools.runner import Icarus, Runner, Verilator

from commands import children, environment, tools
from hw.tools.waivers import WAIVERS

POISON = "-DSRAM_POISON"


class Simulator(ABC):
    """What a bench needs to know of a simulator.

    Attributes
    ----------
    suffix : str
        Of the build folder.
    build_args : tuple of str
    environment : Mapping
        What a simulation finds in its environment.
    is_four_state : bool
        There are X and Z.
    tools : tuple of str
        What it needs beside pip's packages, of `commands.tools.PACKAGES`.
    """

    suffix = ""
    tools: tuple[str, ...] = ()
    build_args: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    is_four_state = False

    @abstractmethod
    def runner(self, builds: Path, waves: bool) -> Runner:
        """Make cocotb's runner; ``builds`` is the folder of all build folders."""

    def control(self, top: str, ports: Iterable[str]) -> str:
        """Return the text of Verilator's control file for a top whose ports are driven."""
        return ""

    def plusargs(self, seed: int) -> list[str]:
        """List the arguments of a simulation."""
        return []


class VerilatorSimulator(Simulator):
    """Verilator, as fast as it gets."""

    tools = tools.VERILATOR
    build_args = (
        "-O3",
        *("--x-assign", "fast", "--x-initial", "fast"),
        POISON,
        "--no-public-flat-rw",  # cocotb's runner makes every net public; `control` names ours
        *("--output-split", "5000", "--output-split-cfuncs", "500"),
    )

    def runner(self, builds: Path, waves: bool) -> Runner:
        include = _find_verilator()
        version = hashlib.sha256((include / "verilated_config.h").read_bytes()).hexdigest()[:8]
        return _Verilator(builds / f"runtime{'_waves' if waves else ''}_{version}")

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
    tools = ("iverilog", "libpython")
    build_args = ("-g2012", POISON)
    environment: Mapping[str, str] = {"COCOTB_RESOLVE_X": "zeros"}
    is_four_state = True

    def runner(self, builds: Path, waves: bool) -> Runner:
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
    """

    lock: int | None = None

    def build(self, *args: Any, **options: Any) -> None:
        with environment.cleared():
            super().build(*args, **options)

    def test(self, *args: Any, **options: Any) -> Path:
        with environment.cleared():
            return super().test(*args, **options)

    def _execute_cmds(self, cmds: Sequence[list[str]], cwd: Any, stdout: Any = None) -> None:
        for command in cmds:
            done = children.run(
                command, cwd=cwd, env=self.env, stdout=stdout, stderr=stdout and subprocess.STDOUT,
                stdin=None, pass_fds=[] if self.lock is None else [self.lock])
            if done.returncode:
                raise RuntimeError(f"{command[0]} ended with code {done.returncode}")


class _Icarus(_Guarded, Icarus):
    """Icarus Verilog."""


class _Verilator(_Guarded, Verilator):
    """cocotb's runner, but Verilator's own runtime is compiled once and not in every build."""

    def __init__(self, runtime: Path) -> None:
        super().__init__()
        self._runtime = runtime
        self.log.setLevel(logging.CRITICAL)  # `bench.run` says what failed

    def _set_env_common(self) -> None:
        super()._set_env_common()
        # The wheel leaves this variable empty, and parallel builds then miss a precompiled header.
        self.env["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"

    def _build_command(self) -> list[list[str]]:
        verilate, compile_ = super()._build_command()
        compiled = [str(path) for path in self._runtime.glob("verilated*.o")]
        # Copied in between, because the rules rebuild what is older than the generated Vtop.mk.
        copy = [["cp", *compiled, str(self.build_dir)]] if compiled else []
        return [verilate, *copy, compile_]

    def build(self, *args: Any, **options: Any) -> None:
        super().build(*args, **options)
        self._runtime.mkdir(parents=True, exist_ok=True)
        for compiled in Path(self.build_dir).glob("verilated*.o"):
            if not (self._runtime / compiled.name).exists():
                partial = self._runtime / f"{compiled.name}.{os.getpid()}"
                shutil.copyfile(compiled, partial)
                partial.replace(self._runtime / compiled.name)


def _find_verilator() -> Path:
    """Put the Verilator of this environment first on PATH; return where its headers are."""
    scripts = Path(sysconfig.get_path("purelib")) / "verilator" / "bin"
    path = os.environ.get("PATH", "").split(os.pathsep)
    if scripts.is_dir() and str(scripts) not in path:
        os.environ["PATH"] = os.pathsep.join([str(scripts), *path])
    return scripts.parent / "include"
