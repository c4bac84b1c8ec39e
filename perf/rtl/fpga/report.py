"""What was measured, as a table for people and as JSON for programs."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from commands.outputs import write_text
from perf.rtl.ppa.unit import Unit

from .placement import Placement
from .synthesis import Resources
from .targets import ACCELERATOR, DEVICE, LEAST_MHZ

SCHEMA = 1
"""Of ``report.json``; grows when a key changes its meaning or leaves."""

_COLUMNS = ("Unit", "Family", "LUTs", "of carries", "LUT RAMs", "DSPs", "Block RAMs", "Registers")
CAPTION = (
    "ECP5: LUT4, block RAMs of 18 kbit; Xilinx 7: LUT1 to LUT6, block RAMs of 36 kbit. "
    "Of carries: LUTs whose place carry cells take (CCU2C two each; CARRY4 none).")


@dataclass(frozen=True)
class Row:
    """One unit on one family.

    Attributes
    ----------
    unit : Unit
    family : str
    resources : Resources
    """

    unit: Unit
    family: str
    resources: Resources


@dataclass
class Report:
    """All that one run found; grows as it runs.

    Attributes
    ----------
    seed : int
    placed : Unit
        What is placed and routed.
    rows : list of Row
    placement : Placement or None
    bitstream_bytes : int
        0 where none was made.
    """

    seed: int
    placed: Unit = ACCELERATOR
    rows: list[Row] = field(default_factory=list)
    placement: Placement | None = None
    bitstream_bytes: int = 0

    @property
    def met(self) -> bool | None:
        """Whether the machine is fast enough; None where it was not placed."""
        return None if self.placement is None else self.placement.mhz >= LEAST_MHZ


def print_report(console: Console, report: Report) -> None:
    """Print the table, and what place and route found."""
    table = Table(caption=CAPTION, caption_justify="left")
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in _COLUMNS[:2] else "right")
    for row in report.rows:
        found = row.resources
        table.add_row(row.unit.name, row.family, *(
            f"{each:,}" for each in (found.luts, found.luts_in_carries, found.lut_rams, found.dsps)
        ), f"{found.block_rams:g}", f"{found.registers:,}")
    console.print(table)
    for unit in {row.unit.name: row.unit for row in report.rows}.values():
        console.print(f"{unit.name}: {unit.configuration}", soft_wrap=True)
    if report.placement:
        _print_placement(console, report)


def _print_placement(console, report):
    found = report.placement
    console.print(f"\n{report.placed.name} on {DEVICE.describe()}, seed {report.seed}: "
                  f"{found.mhz:.1f} MHz after place and route, at least {LEAST_MHZ:g} asked",
                  style="green" if report.met else "bold red", soft_wrap=True)
    console.print("Sites: " + ", ".join(
        f"{found.used[site]:,} of {found.available[site]:,} {site}" for site in found.used
        if found.used[site] > 1), soft_wrap=True)
    console.print(f"Longest path, {found.logic_ns:.1f} ns of logic and {found.routing_ns:.1f} ns "
                  f"of wires: {found.start} to {found.end}", soft_wrap=True, markup=False)
    for segment in found.segments:
        console.print(f"  {segment.nanoseconds:6.2f} ns  {segment.module}", markup=False)
    if report.bitstream_bytes:
        console.print(f"Bitstream: {report.bitstream_bytes:,} bytes")


def write_json(path: Path, report: Report) -> None:
    """Write every number; no dates, no paths, so that equal runs give equal files."""
    write_text(path, json.dumps({
        "schema": SCHEMA,
        "rows": [{"unit": row.unit.name, "configuration": row.unit.configuration,
                  "family": row.family, **asdict(row.resources)} for row in report.rows],
        "placement": report.placement and {
            "unit": report.placed.name, "device": DEVICE.describe(), "seed": report.seed,
            "least_mhz": LEAST_MHZ, "met": report.met, "bitstream_bytes": report.bitstream_bytes,
            **asdict(report.placement)},
    }, indent=2) + "\n")
