"""Error of accumulators beside that of quantization: ``mixdit study accumulators``.

On the captured layers of the small diffusion transformer and on drawn ones of a large one's sizes.
Exit codes: 0 when on every captured layer the default accumulator errs a thousand times less than
quantization, 1 when not, else as `commands.exit_codes` has them. MIXDIT_SEED seeds the drawn data
(default 1).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import golden
from commands.checkout import ROOT
from commands.environment import seed
from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.outputs import check_file, write_text
from commands.running import sentences
from commands.terminal import make_console
from golden import MX6, MX9, MXTensor, Policy
from golden.accumulator import DEFAULT_ACC_WIDTH, fraction_bits, round_shift
from golden.formats import BLOCK_SIZE
from golden.operand import Operand
from perf.rtl.linear_layer import LinearLayer
from quality.captured import load_layers

REPORT = ROOT / "build" / "ppa" / "accumulators.json"
WIDTHS = (32, 34, 36, 38, 40, 44, 48)
FP32 = "fp32"
CAPTURED = "captured"
TARGET = 1000
"""How many times smaller the default accumulator's error must be than that of quantization."""

OUTLIER_SHARE = 0.05
CHANNELS = (1152, 4608)
"""K of a large diffusion transformer's linear layers."""

TOKENS, COLUMNS = 128, 128


@dataclass(frozen=True)
class Result:
    """One product in one precision. All errors are RMS, relative to the exact output's RMS.

    Attributes
    ----------
    layer, precision : str
    k : int
    quantization : float
        Of the exact product of the quantized matrices, against that of the given ones.
    accumulation : dict of str to float
        Of each accumulator against the exact product of the same quantized matrices: anchored ones
        by their width in bits, and "fp32". Before the result is rounded to FP32.
    """

    layer: str
    precision: str
    k: int
    quantization: float
    accumulation: dict[str, float]

    @property
    def ratio(self) -> float:
        """Quantization's error over the default accumulator's; infinite where that is exact."""
        error = self.accumulation[str(DEFAULT_ACC_WIDTH)]
        return self.quantization / error if error else float("inf")


def anchored_sums(a: MXTensor, b: MXTensor, acc_width: int) -> NDArray[np.float64]:
    """Accumulate as the machine does, and leave out the last rounding to FP32.

    Returns
    -------
    ndarray of float64, shape (M, N)
        Exactly what the accumulators hold: they are narrower than float64's 53 bits.
    """
    fraction = fraction_bits(acc_width)
    rows, columns = Operand(a), Operand(b)
    total = np.zeros((rows.lines, columns.lines), np.int64)
    everything = slice(None)
    for block in range(rows.distance.shape[1]):
        distance = rows.distance[:, block, None] + columns.distance[:, block]
        for row_low in rows.residual_parts(block, everything):
            for column_low in columns.residual_parts(block, everything):
                d = (rows.part(row_low, block, everything)
                     @ columns.part(column_low, block, everything).T).astype(np.int64)
                total += round_shift(d, distance + 3 * (row_low + column_low), fraction)
    point = rows.anchor[:, None] + columns.anchor - (254 + 8 + fraction)
    return np.ldexp(total.astype(np.float64), point)


def measure(layer: str, precision: str, x: NDArray, w: NDArray, a: MXTensor, b: MXTensor, *,
            widths: tuple[int, ...] = WIDTHS) -> Result:
    """Compare accumulators on one product.

    Parameters
    ----------
    layer, precision : str
    x, w : ndarray of float, shapes (M, K) and (K, N)
        What was quantized, channels in the same order.
    a, b : MXTensor
    widths : tuple of int
        Of anchored accumulators.
    """
    wanted = np.asarray(x, np.float64) @ np.asarray(w, np.float64)
    rms = np.sqrt(np.mean(wanted**2))
    # float64 rounds these sums at 2^-53, far below every accumulator that is compared.
    exact = a.dequantize().astype(np.float64) @ b.dequantize().astype(np.float64)

    def error(sums: NDArray) -> float:
        return float(np.sqrt(np.mean((sums - exact) ** 2)) / rms)

    accumulation = {str(width): error(anchored_sums(a, b, width)) for width in widths}
    accumulation[FP32] = error(golden.gemm(a, b, accumulate="fp32"))
    return Result(layer, precision, x.shape[1], error(wanted), accumulation)


def layers() -> Iterator[tuple[str, NDArray, NDArray, NDArray]]:
    """Yield name, activations (M, K), weights (K, N) and channel order of every layer."""
    for layer in load_layers():
        yield (f"{CAPTURED} {layer.name}", layer.activations[::4].astype(np.float32),
               layer.weight.astype(np.float32), golden.channel_order([layer.calibration]))
    rng = np.random.default_rng(seed())
    for channels in CHANNELS:
        blocks = channels // BLOCK_SIZE
        drawn = LinearLayer.draw(rng, TOKENS, channels, COLUMNS, round(OUTLIER_SHARE * blocks))
        yield f"drawn K={channels}", drawn.activations, drawn.weights, drawn.order


def measure_layer(name: str, x: NDArray, w: NDArray, order: NDArray,
                  widths: tuple[int, ...] = WIDTHS) -> list[Result]:
    """Compare accumulators on one layer in MX6, in MixDiT's mix, and in MX9."""
    x, w = x[:, order], w[order]
    results = [measure(name, fmt.name, x, w, golden.quantize(x, fmt),
                       golden.quantize(w, fmt, axis=0), widths=widths) for fmt in (MX6, MX9)]
    blocks = -(-x.shape[1] // BLOCK_SIZE)
    # In the calibrated order outlier channels stand in front, and their weights are MX9 as well.
    outliers = max(1, round(OUTLIER_SHARE * blocks))
    policy = Policy(fraction=outliers / blocks)
    mixed = golden.quantize_weight(w, np.arange(blocks) < outliers, policy)
    results.insert(1, measure(name, "MixDiT", x, w, golden.apply_policy(x, policy), mixed,
                              widths=widths))
    return results


def print_table(console: Console, results: list[Result]) -> None:
    """Print errors, and the ratio that is judged."""
    table = Table(caption="Errors: RMS, relative to the output's. Ratio: quantization / anchored "
                          f"{DEFAULT_ACC_WIDTH} bits.", caption_justify="left")
    for name in ("Layer", "Precision", "Quantization", *map(str, WIDTHS), "FP32", "Ratio"):
        table.add_column(name, justify="left" if name in ("Layer", "Precision") else "right")
    for before, result in zip([None, *results], results, strict=False):
        if before and before.layer != result.layer:
            table.add_section()
        table.add_row(result.layer, result.precision, f"{result.quantization:.1e}",
                      *(f"{error:.1e}" if error else "0" for error in result.accumulation.values()),
                      f"{result.ratio:,.0f}", style=None if result.ratio >= TARGET else "bold red")
    console.print(table)


def passes(results: list[Result]) -> bool:
    """Tell whether the captured layers meet the target; the drawn ones are harder than those."""
    captured = [result for result in results if result.layer.startswith(CAPTURED)]
    return bool(captured) and all(result.ratio >= TARGET for result in captured)


def write_json(path: Path, results: list[Result]) -> None:
    """Write every number; a ratio that is infinite becomes null."""
    rows: list[Mapping] = [
        asdict(each) | {"ratio": each.ratio if np.isfinite(each.ratio) else None}
        for each in results]
    write_text(path, json.dumps({"target": TARGET, "acc_width": DEFAULT_ACC_WIDTH, "seed": seed(),
                                 "rows": rows}, indent=1) + "\n")


def main() -> Figures:
    """Compare errors of accumulators with that of quantization.

    On captured activations, by the golden model; the exit code is 1 if the machine's width adds
    more than its target allows. MIXDIT_SEED seeds what is drawn.

    Example: mixdit study accumulators --json
    """
    console = make_console(width=160)
    with sentences("Interrupted: no report was written."):
        check_file(REPORT)
        results = [result for layer in layers() for result in measure_layer(*layer)]
        print_table(console, results)
        write_json(REPORT, results)
    console.print(f"Seed {seed()} (MIXDIT_SEED). Report: {REPORT}", soft_wrap=True)
    return Figures(REPORT, ExitCode.DONE if passes(results) else ExitCode.DIFFERENT)
