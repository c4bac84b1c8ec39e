"""Lists of commands as a table, as JSON, and as a picture."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.environment import seed
from commands.outputs import whole, write_text
from examples.attention_report import draw_cycles, draw_quality
from examples.gemms import Style
from examples.lists.running import ListRow
from hw.contract.config import Config

SCHEMA = 1
"""Of ``report.json``; grows when a key changes its meaning or leaves."""

_COLUMNS = (("List", "left"), ("Format", "left"), ("Cycles", "right"), ("Array\n%", "right"),
            ("A MX9\n%", "right"), ("B MX9\n%", "right"), ("Read\nKiB", "right"),
            ("Written\nKiB", "right"), ("QSNR\ndB", "right"),
            ("Memory", "left"))


def print_lists(console: Console, rows: Sequence[ListRow]) -> None:
    """Print each list, a line per style."""
    table = Table(caption=(
        "A command for all heads is a job for each. Cycles: from the host's first access to a "
        "register to its last. Array: cycles of these in which a beat entered it. MX9: share of "
        "the K-blocks of what GEMMs read as A and B. Read, written: over the bus, whole words. "
        "QSNR: of the last step, and of all before it, against FP64 with nothing quantized. "
        "Memory: every byte of it, against the golden model."), caption_justify="left")
    for name, justify in _COLUMNS:
        table.add_column(name, justify=justify, no_wrap=True)
    for name in dict.fromkeys(row.name for row in rows):
        own = [row for row in rows if row.name == name]
        heads = (name, f"{own[0].commands} command{'s' * (own[0].commands > 1)}",
                 f"{own[0].jobs} job{'s' * (own[0].jobs > 1)}")
        for head, row in zip_longest(heads, own):
            table.add_row(head, *([] if row is None else _cells(row)))
        table.add_section()
    console.print(table)
    touches = "; ".join(str(count) for count in sorted({row.touches for row in rows}))
    console.print(f"Accesses by the host while a list runs: {touches}, its doorbell and the "
                  "acknowledgement of its interrupt included.")


def _cells(row: ListRow) -> list[str | Text]:
    """Return the cells of one list in one style."""
    return [row.style.title, f"{row.cycles:,}", _percent(row.beats / row.cycles),
            _percent(row.a_mx9), _percent(row.b_mx9), _kibibytes(row.read_bytes),
            _kibibytes(row.written_bytes), f"{row.qsnr[row.steps[-1]]:.1f}",
            Text("DIFFERS", "bold red") if row.wrong_bytes else Text("equal", "green")]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _kibibytes(count: int) -> str:
    return f"{count / 1024:,.0f}"


def write_lists(path: Path, rows: Sequence[ListRow], config: Config, **more: Any) -> None:
    """Write all numbers; but for ``seconds``, the same run gives the same bytes."""
    write_text(path, json.dumps({
        "schema": SCHEMA, "bits_equal": not any(row.wrong_bytes for row in rows),
        "machine": asdict(config), "seed": seed(), **more,
        "lists": [asdict(row) | {"name": row.name, "style": row.style.title} for row in rows]},
        indent=2) + "\n")


@dataclass(frozen=True)
class _Point:
    """A step, or a list, as it is drawn."""

    layer: str
    style: Style
    qsnr: float | None = None
    cycles: int | None = None


def draw_lists(path: Path, rows: Sequence[ListRow], title: str) -> None:
    """Draw quality along the steps, and cycles by list.

    Parameters
    ----------
    path : Path
        PNG file to write.
    rows : sequence of ListRow
        All lists in all styles.
    title : str
    """
    figure, (quality, cycles) = plt.subplots(
        2, 1, figsize=(9, 6), layout="constrained", height_ratios=(3, 1.7))
    styles = list(dict.fromkeys(row.style for row in rows))
    draw_quality(quality, [_Point(step, row.style, qsnr=qsnr)
                           for row in rows for step, qsnr in row.qsnr.items()], styles)
    quality.set_title(title, loc="left", fontweight="bold")
    draw_cycles(cycles, [_Point(row.name, row.style, cycles=row.cycles) for row in rows], styles)
    with whole(path) as file:
        figure.savefig(file, format="png", dpi=150, metadata={"Software": None})
    plt.close(figure)
