"""Static timing of a mapped netlist, by OpenSTA."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from commands import children
from commands.tools import ToolError

from .library import PACKAGES, Library

CLOCK = "clk"
MISSING = f"OpenSTA (`sta`) is not on PATH: install it with `apt-get install {PACKAGES}` (Debian)"

# Inputs arrive with the clock's edge through the driving cell and outputs are due at the next one,
# so that a combinational unit's path and a registered one's are found alike.
_SCRIPT = """\
read_liberty {liberty}
read_verilog {netlist}
link_design {top}
if {{[llength [get_ports -quiet {clock}]]}} {{
  create_clock -name clock -period {period} [get_ports {clock}]
  set inputs [list]
  foreach port [all_inputs] {{
    if {{[get_property $port full_name] ne "{clock}"}} {{ lappend inputs $port }}
  }}
}} else {{
  create_clock -name clock -period {period}
  set inputs [all_inputs]
}}
set_driving_cell -lib_cell {driver} $inputs
set_load {load} [all_outputs]
set_input_delay 0 -clock clock $inputs
set_output_delay 0 -clock clock [all_outputs]
report_checks -path_delay max -format full_clock_expanded -digits 4
exit
"""

PERIOD = 1000.0
"""Nanoseconds; the critical path is what of it is not left over."""

_SLACK = re.compile(r"(-?[\d.]+) +slack")


class TimingError(ToolError):
    """OpenSTA is missing or stopped; the sentence says what to do."""


@dataclass(frozen=True)
class CriticalPath:
    """The longest path of a unit.

    Attributes
    ----------
    nanoseconds : float
        Clock to clock, setup included; or from port to port.
    start, end : str
        Where it begins and ends.
    """

    nanoseconds: float
    start: str
    end: str


def critical_path(netlist: Path, library: Library, *, top: str = "top") -> CriticalPath:
    """Find the longest path of a netlist; ideal clock, no wires.

    Raises
    ------
    TimingError
        If OpenSTA is not installed, or cannot read the netlist.
    """
    program = shutil.which("sta")
    if program is None:
        raise TimingError(MISSING)
    script = netlist.with_name("timing.tcl")
    script.write_text(_SCRIPT.format(
        liberty=library.path, netlist=netlist.name, top=top, clock=CLOCK, period=PERIOD,
        driver=library.roles.driver, load=library.roles.load), encoding="utf-8")
    run = children.run([program, "-no_splash", "-exit", script.name], cwd=netlist.parent,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       encoding="utf-8", errors="replace")
    log = netlist.with_name("timing.log")
    log.write_text(run.stdout, encoding="utf-8")
    slack = _SLACK.search(run.stdout)
    if run.returncode or slack is None or re.search(r"syntax error|^Error", run.stdout, re.M):
        raise TimingError(f"OpenSTA could not time {netlist}: {log} says why")
    start, end = (re.search(rf"^{word}: (.+?) \(", run.stdout, re.MULTILINE)
                  for word in ("Startpoint", "Endpoint"))
    return CriticalPath(round(PERIOD - float(slack[1]), 3), start[1] if start else "",
                        end[1] if end else "")
