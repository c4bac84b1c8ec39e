"""Tag units: the groups of blocks that share one precision bit."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import whole
from golden.floats import MAGNITUDE_MASK, widen
from golden.formats import FloatFormat
from golden.mx import to_blocks

GRANULARITIES = ("channel_block", "block", "head")
"""16 channels of a tile of rows; 16 channels of a row; a whole head of (..., heads, tokens, K)."""


def unit_magnitudes(
    x: ArrayLike,
    granularity: str = "channel_block",
    tile_rows: int | None = None,
    float_format: FloatFormat | None = None,
) -> NDArray[np.uint32]:
    """Return the largest magnitude of every tag unit as a 31-bit FP32 pattern.

    Parameters
    ----------
    x : array_like, shape (..., rows, K)
        Floats or their bits. Subnormals count in full, NaN patterns are the largest.
    granularity : {"channel_block", "block", "head"}
    tile_rows : int, optional
        Rows of a token tile; all rows if left out. The last tile may have fewer.
    float_format : FloatFormat, optional
        Of `x` where that holds bits.

    Returns
    -------
    ndarray of uint32
        (..., tiles, K-blocks) for "channel_block", (..., rows, K-blocks) for "block", (..., heads)
        for "head".

    Raises
    ------
    TypeError, ValueError
        If the granularity does not exist, `x` has no heads although it asks for them, or
        `tile_rows` is no integer of at least 1.
    """
    check_granularity(granularity)
    tile_rows = check_tile_rows(tile_rows)
    wide = np.atleast_2d(widen(x, float_format))
    blocks = to_blocks(wide, -1).view(np.uint32) & MAGNITUDE_MASK
    return gather(blocks.max(axis=-1), granularity, tile_rows)


def gather(
    magnitude: NDArray[np.uint32], granularity: str, tile_rows: int | None
) -> NDArray[np.uint32]:
    """Reduce magnitudes of blocks, (..., rows, K-blocks), to the magnitudes of their units."""
    if granularity == "block":
        return magnitude
    if granularity == "head":
        if magnitude.ndim < 3:
            raise ValueError(
                "heads need a tensor (..., heads, tokens, channels), "
                f"not one of {magnitude.ndim} dimensions"
            )
        return magnitude.max(axis=(-2, -1), initial=0)
    rows = magnitude.shape[-2]
    if rows == 0:
        return magnitude  # no tiles
    step = min(tile_rows or rows, rows)
    return np.maximum.reduceat(magnitude, np.arange(0, rows, step), axis=-2)


def spread(
    units: NDArray[np.bool_], lead: tuple[int, ...], granularity: str, tile_rows: int | None
) -> NDArray[np.bool_]:
    """Give every block the tag of its unit.

    Parameters
    ----------
    units : ndarray of bool
        Shaped as `unit_magnitudes` says.
    lead : tuple of int
        Shape of the blocks, (..., rows, K-blocks) or (K-blocks,).
    granularity, tile_rows
        As in `unit_magnitudes`.
    """
    if 0 in lead:
        return np.zeros(lead, np.bool_)
    if granularity == "channel_block":
        rows = lead[-2] if len(lead) > 1 else 1
        units = np.repeat(units, min(tile_rows or rows, rows), axis=-2)[..., :rows, :]
        return units.reshape(lead)
    if granularity == "head":
        units = units[..., None, None]
    return np.broadcast_to(units, lead).copy() if units.ndim <= len(lead) else units.reshape(lead)


def check_granularity(granularity: str) -> None:
    """Raise a ValueError unless there is such a tag unit."""
    if not isinstance(granularity, str) or granularity not in GRANULARITIES:
        raise ValueError(
            f"granularity must be one of {', '.join(GRANULARITIES)}, not {granularity!r}"
        )


def check_tile_rows(tile_rows: int | None) -> int | None:
    """Return the rows of a token tile as an int, or None for all rows."""
    return None if tile_rows is None else whole(tile_rows, "tile_rows", least=1)
