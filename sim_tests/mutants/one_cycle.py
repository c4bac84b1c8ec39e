"""A cycle of a mutant beside the good netlist, for the solver; `main` is a process of its own.

Every register becomes an input, which is what it holds, and an output, which is what it takes. So
both netlists are combinational, and what is alike in them is merged: the solver gets what depends
on the mutant.

Where that is no proof, some registers may hold something else than in the good netlist while a
flag, a register of one bit that is the same in both, says that they mean nothing. The proof is then
that after a cycle they differ in no other way, and that nothing of it is seen: at an output stream
the payload counts while ``valid`` is set.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from pyosys import libyosys

from hw.parts.sram import MODULE as SRAM

_GOOD, _MUTANT = "gold", "gate"


@dataclass(frozen=True)
class Guard:
    """What may differ, and when.

    Attributes
    ----------
    flag : str
        Name of a register's bit; "" for nothing that may differ.
    counts : bool
        Value of the flag at which nothing differs.
    free : set of str
        Register bits that may differ otherwise.
    """

    flag: str = ""
    counts: bool = True
    free: frozenset[str] = frozenset()


def main() -> None:
    """Prove that no output tells the two apart; the process fails if there is no proof."""
    given = json.loads(sys.argv[1])
    cycle = _Cycle(given)
    if cycle.holds(Guard()):
        return
    free = cycle.differing()
    flags = cycle.flags(beside=free)
    if free and any(cycle.holds(Guard(flag, counts, free - {flag}))
                    for flag in flags for counts in (True, False)):
        return
    sys.exit("no proof")


@dataclass
class _Cycle:
    """The two netlists, anew for each question."""

    given: dict
    design: libyosys.Design = field(default_factory=libyosys.Design)

    def __post_init__(self) -> None:
        top = self.given["top"]
        self._run(f"read_verilog -lib {self.given['memory']}", f"read_rtlil {self.given['good']}",
                  f"hierarchy -top {top}", f"expose -evert t:*{SRAM}*",
                  f"copy {top} {_MUTANT}", self.given["mutate"], f"rename {top} {_GOOD}",
                  "memory_map", "dffunmap")
        self._widths = {}
        for module in self._both():
            self._widths |= _split_registers(module)
        # Bits that nothing needs go.
        self._run("simplemap t:$mux t:$and t:$or t:$not", "opt_clean", "design -save start")

    def holds(self, guard: Guard) -> bool:
        """Tell whether the solver proves it."""
        self._compare(guard, "")
        return "SUCCESS" in self._text(
            f"tee -q -o {{}} sat -timeout {self.given['seconds']} -prove trigger 0 miter")

    def differing(self) -> frozenset[str]:
        """Name the register bits that are not seen at once to take the same."""
        self._compare(Guard(), "")
        miter = json.loads(self._text("write_json {}"))["modules"]["miter"]
        bits = {name: net["bits"] for name, net in miter["netnames"].items()}
        return frozenset(
            register for name in bits
            if (register := _between(name, f"{_GOOD}_", ".takes"))
            and bits[name] != bits.get(f"{_MUTANT}_{register}.takes"))

    def flags(self, beside: Iterable[str]) -> list[str]:
        """Name the registers of one bit that stand in the instances of some register bits."""
        instances = {_instance(bit.rpartition(".")[0]) for bit in beside}
        return [f"{name}.0" for name, width in self._widths.items()
                if width == 1 and _instance(name) in instances]

    def _compare(self, guard: Guard, options: str) -> None:
        """Make the circuit that compares the two."""
        self._run("design -load start")
        for module in self._both():
            _open_registers(module, guard)
            if guard.flag:
                _mask_payloads(module)
        self._run(f"miter -equiv -flatten {options} {_GOOD} {_MUTANT} miter",
                  "hierarchy -top miter", *("opt_merge", "opt_expr") * 2, "opt_clean")

    def _both(self) -> list[libyosys.Module]:
        return [module for module in self.design.modules_.values()
                if module.name.str() in (f"\\{_GOOD}", f"\\{_MUTANT}")]

    def _run(self, *commands: str) -> None:
        for command in commands:
            libyosys.run_pass(command, self.design)

    def _text(self, command: str) -> str:
        """Run a command that writes a file, whose name is still open; return what it writes."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / "written"
            self._run(command.format(file))
            return file.read_text(encoding="utf-8")


def _between(name: str, before: str, after: str) -> str:
    """Return what is between two ends of a name, "" if it has others."""
    inside = name.removeprefix("\\").removeprefix(before).removesuffix(after)
    return inside if name.removeprefix("\\") == f"{before}{inside}{after}" else ""


def _instance(register: str) -> str:
    """Name the instance that a register of a flat netlist lies in."""
    return register.rpartition(".")[0]


def _registers(module: libyosys.Module) -> Iterator[tuple[libyosys.Cell, dict]]:
    """List registers with their pins."""
    for cell in list(module.cells_.values()):
        if cell.type.str() == "$dff":
            yield cell, {port.str(): signal for port, signal in cell.connections_.items()}


def _split_registers(module: libyosys.Module) -> dict[str, int]:
    """Make a register of each bit; return the widths that they had."""
    widths = {}
    for register, pins in _registers(module):
        # What was a memory's word has a number at its end that no other netlist has.
        name = re.sub(r"^(\$memory.*)\$\d+$", r"\1", register.name.str())
        widths[name] = pins["\\Q"].size()
        for bit in range(widths[name]):
            held, taken = (pins[pin].extract(bit, 1) for pin in ("\\Q", "\\D"))
            module.addDff(libyosys.IdString(f"\\{name}.{bit}"), pins["\\CLK"], taken, held)
        module.remove(register)
    return widths


def _open_registers(module: libyosys.Module, guard: Guard) -> None:
    """Make ports of what registers hold and take, by the registers' names."""
    pins_of = {register.name.str().removeprefix("\\"): (register, pins)
               for register, pins in _registers(module)}
    flag = pins_of.get(guard.flag)
    for name, (register, pins) in pins_of.items():
        holds, takes = _port(module, f"{name}.holds"), _port(module, f"{name}.takes", output=True)
        held, taken = holds, pins["\\D"]
        if flag and name in guard.free:
            counts_now, counts_next = (_is(module, flag[1][pin], guard.counts, f"{name}{pin}")
                                       for pin in ("\\Q", "\\D"))
            taken = _and(module, taken, counts_next, f"{name}.counted")
            other = _port(module, f"{name}.otherwise")
            if module.name.str() == f"\\{_MUTANT}":
                held = module.Mux(libyosys.IdString(f"\\{name}.either"), other, holds, counts_now)
        module.remove(register)
        module.connect(pins["\\Q"], held)
        module.connect(takes, taken)
    module.fixup_ports()


def _mask_payloads(module: libyosys.Module) -> None:
    """Let the payload of each output stream be zero while it is not valid."""
    wires = {wire.name.str(): wire for wire in module.wires_.values()}
    for name, wire in wires.items():
        valid = wires.get(name.replace("__payload", "__valid"))
        if name.endswith("__payload") and wire.port_output and valid:
            module.rename(wire, libyosys.IdString(f"{name}.offered"))
            wire.port_output = False
            shown = _port(module, name, wire.width, output=True)
            each = libyosys.SigSpec(valid).repeat(wire.width)
            module.connect(shown, _and(module, libyosys.SigSpec(wire), each, f"{name}.masked"))
    module.fixup_ports()


def _port(module: libyosys.Module, name: str, width: int = 1, *,
          output: bool = False) -> libyosys.SigSpec:
    wire = module.addWire(libyosys.IdString(name if name[0] in "\\$" else f"\\{name}"), width)
    wire.port_input, wire.port_output = not output, output
    return libyosys.SigSpec(wire)


def _and(module: libyosys.Module, a: libyosys.SigSpec, b: libyosys.SigSpec,
         name: str) -> libyosys.SigSpec:
    return module.And(libyosys.IdString(f"\\{name}".replace("\\\\", "\\")), a, b)


def _is(module: libyosys.Module, bit: libyosys.SigSpec, value: bool,
        name: str) -> libyosys.SigSpec:
    return bit if value else module.Not(libyosys.IdString(f"\\{name}.not"), bit)
