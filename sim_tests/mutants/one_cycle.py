"""A cycle of a mutant beside the good netlist, for the solver; `main` is a process of its own.

Every register becomes an input, which is what it holds, and an output, which is what it takes. So
both netlists are combinational, and what is alike in them is merged: the solver gets what depends
on the mutant.
"""

import json
import re
import sys

from pyosys import libyosys

from hw.parts.sram import MODULE as SRAM


def main() -> None:
    """Prove that outputs and next states are the same; the process fails if they are not."""
    given = json.loads(sys.argv[1])
    design = libyosys.Design()

    def run(*commands: str) -> None:
        for command in commands:
            libyosys.run_pass(command, design)

    run(f"read_verilog -lib {given['memory']}", f"read_rtlil {given['good']}",
        f"hierarchy -top {given['top']}", f"expose -evert t:*{SRAM}*",
        f"copy {given['top']} gate", given["mutate"], f"rename {given['top']} gold",
        "memory_map", "dffunmap")
    both = [module for module in design.modules_.values()
            if module.name.str() in ("\\gold", "\\gate")]
    for module in both:
        _split_registers(module)
    run("simplemap t:$mux t:$and t:$or t:$not", "opt_clean")  # bits that nothing needs go
    for module in both:
        _open_registers(module)
    run("miter -equiv -flatten gold gate miter", "hierarchy -top miter",
        *("opt_merge", "opt_expr") * 2, "opt_clean",
        f"sat -timeout {given['seconds']} -verify -prove trigger 0 miter")


def _registers(module: libyosys.Module) -> list[tuple[libyosys.Cell, dict]]:
    """List registers with their pins."""
    found = [cell for cell in module.cells_.values() if cell.type.str() == "$dff"]
    return [(cell, {port.str(): signal for port, signal in cell.connections_.items()})
            for cell in found]


def _split_registers(module: libyosys.Module) -> None:
    """Make a register of each bit."""
    for register, pins in _registers(module):
        # What was a memory's word has a number at its end that no other netlist has.
        name = re.sub(r"^(\$memory.*)\$\d+$", r"\1", register.name.str())
        for bit in range(pins["\\Q"].size()):
            held, taken = (pins[pin].extract(bit, 1) for pin in ("\\Q", "\\D"))
            module.addDff(libyosys.IdString(f"\\{name}.{bit}"), pins["\\CLK"], taken, held)
        module.remove(register)


def _open_registers(module: libyosys.Module) -> None:
    """Make ports of what registers hold and take, by the registers' names."""
    for register, pins in _registers(module):
        held, taken = (module.addWire(libyosys.IdString(f"{register.name.str()}.{which}"), 1)
                       for which in ("holds", "takes"))
        held.port_input, taken.port_output = True, True
        module.remove(register)
        module.connect(pins["\\Q"], libyosys.SigSpec(held))
        module.connect(libyosys.SigSpec(taken), pins["\\D"])
    module.fixup_ports()
