"""Which K-blocks of a list's operands are MX9: chosen before it runs, counted when it has."""

import numpy as np
from numpy.typing import NDArray

import golden
from examples.attention_steps import PrecisionChoice
from examples.gemms import Style
from golden import Policy
from golden.memory.descriptor import Command
from golden.memory.jobs import JobKind, Selection
from golden.units import unit_magnitudes
from hw.host.memory import Commands, above, every
from hw.host.memory.selection import Choice


def choose_blocks(heads: NDArray[np.float16], choice: PrecisionChoice, of_tile: int) -> Choice:
    """Choose K-blocks of tiles of rows, (heads, rows, K): all, none, or those above a threshold."""
    if choice.style is not Style.MIXDIT:
        return every(choice.style is Style.MX9)
    policy = Policy(fraction=choice.head_fraction, tile_rows=of_tile)
    return above(golden.calibrate_threshold([heads], policy))


def mx9_shares(commands: Commands) -> tuple[float, float]:
    """Count K-blocks in MX9, as shares of all that the GEMMs of a list have read.

    Parameters
    ----------
    commands : Commands
        That have been carried out, and whose operands nobody has changed since.

    Returns
    -------
    a, b : float
        Of tiles of the activations, and of columns of the weights.
    """
    of_tile, tags = commands.memory.config.rows, {"A": [], "B": []}
    for entry in commands.entries:
        if "B" not in entry.handles:
            continue
        a = entry.handles["A"].read()
        is_packed = entry.command.kind == JobKind.GEMM_PACKED.value
        tags["A"].append(a.is_mx9 if is_packed else _chosen(entry.command, a, of_tile))
        tags["B"].append(entry.handles["B"].read().is_mx9)
    a, b = (float(np.concatenate([each.ravel() for each in found]).mean())
            for found in tags.values())
    return a, b


def _chosen(command: Command, numbers: NDArray[np.floating], of_tile: int) -> NDArray[np.bool_]:
    """Tell which K-blocks of the tiles of activations a command has in MX9."""
    magnitude = unit_magnitudes(numbers, tile_rows=of_tile)
    if command.selection == Selection.THRESHOLD.value:
        return magnitude > command.threshold
    if command.selection == Selection.TOP.value:
        order = np.argsort(-magnitude.astype(np.int64), axis=-1, kind="stable")
        chosen = np.zeros(magnitude.shape, bool)
        np.put_along_axis(chosen, order[..., :command.units], True, axis=-1)
        return chosen
    if command.selection == Selection.HEAD.value:
        return np.full(magnitude.shape, bool(command.units))
    raise ValueError(f"the blocks that selection {command.selection} takes are not counted here")
