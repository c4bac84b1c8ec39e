"""The memories of a machine, from its Verilog: ``mixdit memories``."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Column, Table

from commands.figures import Figures
from commands.running import sentences
from commands.terminal import make_console
from hw.contract.config import Config
from hw.machine_options import machine_options
from hw.parts.emit import emit
from hw.top import top_of

TOP = "mixdit"

_INSTANCE = re.compile(r"sram_1r1w #\((?P<parameters>[^)]*(?:\)[^)]*?)*?)\n  \) ")
_PARAMETER = re.compile(r"\.(\w+)\(32'd(\d+)\)")


@dataclass(frozen=True)
class SramSize:
    """One instance of the memory module.

    Attributes
    ----------
    module : str
        The Verilog module that holds it, named by its path from the top.
    width, depth, granules : int
        Bits of a word, words, write enables of a word.
    """

    module: str
    width: int
    depth: int
    granules: int

    @property
    def bits(self):
        """How many bits the memory holds."""
        return self.width * self.depth


def memories(text):
    """List the memories in an emitted Verilog text, the largest first."""
    found = []
    for module in re.split(r"\n(?=module )", text):
        name = re.match(r"module (\w+)", module)
        for instance in _INSTANCE.finditer(module):
            values = dict(_PARAMETER.findall(instance["parameters"]))
            found.append(SramSize(name[1], *(
                int(values[key]) for key in ("WIDTH", "DEPTH", "GRANULES"))))
    return sorted(found, key=lambda memory: -memory.bits)


def _path(memory):
    return memory.module.removeprefix(f"{TOP}_")


@machine_options()
def main(machine: Mapping[str, Any]) -> Figures:
    """List the memories of a machine.

    Each is an instance of the memory module, for which docs/memories.md puts macros in place.

    Example: mixdit memories --rows 16 --cols 16
    """
    with sentences():
        config = Config.sized(**machine)
    text = emit(top_of(config), TOP)
    table = Table(Column("memory", overflow="fold"), "words", "bits", "write enables", "kbit")
    sizes = memories(text)
    groups = {}
    for memory in sizes:
        key = (re.sub(r"_\d+(?=_|$)", "", _path(memory)), memory.depth, memory.width,
               memory.granules)
        groups.setdefault(key, []).append(memory)
    for (module, depth, width, granules), equal in groups.items():
        name = f"{len(equal)} x {module}" if len(equal) > 1 else _path(equal[0])
        table.add_row(name, str(depth), str(width), str(granules),
                      f"{len(equal) * depth * width / 1000:,.1f}")
    console = make_console()
    console.print(table)
    console.print(f"{sum(memory.bits for memory in sizes) / 1e6:.2f} Mbit in {len(sizes)} SRAMs")
    return Figures({"machine": config.describe(), "memories": [asdict(each) for each in sizes]})
