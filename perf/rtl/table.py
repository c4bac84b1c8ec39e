"""The measured rows as a table for people, as Markdown, and as JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.outputs import write_text
from hw.contract.config import Config
from perf.rtl.bench_rows import BenchRow
from perf.rtl.verilog_size import LIMIT_BYTES, VerilogSize

SCHEMA = 1
"""Of ``report.json``; grows when a key changes its meaning or leaves."""

_COLUMNS = ("Job", "M x K x N", "T", "Beats", "Cycles", "Act", "Weight", "Result", "Figure",
            "Target", "Met")
CAPTION = (
    "T: token tiles resident. Beats: what entered the array. Cycles: from the end of the job "
    "before to the end of this one. Act, Weight, Result: cycles without a beat, by what was "
    "waited for.")


@dataclass(frozen=True)
class Report:
    """All that one run found.

    Attributes
    ----------
    rows : list of BenchRow
    verilog : VerilogSize
    machines : dict of str to Config
    seed : int
    differences : list of str
        A sentence for each job in which golden disagrees.
    jobs : int
        How many have run, neighbours included.
    seconds : dict of str to float
        Wall-clock time of each step.
    """

    rows: Sequence[BenchRow]
    verilog: VerilogSize
    machines: Mapping[str, Config]
    seed: int
    differences: Sequence[str]
    jobs: int
    seconds: Mapping[str, float]

    @property
    def passed(self) -> bool:
        """Whether every target is met and every bit equal."""
        return (self.verilog.met and not self.differences
                and all(row.met is not False for row in self.rows))


def _cells(row: BenchRow) -> list[str]:
    work, counters = row.measured.work, row.measured.counters
    job = work.job
    shape = (job.n, job.k) if job.converts else (job.m, job.k, job.n)
    return [row.measured.case.name, " x ".join(map(str, shape)),
            "" if job.converts else str(job.tiles),
            *(f"{counters[name]:,}" for name in
              ("beats", "cycles", "act_stalls", "weight_stalls", "result_stalls")),
            row.figure, row.target, {None: "", True: "yes", False: "NO"}[row.met]]


def _verilog_cells(verilog: VerilogSize) -> tuple[str, str, str]:
    return (f"{verilog.total_bytes / 1e6:.2f} MB in {verilog.seconds:.0f} s",
            f"< {LIMIT_BYTES / 1e6:.0f} MB", "yes" if verilog.met else "NO")


def print_table(console: Console, report: Report) -> None:
    """Print the rows, section by section, and what golden says."""
    table = Table(caption=CAPTION, caption_justify="left")
    for name in _COLUMNS:
        table.add_column(name, justify="right" if name in _COLUMNS[1:8] else "left")
    section = None
    for row in report.rows:
        if row.section != section:
            table.add_section()
            table.add_row(Text(row.section, "bold"))
            section = row.section
        *cells, met = _cells(row)
        table.add_row(*cells, met, style="bold red" if row.met is False else None)
    table.add_section()
    size = report.verilog.size
    table.add_row(f"Verilog {size}x{size}", *[""] * 7, *_verilog_cells(report.verilog),
                  style=None if report.verilog.met else "bold red")
    console.print(table)


def write_json(path: Path, report: Report) -> None:
    """Write every number."""
    write_text(path, json.dumps({
        "schema": SCHEMA, "passed": report.passed, "seed": report.seed, "jobs": report.jobs,
        "bits_equal": not report.differences, "differences": list(report.differences),
        "machines": {name: asdict(config) for name, config in report.machines.items()},
        "rows": [_row_json(row) for row in report.rows],
        "verilog": {"size": report.verilog.size, "bytes": report.verilog.total_bytes,
                    "seconds": round(report.verilog.seconds, 1),
                    "largest_modules": dict(report.verilog.largest())},
        "seconds": {name: round(each, 1) for name, each in report.seconds.items()},
    }, indent=2) + "\n")


def _row_json(row: BenchRow) -> dict[str, Any]:
    job, measured = row.measured.work.job, row.measured
    return {
        "section": row.section, "job": measured.case.name, "machine_drain_lanes":
        measured.config.drain_lanes, "m": job.m, "k": job.k, "n": job.n, "tiles": job.tiles,
        "kind": job.kind.name, "output": job.output.name, "stall": measured.stall,
        "ideal_beats": measured.ideal_beats, "blocks": measured.blocks,
        "stream_beats": measured.stream_beats, "counters": measured.counters,
        "figure": row.figure, "value": row.value, "target": row.target, "met": row.met,
    }


def write_markdown(path: Path, report: Report) -> None:
    """Write the table as it stands in the documentation."""
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    section = None
    for row in report.rows:
        if row.section != section:
            section = row.section
            lines.append(f"| **{section}** |" + " |" * (len(_COLUMNS) - 1))
        lines.append("| " + " | ".join(_cells(row)) + " |")
    size = report.verilog.size
    lines.append(f"| Verilog {size}x{size} |" + " |" * 7
                 + "".join(f" {cell} |" for cell in _verilog_cells(report.verilog)))
    equal = "all bits equal golden's" if not report.differences else "; ".join(report.differences)
    lines += ["", CAPTION, "", f"{report.jobs} jobs, seed {report.seed}: {equal}."]
    write_text(path, "\n".join(lines) + "\n")
