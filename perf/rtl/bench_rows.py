"""What must be shown: a figure for each measured job, and the target that it has to meet."""

from collections.abc import Mapping
from dataclasses import dataclass

from golden.formats import BLOCK_SIZE
from golden.lanes import conflicts
from hw.activations.outlier_detector import detection_cycles
from hw.contract.job_codes import Selection
from perf.rtl.measured import Measured
from perf.rtl.scenarios import STALL

LINEAR_UTILISATION, ATTENTION_UTILISATION = 0.97, 0.90
MIXED_COST, MIXED_WEIGHTS_COST = 1.06, 1.16
TOLERANCE = 0.02
"""Of ratios that beats alone decide."""

CHANCE = 0.03
"""How far random stalls may exceed their mean over one job, the refilling of queues included."""

ORDER_COST = 0.01
"""What a channel order without conflicts may cost."""

CONVERSION_SHARE = 0.95
"""Of the blocks per cycle that a conversion's limit allows."""


@dataclass(frozen=True)
class BenchRow:
    """One line of the table.

    Attributes
    ----------
    section : str
        What it is part of.
    measured : Measured
    figure : str
        What was found, for people.
    value : float
        The same as a number.
    target : str
        What it had to be; empty where it is only reported.
    met : bool or None
        None without a target.
    """

    section: str
    measured: Measured
    figure: str
    value: float
    target: str = ""
    met: bool | None = None


def make_rows(named: Mapping[str, Measured]) -> list[BenchRow]:
    """Work out every row.

    Parameters
    ----------
    named : mapping of str to Measured
        The jobs that have names, see `perf.rtl.scenarios`.
    """
    return [*_utilisation(named), *_precision(named), *_stalls(named), *_orders(named),
            *_conversions(named)]


def _utilisation(named: Mapping[str, Measured]) -> list[BenchRow]:
    def row(section: str, measured: Measured, least: float | None) -> BenchRow:
        share = measured.ideal_beats / measured.cycles
        return BenchRow(section, measured, f"utilisation {share:.1%}", share,
                   *(() if least is None else (f">= {least:.0%}", share >= least)))

    linear = [row("Linear layers", each, LINEAR_UTILISATION)
              for name, each in named.items() if name.startswith("linear K=")]
    attention = []
    for output in ("FP32", "FP16"):
        attention += [
            row("Attention", named[f"QK^T {output}"], ATTENTION_UTILISATION),
            row("Attention", named[f"QK^T {output} narrow"], None),
            row("Attention", named[f"PV {output}"], None)]
    return linear + attention


def _precision(named: Mapping[str, Measured]) -> list[BenchRow]:
    base = named["MX6 x MX6"]

    def row(name: str, most: float | None = None, near: float | None = None) -> BenchRow:
        ratio = named[name].cycles / base.cycles
        figure = f"{ratio:.3f} x the cycles of MX6 x MX6"
        if most is not None:
            return BenchRow("Precision", named[name], figure, ratio, f"<= {most}", ratio <= most)
        return BenchRow("Precision", named[name], figure, ratio, f"{near} within {TOLERANCE:.0%}",
                   abs(ratio / near - 1) <= TOLERANCE)

    per_beat = base.cycles / base.ideal_beats
    return [BenchRow("Precision", base, f"{per_beat:.3f} cycles per beat", per_beat),
            row("mixed x MX6", most=MIXED_COST),
            row("mixed x mixed", most=MIXED_WEIGHTS_COST), row("MX9 x MX6", near=2.0),
            row("MX9 x MX9", near=4.0)]


def _stalls(named: Mapping[str, Measured]) -> list[BenchRow]:
    """Bound each stalled job by the same one without stalls, and by every stream's own beats."""
    pairs = {"linear stalled": "MX6 x MX6", "loading stalled": "natural order",
             "QK^T FP32 stalled": "QK^T FP32"}
    rows = []
    for name, calm in pairs.items():
        measured = named[name]
        implied = {stream: beats / (1 - STALL) for stream, beats in measured.stream_beats.items()}
        slowest = max(implied, key=implied.__getitem__)
        bound = max(implied[slowest], named[calm].cycles)
        by = slowest if bound == implied[slowest] else "the job without stalls"
        ratio = measured.cycles / bound
        rows.append(BenchRow(f"{STALL:.0%} stalls on every stream", measured,
                        f"{ratio:.3f} x the bound of {bound:,.0f} cycles by {by}", ratio,
                        f"<= {1 + CHANCE}", ratio <= 1 + CHANCE))
    return rows


def _orders(named: Mapping[str, Measured]) -> list[BenchRow]:
    natural = named["natural order"]
    rows = [BenchRow("Channel orders, loading-bound", natural,
                f"{natural.blocks / natural.cycles:.3f} blocks per cycle",
                natural.blocks / natural.cycles)]
    for name in ("identity order", "spread order", "random order"):
        measured = named[name]
        lost = conflicts(measured.work.order) * measured.work.job.m
        ratio = measured.cycles / (natural.cycles + lost)
        rows.append(BenchRow(
            "Channel orders, loading-bound", measured,
            f"{measured.cycles / natural.cycles:.3f} x natural; {lost:,} cycles of conflicts",
            ratio, f"<= {1 + ORDER_COST} x natural + conflicts", ratio <= 1 + ORDER_COST))
    return rows


def _conversions(named: Mapping[str, Measured]) -> list[BenchRow]:
    """Compare with a block per cycle, or what the streams carry, or the search for the largest."""
    rows = []
    for name, measured in named.items():
        if name.startswith("CONVERT"):
            rate = measured.blocks / measured.cycles
            cycles = max(measured.blocks, *measured.stream_beats.values())
            by = "a block a cycle" if cycles == measured.blocks else "the streams"
            if search_cycles(measured) > cycles:
                cycles, by = search_cycles(measured), "the search"
            limit = measured.blocks / cycles
            rows.append(BenchRow("Conversions", measured, f"{rate:.3f} blocks per cycle", rate,
                            f">= {CONVERSION_SHARE:.0%} of {limit:.3f}, by {by}",
                            rate >= CONVERSION_SHARE * limit))
    return rows


def search_cycles(measured: Measured) -> int:
    """Count the cycles in which the detector finds the largest units of all tiles, one by one."""
    job, blocks = measured.work.job, -(-measured.work.job.k // BLOCK_SIZE)
    search = job.selection is Selection.TOP and 0 < job.units < blocks
    tiles = -(-job.n // measured.config.cols)
    return tiles * detection_cycles(blocks, search=True) if search else 0
