"""The commands of ``mixdit run``: ``demo``, ``gemm`` and ``attention``.

Exit codes: 0 when every bit is equal, 1 when one differs, else as `commands.exit_codes` has them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from commands.checkout import ROOT
from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.outputs import check_file, whole
from commands.running import sentences
from commands.terminal import complain, make_console
from examples.attention import make_attention
from examples.attention_run import run_attention
from examples.attention_steps import PrecisionChoice
from examples.gemms import Matrices, Order, PreparedGemm, Style, alternate_tables, prepare
from examples.lists.attention import AttentionInMemory
from examples.lists.computation import Computation
from examples.lists.reported import run_and_report
from examples.matrices import load_matrices
from examples.options import OF_BUS, SIZES, Fraction, HeadFraction, Latency
from examples.places import BUILD, INTERRUPTED, clear_reports, prepare_folder, show_places
from examples.report import Row, make_row, print_table, write_json
from hw.contract.config import Config
from hw.machine_options import machine_options
from quality.calibration.record import CALIBRATION, load_calibration
from quality.captured import CAPTURE_FILE, load_layers, load_provenance
from quality.recipe import TrainingRecipe
from simulation.running import Simulation, simulate

LISTS_MEMORY = 1 << 25
"""Bytes of memory beside a machine with a bus."""

ChannelOrder = Annotated[Order, typer.Option(
    "--order", help="MixDiT: block channels as they come, or sorted by their magnitudes in the "
                    "calibration set.")]


@machine_options(*SIZES)
def demo(
    machine: Mapping[str, Any],
    fraction: Fraction = 0.05,
    order: ChannelOrder = Order.CALIBRATED,
) -> Figures:
    """Run every kind of linear layer of a trained DiT in MX6, MixDiT and MX9.

    Example: mixdit run demo --rows 4 --cols 4 --order natural
    """
    with sentences(INTERRUPTED):
        config = Config.sized(**machine)
        folder = BUILD / "demo"
        prepare_folder(folder)
        orders = load_orders()
        layers = [
            Matrices(name=layer.name, activations=layer.activations, weights=layer.weight,
                     calibration=layer.calibration,
                     order=orders[layer.name])
            for layer in load_layers()
        ]
        deepest = max(layers, key=lambda layer: layer.shape[1])
        if deepest.shape[1] > config.k_max:
            raise ValueError(f"layer {deepest.name} has K = {deepest.shape[1]}, over the machine's "
                             f"limit of {config.k_max}; give a larger --k-max")
        console = make_console()
        console.print(f"{len(layers)} layers of {layers[0].shape[0]} tokens, captured from a small "
                      f"DiT, on a machine of {config.rows} x {config.cols} cells.")
        groups = [
            alternate_tables([prepare(layer, style, fraction, config, order) for layer in layers],
                             config)
            for style in Style
        ]
        found, simulation = _run(groups, config, folder, console)
        places = {layer.name: place for place, layer in enumerate(layers)}
        found.sort(key=lambda row: places[row.layer])  # stable: the styles stay in order
        write_json(folder / "report.json", found, config, simulation, fraction=fraction,
                   capture={"file": str(CAPTURE_FILE.relative_to(ROOT))} | load_provenance())
        from examples.picture import draw  # matplotlib takes a second to import

        if all(row.counters and row.qsnr is not None and np.isfinite(row.qsnr) for row in found):
            draw(folder / "report.png", found, f"{config.rows} × {config.cols}")
        print_table(console, found)
        return _conclude(console, found, simulation, folder, _results(found))


@machine_options(*SIZES)
def gemm(
    machine: Mapping[str, Any],
    activations: Annotated[Path, typer.Option(help="A, shape (M, K), a .npy file.")],
    weights: Annotated[Path, typer.Option(help="B, shape (K, N), a .npy file.")],
    style: Annotated[Style, typer.Option("--format", help="Of the blocks.")] = Style.MIXDIT,
    fraction: Fraction = 0.05,
    order: ChannelOrder = Order.CALIBRATED,
    output: Annotated[Path | None, typer.Option(
        "-o", "--output", help="Write the machine's result here, as float32 (.npy).")] = None,
) -> Figures:
    """Multiply your own matrices (float16, float32 or bfloat16).

    MixDiT's channel order and threshold are chosen on the activations themselves. The share of
    weights in MX9 is rounded up to whole K-blocks.

    Example: mixdit run gemm --activations a.npy --weights w.npy --format mixdit -o c.npy
    """
    with sentences(INTERRUPTED):
        config = Config.sized(**machine)
        folder = BUILD / "gemm"
        prepare_folder(folder)
        if output is not None:
            check_file(output, makes_folder=False)
            if any(output.exists() and output.samefile(given) for given in (activations, weights)
                   if given.exists()):
                raise ValueError(f"{output} is one of the matrices: name another file")
        matrices = load_matrices(activations, weights, config)
        prepared = prepare(matrices, style, fraction, config, order)
        console = make_console()
        _warn_of_nan(console, prepared)
        results = []
        found, simulation = _run([[prepared]], config, folder, console, keep=results.append)
        write_json(folder / "report.json", found, config, simulation, fraction=fraction)
        if output is not None:
            with whole(output) as file:  # numpy.save would append .npy to the name
                np.save(file, results[0])
            console.print(f"The result is in {output}.", soft_wrap=True)
        print_table(console, found)
        return _conclude(console, found, simulation, folder, _results(found))


@machine_options(*SIZES, "drain_lanes", "bus_bytes", *OF_BUS)
def attention(
    machine: Mapping[str, Any],
    fraction: Fraction = 0.05,
    head_fraction: HeadFraction = 0.20,
    sequences: Annotated[int | None, typer.Option(
        help="Take so many of the captured sequences; all if left out.")] = None,
    latency: Latency = 100,
) -> Figures:
    """Run a trained DiT's attention, from its input to its output projection.

    A machine with a bus gets it as two lists of commands, with the softmax between them. MixDiT's
    heads have single K-blocks in MX9 then, those above a threshold: the host never sees Q, K and V.

    Example: mixdit run attention --sequences 1 --drain-lanes 32

    Example: mixdit run attention --bus-bytes 32 --drain-lanes 32
    """
    with sentences(INTERRUPTED):
        config = Config.sized(**machine)
        folder = BUILD / "attention"
        prepare_folder(folder)
        model = TrainingRecipe()
        captured = make_attention(load_layers(), model.tokens, model.heads, sequences)
        largest = max(captured.tokens, *captured.linears["out"].weight.shape)
        if largest > config.k_max:
            raise ValueError(f"the attention has K = {largest}, over the machine's limit of "
                             f"{config.k_max}; give a larger --k-max")
        console = make_console()
        console.print(f"{captured.sequences} sequences of {captured.tokens} tokens, "
                      f"{captured.heads} heads of {captured.channels} channels, on a machine of "
                      f"{config.rows} x {config.cols} cells.")
        clear_reports(folder)
        choices = [PrecisionChoice(style, fraction, head_fraction) for style in Style]
        if config.bus_bytes:
            figures, _ = run_and_report(
                Computation(captured.reference(), partial(AttentionInMemory, captured),
                            LISTS_MEMORY),
                choices, config, latency=latency, folder=folder, console=console,
                title="A DiT block's attention in two lists of commands, "
                      f"{config.rows} × {config.cols} array", sequences=captured.sequences)
            return figures
        found, simulation = run_attention(captured, choices, config, console)
        write_json(folder / "report.json", found, config, simulation, fraction=fraction,
                   head_fraction=head_fraction, sequences=captured.sequences,
                   capture={"file": str(CAPTURE_FILE.relative_to(ROOT))} | load_provenance())
        from examples.attention_report import draw_attention, print_steps

        if all(row.counters and row.difference is None for row in found):
            draw_attention(folder / "report.png", found, captured.heads,
                           f"{config.rows} × {config.cols}")
        print_steps(console, found)
        jobs = len(simulation.outcomes)
        return _conclude(console, found, simulation, folder,
                         f"{jobs} jobs' results and counters")


def load_orders() -> dict[str, NDArray[np.integer]]:
    """Return each captured layer's channel order, as `mixdit quality calibrate` found it."""
    modules, known = load_provenance()["modules"], load_calibration(CALIBRATION)
    return {name: known.input_of(module).order for name, module in modules.items()}


def _run(
    groups: Sequence[Sequence[PreparedGemm]], config: Config, folder: Path, console: Console,
    keep: Callable[[np.ndarray], None] | None = None,
) -> tuple[list[Row], Simulation]:
    """Simulate GEMMs, each group's back to back, and compare them with the golden model."""
    clear_reports(folder)
    simulation = simulate(
        config, [[(gemm.work, gemm.beats(config)) for gemm in group] for group in groups], console)
    flat = [gemm for group in groups for gemm in group]
    rows = []
    references: dict[str, np.ndarray] = {}
    for prepared, outcome in zip(flat, simulation.outcomes, strict=True):
        name = prepared.matrices.name
        if name not in references:
            references[name] = prepared.matrices.reference()
        rows.append(make_row(prepared, outcome, config, references[name]))
        if keep is not None:
            keep(outcome.patterns.view(np.float32))
    return rows, simulation


def _warn_of_nan(console: Console, prepared: PreparedGemm) -> None:
    a, b = prepared.a.nan_blocks, prepared.b.nan_blocks
    if a or b:
        console.print(f"Infinities or NaNs make {a} blocks of the activations and {b} of the "
                      "weights NaN, and with them every result that needs one.", style="yellow")


def _conclude(
    console: Console, rows: Sequence[Row], simulation: Simulation, folder: Path, compared: str
) -> Figures:
    """Print where things are; tell whether a bit of what was compared differs."""
    show_places(console, simulation.verilog, folder,
                {"build": simulation.build_seconds, "simulation": simulation.run_seconds})
    differences = [row.difference for row in rows if row.difference is not None]
    for difference in differences:
        complain(difference.sentence())
    if differences:
        return Figures(folder / "report.json", ExitCode.DIFFERENT)
    console.print(f"All {compared} equal the golden model to the bit.", style="green")
    return Figures(folder / "report.json")


def _results(rows: Sequence[Row]) -> str:
    return f"{sum(row.shape[0] * row.shape[2] for row in rows):,} results"
