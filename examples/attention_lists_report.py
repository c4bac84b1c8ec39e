"""An attention's lists as a table, as JSON, and as a picture."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.environment import seed
from commands.outputs import whole, write_text
from examples.attention_lists_run import ListRow
from examples.attention_report import draw_cycles, draw_quality
from examples.gemms import Style
from hw.contract.config import Config

SCHEMA = 1
"""Of ``report.json``; grows when a key changes its meaning or leaves."""

_COLUMNS = (("List", "left"), ("Format", "left"), ("Cycles", "right"), ("Array", "right"),
            ("KiB read", "right"), ("written", "right"), ("Host", "right"), ("QSNR", "right"),
            ("Memory", "left"))


def print_lists(console: Console, rows: Sequence[ListRow]) -> None:
    """Print a line per list and each of the three styles."""
    table = Table(caption=(
        "A command for all heads is a job for each. Cycles: from the host's first access to a "
        "register to its last. Array: cycles of these in which a beat entered it. KiB: over the "
        "bus, whole words. Host: writes of registers and accesses to memory from the doorbell on. "
        "QSNR: of the last step, and of all before it, against the attention in FP64 with nothing "
        "quantized. Memory: every byte of it, against the golden model."), caption_justify="left")
    for name, justify in _COLUMNS:
        table.add_column(name, justify=justify, no_wrap=True)
    for name in dict.fromkeys(row.name for row in rows):
        own = [row for row in rows if row.name == name]
        heads = (name, f"{own[0].commands} commands", f"{own[0].jobs} jobs")
        for head, row in zip(heads, own, strict=True):
            table.add_row(
                head, row.style.title, f"{row.cycles:,}", f"{row.beats / row.cycles:.1%}",
                _kibibytes(row.read_bytes), _kibibytes(row.written_bytes), str(row.touches),
                f"{list(row.qsnr.values())[-1]:.1f} dB",
                Text("DIFFERS", "bold red") if row.wrong_bytes else Text("equal", "green"))
        table.add_section()
    console.print(table)


def _kibibytes(count: int) -> str:
    return f"{count / 1024:,.0f}"


def write_lists(path: Path, rows: Sequence[ListRow], config: Config, **more: Any) -> None:
    """Write all numbers; but for ``seconds``, the same run gives the same bytes."""
    write_text(path, json.dumps({
        "schema": SCHEMA, "bits_equal": not any(row.wrong_bytes for row in rows),
        "machine": asdict(config), "seed": seed(), **more,
        "lists": [asdict(row) | {"style": row.style.title} for row in rows]}, indent=2) + "\n")


@dataclass(frozen=True)
class _Point:
    """A step, or a list, as it is drawn."""

    layer: str
    style: Style
    qsnr: float | None = None
    cycles: int | None = None


def draw_lists(path: Path, rows: Sequence[ListRow], machine: str) -> None:
    """Draw quality along the steps, and cycles by list.

    Parameters
    ----------
    path : Path
        PNG file to write.
    rows : sequence of ListRow
        Both lists in all styles.
    machine : str
        For the title, such as "8 × 8".
    """
    figure, (quality, cycles) = plt.subplots(
        2, 1, figsize=(9, 6), layout="constrained", height_ratios=(3, 1.7))
    styles = list(dict.fromkeys(row.style for row in rows))
    draw_quality(quality, [_Point(step, row.style, qsnr=qsnr)
                           for row in rows for step, qsnr in row.qsnr.items()], styles)
    quality.set_title(f"A DiT block's attention in two lists of commands, {machine} array",
                      loc="left", fontweight="bold")
    draw_cycles(cycles, [_Point(row.name, row.style, cycles=row.cycles) for row in rows], styles)
    with whole(path) as file:
        figure.savefig(file, format="png", dpi=150, metadata={"Software": None})
    plt.close(figure)
