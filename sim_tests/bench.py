"""Emit a component, build it for a simulator, and run cocotb tests on it.

This is the half of a bench that runs under pytest; `sim_tests.drive` is the half that runs inside
the simulator. A test file holds both::

    @cocotb.test(timeout_time=1, timeout_unit="ms")
    async def matches_golden(dut):
        await drive.reset(dut)
        ...

    def test_widen():
        bench.simulate(Widen(), __name__, "widen")

Environment
-----------
MIXDIT_SEED : int
    Seed of every random choice (default 1). A failure prints it.
MIXDIT_FULL : 0 or 1
    Wider sweeps, see `sim_tests.drive.amount`.
MIXDIT_MATRIX : 0 or 1
    Run the accelerator's benches on every machine, see `sim_tests.accelerators`.
MIXDIT_SIMULATOR : verilator, random or icarus
    Where benches run, see `sim_tests.simulators`.
WAVES : 0 or 1
    Write ``dump.vcd`` (Icarus: an FST file) beside the log of each simulation.
"""

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.lib.wiring import Component, Flow, In
from cocotb_tools.runner import Runner, VerilatorControlFile

from commands import builds, environment
from commands.outputs import write_if_changed
from hw.parts.sram import MODULE
from sim_tests.simulators import Simulator, choose

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "sim"

STAMP = "made_of"
"""The file in a build's folder that has the digest of all that its model was made of."""

POISONED_SRAM = ROOT / "sim_tests" / "verilog" / "sram_poisoned.v"


@dataclass(frozen=True)
class Build:
    """A component, compiled and ready to run.

    Attributes
    ----------
    name : str
        Verilog name of the top module.
    directory : pathlib.Path
        Where the model, the logs and the waveforms are.
    component : wiring.Component
        What was built.
    waves : bool
        The model can write waveforms.
    simulator : Simulator
    runner : cocotb_tools.runner.Runner
    """

    name: str
    directory: Path
    component: Component
    waves: bool
    simulator: Simulator
    runner: Runner


def seed() -> int:
    """Return the seed of this run, from MIXDIT_SEED."""
    return environment.seed()


def ports(component: Component) -> dict[str, Flow]:
    """Map each port's Verilog name to its direction; an implicit ``clk`` and ``rst`` aside."""
    flat = component.signature.flatten(component)
    return {"__".join(map(str, path)): member.flow for path, member, _ in flat}


def build(
    component: Component,
    name: str,
    *,
    top: str | None = None,
    waves: bool | None = None,
    args: Sequence[str] = (),
    sources: Sequence[Path] = (),
    memory: Path | None = None,
    poison: bool = False,
    simulator: str | None = None,
    emitted: Mapping[str, str] | None = None,
    opened: Sequence[str] = (),
) -> Build:
    """Emit a component and compile it, unless the folder has the model of the same Verilog.

    One process at a time builds in a folder, and what a killed one left is built anew.

    Parameters
    ----------
    component : wiring.Component
        The top.
    name : str
        Its Verilog name, and the folder under ``build/sim``; one name for each set of parameters.
    top : str, optional
        Its Verilog name where that is not the folder's.
    waves : bool, optional
        Compile waveforms in; default is the environment's WAVES.
    args : sequence of str
        More arguments for the simulator's compiler.
    sources : sequence of pathlib.Path
        More Verilog files.
    memory : pathlib.Path, optional
        Verilog that takes the place of the memory module.
    poison : bool
        `POISONED_SRAM` does: memories return garbage for what was not written since the reset.
    simulator : str, optional
        By its name in `sim_tests.simulators`; default is the environment's MIXDIT_SIMULATOR.
    emitted : mapping of str to str, optional
        What `emit_files` gave for this component and name, where it is at hand.
    opened : sequence of str
        Signals of the top, beside its ports, that tests read or set.

    Returns
    -------
    Build

    Raises
    ------
    AssertionError
        When the component does not build, with the end of the log.
    commands.tools.ToolError
        If a tool is missing.
    ValueError
        If make cannot build where this project lies.
    """
    builds.check_place(BUILD)
    chosen = choose(simulator)
    if waves is None:
        waves = environment.flag(environment.WAVES)
    directory = BUILD / f"{name}{chosen.suffix}{'_waves' if waves else ''}"
    name = top or name
    verilog, control = directory / f"{name}.v", directory / "ports.vlt"
    files = dict(chosen.emitted(component, name, emitted))
    module = f"{name}_{MODULE}"
    if memory is not None:
        files[f"{module}.v"] = memory.read_text(encoding="utf-8")
    if poison:
        poisoned = POISONED_SRAM.read_text(encoding="utf-8")
        files[f"{module}.v"] = poisoned.replace(MODULE, module)
        is_low = "aresetn" in ports(component)
        args = [*args, f"-DSRAM_RESET={f'!{name}.aresetn' if is_low else f'{name}.rst'}"]
    public = [*ports(component), "clk", "rst", *opened]
    runner, log = chosen.runner(), directory / "build.log"
    commands = chosen.control(name, public)
    text, arguments = "\n".join(files.values()), [*chosen.build_args, *args]
    others = (path.read_text(encoding="utf-8") for path in sources)
    made_of = chosen.made_of(text, commands, *others,
                             *map(str, [directory, waves, *sources, *arguments]))
    stamp = directory / STAMP
    with builds.building(directory) as runner.lock:
        runner.is_built = (stamp.is_file() and (directory / chosen.model(name)).is_file()
                           and stamp.read_text(encoding="utf-8") == made_of)
        if not runner.is_built:
            stamp.unlink(missing_ok=True)
        write_if_changed(verilog, text)
        if commands:
            write_if_changed(control, commands)
        try:
            runner.build(
                sources=[*([VerilatorControlFile(control)] if commands else []), *sources, verilog],
                hdl_toplevel=name,
                build_dir=directory,
                build_args=arguments,
                timescale=("1ns", "1ps"),
                waves=waves,
                log_file=log,
            )
        except RuntimeError:
            raise AssertionError(f"{name} does not build, see {log}\n{_tail(log)}") from None
        finally:
            runner.lock = None
        write_if_changed(stamp, made_of)
    return Build(name, directory, component, waves, chosen, runner)


def run(
    built: Build,
    test_module: str,
    *,
    parameters: Mapping[str, object] | None = None,
    only: str | None = None,
    label: str = "run",
) -> None:
    """Run the cocotb tests of a module on a built component.

    Parameters
    ----------
    built : Build
        From `build`.
    test_module : str
        Importable name; a test file that holds its cocotb tests passes ``__name__``.
    parameters : mapping, optional
        What `sim_tests.drive.parameters` returns inside the simulator; plain JSON values.
    only : str, optional
        Regular expression on test names; the default is all of them.
    label : str
        Names the log, results and waveform folder of this run within the build.

    Raises
    ------
    AssertionError
        When a test failed, naming it, or when none ran.
    """
    __tracebackhide__ = True
    directory = built.directory / label
    directory.mkdir(parents=True, exist_ok=True)
    results, log = directory / "results.xml", directory / "run.log"
    inputs = [port for port, flow in ports(built.component).items() if flow == In]
    handover = {"inputs": inputs, "parameters": dict(parameters or {}), "seed": seed(),
                "is_four_state": built.simulator.is_four_state}
    path = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    try:
        built.runner.test(
            test_module=test_module,
            hdl_toplevel=built.name,
            build_dir=built.directory,
            test_dir=directory,
            results_xml=str(results),
            seed=seed(),
            test_filter=only,
            plusargs=built.simulator.plusargs(seed()),
            waves=built.waves,
            log_file=log,
            extra_env={
                **built.simulator.environment,
                "MIXDIT_BENCH": json.dumps(handover),
                "PYTHONPATH": os.pathsep.join(filter(None, path)),
            },
        )
    except (SystemExit, RuntimeError):  # the runner's way to say that a test failed
        pass
    if not results.exists():
        raise AssertionError(f"simulation died, see {log}\n{_tail(log)}")
    built.simulator.ended(built.directory / f"{built.name}.v", directory)
    failed = _failures(results)
    if failed:
        again = f"reproduce with MIXDIT_SEED={seed()}; log: {log.relative_to(ROOT)}"
        raise AssertionError("\n".join([f"{len(failed)} failed in {built.name}:", *failed, again]))


def simulate(
    component: Component,
    test_module: str,
    name: str,
    *,
    opened: Sequence[str] = (),
    **options: Any,
) -> None:
    """Build a component and run a module's tests on it: `build`, then `run` with the options."""
    __tracebackhide__ = True
    run(build(component, name, opened=opened), test_module, **options)


def _tail(log: Path, lines: int = 20) -> str:
    """Return the end of a log."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def _failures(results: Path) -> list[str]:
    """Read a results file: one line or more for each failed test."""
    cases = list(ET.parse(results).getroot().iter("testcase"))
    ran = [case for case in cases if case.find("skipped") is None]
    if not ran:
        raise AssertionError(f"no test ran, see {results}")
    failed = []
    for case in ran:
        trouble = [child for child in case if child.tag in ("failure", "error")]
        failed += [f"  {case.get('name')}: {child.get('message', '')}" for child in trouble]
    return failed
