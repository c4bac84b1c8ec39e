"""Options that several of the commands have."""

from typing import Annotated

import typer

SIZES = ("rows", "cols", "acc_width", "k_max")
"""Parameters of the machine that can be chosen."""

OF_BUS = ("read_depth", "outstanding")
"""Those of a machine's bus."""

Fraction = Annotated[float, typer.Option(
    help="MixDiT: share of the calibration set's K-blocks that may be MX9, 0 to 1.")]

HeadFraction = Annotated[float, typer.Option(
    help="MixDiT: share of the heads, or of their K-blocks, that may be MX9, in each of Q, K, P "
         "and V.")]

Latency = Annotated[int, typer.Option(
    min=1, max=1_000_000, help="Cycles that the memory takes to answer, of a machine with a bus.")]
