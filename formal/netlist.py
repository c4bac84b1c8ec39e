"""A harness as a transition relation in SMT-LIB 2, by Yosys."""

import re
import subprocess
import sys
from pathlib import Path

from amaranth.back import rtlil

from commands import children
from commands.tools import ToolError
from hw.parts.emit import VerilogPlatform

TOP = "proof"

_MEMORY = Path(__file__).parent / "sram_1r1w.v"

_INSTANCE = re.compile(rf"^  cell \\{TOP}\.(\S+) ", re.MULTILINE)

_RUN_SCRIPT = ("import sys; from pyosys import libyosys; "
               "libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())")


def transition_relation(harness, sources, folder):
    """Translate a harness.

    Parameters
    ----------
    harness : Harness
    sources : list of pathlib.Path
        What `write_rtlil` wrote of it.
    folder : pathlib.Path
        Where they lie, and where Yosys writes.

    Returns
    -------
    str
        Yosys' ``write_smt2``, functions of states: ``|proof_a|`` (all checks hold), ``|proof_u|``
        (all assumptions do), ``|proof_h|`` (instances are what they are), ``|proof_t|`` (one
        follows another), ``|proof_n NAME|`` (a wire; ``rst`` is the reset).

    Raises
    ------
    ToolError
        If Yosys does not end well.
    """
    commands = [f"read_rtlil {file.name}" for file in sources]
    commands += [f"read_verilog -formal {_MEMORY.resolve()}", f"hierarchy -top {TOP}", "proc",
                 "flatten", "memory_collect", "memory_map", f"cd {TOP}",
                 "setattr -unset init w:*"]  # the emitted Verilog has none: the reset has to do
    instances = _instances(sources)
    commands += [f"cutpoint w:{_inside(path, instances)}" for path in harness.cuts]
    for signal, path in harness.looks:
        inside = _inside(path, instances)
        # Without -nounset what is driven by either wire would be cut off.
        commands += [f"select -assert-count 1 w:{inside}", f"delete -input w:{signal.name}",
                     f"connect -nounset -set {signal.name} {inside}"]
    # What nobody drives, such as words beyond a memory's last, is anything; an x would be a choice.
    commands += ["cd ..", "setundef -undriven -anyseq", "check -assert", "chformal -lower",
                 "async2sync", "opt -full", "dffunmap", "opt_clean", "write_smt2 -wires proof.smt2"]
    (folder / "proof.ys").write_text("\n".join(commands) + "\n", encoding="utf-8")
    with (folder / "yosys.log").open("w", encoding="utf-8") as log:
        run = children.run([sys.executable, "-c", _RUN_SCRIPT, "proof.ys"], cwd=folder, stdout=log,
                           stderr=subprocess.STDOUT)
    if run.returncode:
        raise ToolError(f"Yosys failed: the end of {folder / 'yosys.log'} says why")
    return (folder / "proof.smt2").read_text(encoding="utf-8")


def _instances(sources):
    """List the paths of instances, by what they are called; Amaranth may put a number behind it."""
    paths = [path for file in sources for path in _INSTANCE.findall(file.read_text("utf-8"))]
    return {re.sub(r"\$\d+", "", path): path for path in paths}


def _inside(path, instances):
    """Give the path of a signal as the netlist has it."""
    instance, _, name = path.rpartition(".")
    return f"{instances.get(instance, instance)}.{name}" if instance else name


def write_rtlil(harness, folder):
    """Write the harness, and the modules that are emitted once; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    platform = VerilogPlatform(TOP)
    top = harness.build()
    # A clock that is no port would never tick.
    clock = harness.clock
    ports = [clock.clk, clock.rst, *harness.inputs, *(signal for signal, _ in harness.looks)]
    texts = [rtlil.convert(top, name=TOP, platform=platform, ports=ports)]
    done = []
    while pending := [name for name in platform.modules if name not in done]:
        texts += [rtlil.convert(platform.modules[name], name=name, platform=platform)
                  for name in pending]
        done += pending
    files = [folder / f"module_{number}.il" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    return files
