"""The command ``mixdit run block``: a DiT block whose GEMMs are lists of commands.

Exit codes: 0 when every byte is equal, 1 when one differs, else as `commands.exit_codes` has them.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer

from commands.environment import seed
from commands.figures import Figures
from commands.running import sentences
from commands.terminal import make_console
from examples.attention_steps import PrecisionChoice
from examples.block.block import OUTPUT
from examples.block.drawn import draw_block
from examples.block.fused import FusedBlockInMemory, reference
from examples.block.in_memory import BlockInMemory
from examples.block.shape import BlockShape
from examples.gemms import Style
from examples.lists.computation import Computation
from examples.lists.reported import run_and_report
from examples.options import OF_BUS, SIZES, Fraction, HeadFraction, Latency
from examples.places import BUILD, INTERRUPTED, clear_reports, prepare_folder
from hw.contract.config import Config
from hw.machine_options import machine_options


@machine_options(*SIZES, "drain_lanes", "vector_lanes", *OF_BUS)
def block(
    machine: Mapping[str, Any],
    tokens: Annotated[int, typer.Option(help="Of one sequence.")] = 64,
    width: Annotated[int, typer.Option(help="Channels of a token.")] = 1152,
    heads: Annotated[int, typer.Option(help="Of the attention.")] = 16,
    mlp_ratio: Annotated[float, typer.Option(
        help="Channels inside the feed-forward, by width.")] = 4.0,
    styles: Annotated[list[Style], typer.Option(
        "--format", help="Of the blocks; may be given several times.")] = (Style.MIXDIT,),
    fraction: Fraction = 0.05,
    head_fraction: HeadFraction = 0.20,
    bus_bytes: Annotated[int, typer.Option(help="Bytes of a word of the bus.")] = 32,
    latency: Latency = 100,
) -> Figures:
    """Run a DiT block as four lists of commands, or as one, from memory to memory.

    Width, heads and ratio are DiT-XL/2's. Numbers are drawn, with outlier channels; MIXDIT_SEED
    seeds them. Between the lists the host computes what the machine has no hardware for: norms,
    softmax, GELU, residuals. With a vector unit all is one list, and the host computes nothing.

    Example: mixdit run block

    Example: mixdit run block --vector-lanes 2

    Example: mixdit run block --rows 4 --cols 4 --tokens 16 --width 64 --heads 2 --format mx9
    """
    with sentences(INTERRUPTED):
        shape = BlockShape(tokens=tokens, width=width, heads=heads, mlp_ratio=mlp_ratio)
        if not bus_bytes:
            raise ValueError("bus_bytes=0 is a machine between streams, which carries out no "
                             "lists: give it a bus of 8, 16, 32 or 64 bytes")
        config = Config.sized(**machine, bus_bytes=bus_bytes)
        shape.check_machine(config)
        choices = [PrecisionChoice(style, fraction, head_fraction)
                   for style in dict.fromkeys(styles)]
        folder = BUILD / "block"
        prepare_folder(folder)
        clear_reports(folder)
        console = make_console()
        console.print(
            f"{tokens} tokens of {width} channels, {heads} heads of {width // heads}, "
            f"{shape.hidden} channels inside the feed-forward: {shape.multiplications:,} "
            f"multiplications, on a machine of {config.rows} x {config.cols} cells.")
        drawn = draw_block(shape, seed())
        kind = FusedBlockInMemory if config.vector_lanes else BlockInMemory
        count = len(kind.steps)
        figures, rows = run_and_report(
            Computation(reference(drawn) if config.vector_lanes else drawn.reference(),
                        partial(kind, drawn), shape.memory_bytes(config)),
            choices, config, latency=latency, folder=folder, console=console,
            title=f"A DiT block in {count} list{'s' * (count > 1)} of commands, "
                  f"{config.rows} × {config.cols} array", shape=asdict(shape))
        for row in rows:
            if OUTPUT in row.qsnr:
                error = 10 ** (-row.qsnr[OUTPUT] / 20)
                console.print(f"The block's output in {row.style.title}: {row.qsnr[OUTPUT]:.1f} dB "
                              f"against FP64, an error of {error:.2%} (RMS).")
        return figures
