"""Bits that cannot change, whatever a bench does: Yosys finds them by propagating constants."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from commands import children
from commands.tools import ToolError
from hw.parts.sram import MODULE, sram_verilog

SCRIPT = """\
read_verilog {source}
{memories}hierarchy -top {top}
proc
flatten
opt_expr
opt_clean
opt_expr -mux_undef -undriven -fine
opt_merge
opt_dff
opt_expr
opt_dff
opt_expr
opt_clean
write_json {result}
"""
"""Flattening carries the constants of a machine into its parts; `opt_dff` finds registers that keep
what the reset gives them. Memories may give anything."""

_RUN = ("import sys; from pyosys import libyosys; "
        "libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())")

_MODULE = re.compile(r"^module (\w+)")
_INSTANCE = re.compile(r"^  (\w+) (\w+) \($")

Constants = dict[tuple[str, str], set[int]]
"""Bits by Verilog module and signal: constant in every instance of the module."""


def constants(verilog: Path) -> Constants:
    """Find the constant bits of a design.

    Parameters
    ----------
    verilog : pathlib.Path
        Of the top that it is named after, and all modules below. Yosys works beside it.

    Raises
    ------
    ToolError
        If Yosys does not end well.
    """
    top = verilog.stem
    memory = f"{top}_{MODULE}"
    text, count = re.subn(rf"^module {memory}\b.*?^endmodule\n", "",
                          verilog.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    lines = text.splitlines()
    if count:  # what stands for it in a bench may be no Verilog that Yosys reads
        text += sram_verilog(memory)
    # Another process may ask the same.
    with TemporaryDirectory(prefix="constants_", dir=verilog.parent) as folder:
        source, script, result = (Path(folder) / f"constants.{end}" for end in ("v", "ys", "json"))
        source.write_text(text, encoding="utf-8")
        script.write_text(SCRIPT.format(
            source=source.name, top=top, result=result.name,
            memories=f"blackbox {memory}\n" if count else ""), encoding="utf-8")
        done = children.run([sys.executable, "-c", _RUN, script.name], cwd=folder,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
        if done.returncode:
            raise ToolError(f"Yosys failed on {verilog}:\n{done.stdout[-500:]}")
        nets = json.loads(result.read_text(encoding="utf-8"))["modules"][top]["netnames"]
    return _by_module({name: net["bits"] for name, net in nets.items()}, _instances(lines, top))


def _instances(lines: list[str], top: str) -> dict[str, str]:
    """Return the module of each instance by its path, with a dot behind; that of the top is ""."""
    inside: dict[str, list[tuple[str, str]]] = defaultdict(list)
    module = ""
    for line in lines:
        if found := _MODULE.match(line):
            module = found[1]
        elif found := _INSTANCE.match(line):
            inside[module].append((found[2], found[1]))
    found, waiting = {}, [("", top)]
    while waiting:
        path, module = waiting.pop()
        found[path] = module
        waiting += [(f"{path}{name}.", below) for name, below in inside[module]]
    return found


def _by_module(nets: dict[str, list], instances: dict[str, str]) -> Constants:
    """Keep the bits that are constant in all instances."""
    found: Constants = {}
    for name, bits in nets.items():
        path, dot, signal = name.rpartition(".")
        module = instances.get(path + dot)
        if module is None:
            continue
        constant = {bit for bit, value in enumerate(bits) if isinstance(value, str)}
        key = module, signal
        found[key] = found[key] & constant if key in found else constant
    return {key: bits for key, bits in found.items() if bits}
