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
        "memory_map", "dffunmap", "opt_clean")
    for module in design.modules_.values():
        if module.name.str() in ("\\gold", "\\gate"):
            _open_registers(module)
    run("miter -equiv -flatten gold gate miter", "hierarchy -top miter",
        *("opt_merge", "opt_expr") * 2, "opt_clean",
        f"sat -timeout {given['seconds']} -verify -prove trigger 0 miter")


def _open_registers(module: libyosys.Module) -> None:
    """Make ports of what registers hold and take, by the registers' names."""
    for register in [cell for cell in module.cells_.values() if cell.type.str() == "$dff"]:
        pins = {port.str(): signal for port, signal in register.connections_.items()}
        # What was a memory's word has a number at its end that no other netlist has.
        name = re.sub(r"^(\$memory.*)\$\d+$", r"\1", register.name.str())
        held, taken = (module.addWire(libyosys.IdString(f"\\{name}.{which}"), pins["\\Q"].size())
                       for which in ("holds", "takes"))
        held.port_input, taken.port_output = True, True
        module.remove(register)
        module.connect(pins["\\Q"], libyosys.SigSpec(held))
        module.connect(libyosys.SigSpec(taken), pins["\\D"])
    module.fixup_ports()


if __name__ == "__main__":
    main()
