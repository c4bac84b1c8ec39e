"""The command ``mixdit run soc``: the machine in a system of plain Verilog.

Exit codes: 0 when every byte is equal, 1 when one differs, else as `commands.exit_codes` has them.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from commands import builds, tools
from commands.checkout import ROOT
from commands.environment import seed
from commands.exit_codes import ExitCode
from commands.outputs import check_folder
from commands.running import sentences
from commands.terminal import complain, make_console
from examples.soc.build import compile_system, simulate_system
from examples.soc.system import make_system
from hw.contract.config import Config
from hw.machine_options import machine_options
from simulation.build import NEEDS

FOLDER = ROOT / "build" / "soc"


@machine_options("rows", "cols", "k_max", "drain_lanes")
def soc(
    machine: Mapping[str, Any],
    bus_bytes: Annotated[int, typer.Option(help="Bytes of a word of the bus.")] = 32,
) -> ExitCode:
    """Run two layers in a system of plain Verilog, from memory to memory.

    The system in examples/soc is the machine, a memory on its bus, and a sequencer that writes the
    registers which the host's library wrote: what a processor would do. Verilator simulates it with
    no Python inside; afterwards every byte of the memory is compared with the golden model's.
    MIXDIT_SEED seeds the numbers.

    Example: mixdit run soc --rows 4 --cols 4 --k-max 256
    """
    with sentences("Interrupted: the simulation was stopped."):
        if not bus_bytes:
            raise ValueError("bus_bytes=0 is a machine between streams: give it a bus of 8 to 64 "
                             "bytes")
        system = make_system(Config.sized(**machine, bus_bytes=bus_bytes), seed())
        builds.check_place(FOLDER)
        tools.require(NEEDS)
        check_folder(FOLDER)
        console = make_console()
        console.print("Building the Verilator model (minutes) …")
        with console.status("Compiling the system with Verilator"):
            program = compile_system(system, FOLDER)
        with console.status("Simulating"):
            ran = simulate_system(program, FOLDER)
        console.print(f"{ran.text}: {len(system.program) - 1} entries of the sequencer.\n"
                      f"Verilog: {FOLDER.relative_to(ROOT)}/mixdit.v in examples/soc/soc.v",
                      soft_wrap=True)
        if wrong := system.differences(ran.memory):
            complain(f"{wrong} bytes of memory differ from the golden model's.")
            return ExitCode.DIFFERENT
        console.print(f"All {len(system.expected):,} bytes of memory equal the golden model's.",
                      style="green")
        return ExitCode.DONE
