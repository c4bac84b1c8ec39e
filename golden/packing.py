"""Packets of floats and MX tensors, as the accelerator reads and writes them.

All little-endian. The bytes of a block are those of `golden.planes`.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import whole
from golden.floats import float_bits, widen
from golden.formats import BLOCK_SIZE, MX6, MX9, FloatFormat
from golden.mx import MXTensor
from golden.planes import pack_base, pack_residual


def activation_rows(x: ArrayLike, float_format: FloatFormat | None = None) -> list[bytes]:
    """Serialize a matrix of floats as the accelerator reads it: one packet per row.

    Parameters
    ----------
    x : array_like, shape (M, K)
        Floats or their bits, as in `golden.floats.float_bits`.

    Returns
    -------
    list of bytes
        M packets of K little-endian numbers.
    """
    bits, _ = float_bits(x, float_format)
    if bits.ndim != 2:
        raise ValueError(f"activations must be a matrix (M, K), not of shape {bits.shape}")
    little = np.ascontiguousarray(bits.astype(bits.dtype.newbyteorder("<"), copy=False))
    return [row.tobytes() for row in little]


def weight_stream(
    b: MXTensor, cols: int, beat_bytes: int, bias: ArrayLike | None = None
) -> list[bytes]:
    """Serialize a weight as the accelerator reads it: one packet per tile of `cols` columns.

    First come the biases of the tile's columns, if there are any. Then for each K-block in order
    the bases of the tile's columns and, if the K-block is MX9, their residuals. Each of these
    groups is padded with zeros to whole beats. Before K-blocks 0, 8W, 16W, ... (W bytes per beat)
    comes one beat with the precision bits of the next 8W K-blocks, the first in bit 0.

    Parameters
    ----------
    b : MXTensor
        Of a matrix (K, N), blocked along K.
    cols : int
        Columns of the array. The last tile may have fewer; only real columns travel.
    beat_bytes : int
        Bytes of one stream beat.
    bias : array_like of float32, shape (N,), optional

    Raises
    ------
    ValueError
        If `b` is no such matrix, a number is below 1, or columns of a tile disagree on a K-block's
        precision.
    """
    _check_matrix(b, 0, "weights must be a matrix (K, N)")
    cols, beat_bytes = whole(cols, "cols", least=1), whole(beat_bytes, "beat_bytes", least=1)
    heads = None
    if bias is not None:
        heads = np.ascontiguousarray(widen(bias).astype("<f4", copy=False))
        if heads.shape != (b.shape[1],):
            raise ValueError(f"bias must have shape ({b.shape[1]},), not {heads.shape}")
    packets = []
    for tile, lines in enumerate(_tiles(b, cols, beat_bytes)):
        head = b"" if heads is None else heads[tile * cols : (tile + 1) * cols].tobytes()
        body = _tile_packet(lines, "columns", tile * cols, beat_bytes)
        packets.append(_pad(head, beat_bytes) + body)
    return packets


def activation_tiles(a: MXTensor, rows: int, beat_bytes: int) -> list[bytes]:
    """Serialize packed activations: one packet per token tile, made like those of a weight.

    Parameters
    ----------
    a : MXTensor
        Of a matrix (M, K), blocked along K.
    rows : int
        Rows of the array. The last tile may have fewer; only real rows travel.
    beat_bytes : int
        Bytes of one beat of the activation stream.

    Raises
    ------
    ValueError
        As `weight_stream` does.
    """
    _check_matrix(a, 1, "activations must be a matrix (M, K)")
    rows, beat_bytes = whole(rows, "rows", least=1), whole(beat_bytes, "beat_bytes", least=1)
    return [
        _tile_packet(lines, "rows", tile * rows, beat_bytes)
        for tile, lines in enumerate(_tiles(a, rows, beat_bytes))
    ]


def result_chunks(
    c: MXTensor, rows: int, tiles: int, beat_bytes: int, cols: int = BLOCK_SIZE
) -> list[bytes]:
    """Serialize MX results as the accelerator writes them: a packet per tile and 16 columns.

    A packet holds the bases of the token tile's rows and, in MX9, their residuals, each of the two
    groups padded with zeros to whole beats of the activation stream: what `activation_tiles` has of
    a K-block. Packets come in the order: group of `tiles` token tiles, 16 columns, token tile; from
    an array of more than 16 columns: group, column tile, token tile, 16 columns.
    `golden.unpacking.tiles_of_chunks` makes packets for the next GEMM of them.

    Parameters
    ----------
    c : MXTensor
        Of a matrix (M, N), blocked along N, all of it in MX6 or all in MX9.
    rows : int
        Rows of the array. The last tile may have fewer; only real rows travel.
    tiles : int
        Token tiles resident together.
    beat_bytes : int
        Bytes of one beat of the activation stream.
    cols : int
        Columns of the array; matters where there are more than 16.

    Raises
    ------
    ValueError
        If `c` is no such matrix or a number is below 1.
    """
    _check_matrix(c, 1, "results must be a matrix (M, N)")
    if c.format not in (MX6, MX9):
        raise ValueError(f"results leave in MX6 or MX9, not in {c.format_name}")
    rows, cols = whole(rows, "rows", least=1), whole(cols, "cols", least=1)
    tiles = whole(tiles, "tiles", least=1)
    beat_bytes = whole(beat_bytes, "beat_bytes", least=1)
    groups = [_groups(tile, beat_bytes) for tile in _tiles(c, rows, beat_bytes)]
    places = chunk_places(len(groups), c.exponent.shape[1], tiles, cols)
    return [groups[tile][block] for tile, block in places]


def chunk_places(
    token_tiles: int, blocks: int, tiles: int, cols: int = BLOCK_SIZE
) -> list[tuple[int, int]]:
    """List token tile and 16-column block of packed results in the order in which they leave.

    Parameters
    ----------
    token_tiles, blocks : int
        How many there are of each.
    tiles, cols : int
        As in `result_chunks`.
    """
    together = max(1, cols // BLOCK_SIZE)
    return [
        (tile, block)
        for group in range(0, token_tiles, tiles)
        for first in range(0, blocks, together)
        for tile in range(group, min(group + tiles, token_tiles))
        for block in range(first, min(first + together, blocks))
    ]


def _check_matrix(tensor: MXTensor, axis: int, what: str) -> None:
    if not isinstance(tensor, MXTensor):
        raise TypeError(f"{what} as an MXTensor, not a {type(tensor).__name__}: quantize it")
    if len(tensor.shape) != 2 or tensor.axis != axis:
        raise ValueError(
            f"{what} blocked along axis {axis}, not {tensor.shape} along {tensor.axis}"
        )
    if tensor.shape[axis] == 0:
        raise ValueError(f"{what} with at least one block per line, not of shape {tensor.shape}")


def _tiles(tensor: MXTensor, lanes: int, beat_bytes: int) -> Iterator[MXTensor]:
    """Cut a matrix into tiles of `lanes` lines, which are the rows of A or the columns of B."""
    arrays = ("exponent", "microexponent", "mantissa", "sign", "is_mx9")
    for first in range(0, len(tensor.exponent), lanes):
        yield replace(
            tensor, **{name: getattr(tensor, name)[first : first + lanes] for name in arrays}
        )


def _tile_packet(tile: MXTensor, what: str, first: int, beat_bytes: int) -> bytes:
    tags = tile.is_mx9[0]
    mixed = np.flatnonzero(np.any(tile.is_mx9 != tags, axis=0))
    if mixed.size:
        raise ValueError(
            f"{what} {first} to {first + len(tile.is_mx9) - 1} disagree on the precision of "
            f"K-block {mixed[0]}; the {what} of a tile must share it"
        )
    groups = _groups(tile, beat_bytes)
    return b"".join(
        precision_beat(tags, block, beat_bytes) + group for block, group in enumerate(groups)
    )


def _groups(tile: MXTensor, beat_bytes: int) -> list[bytes]:
    """Serialize each K-block of a tile: the bases of all lines, then any residuals."""
    base, residual = pack_base(tile), pack_residual(tile.residual)
    return [
        _pad(base[:, block].tobytes(), beat_bytes)
        + (_pad(residual[:, block].tobytes(), beat_bytes) if is_mx9 else b"")
        for block, is_mx9 in enumerate(tile.is_mx9[0])
    ]


def precision_beat(tags: NDArray[np.bool_], block: int, beat_bytes: int) -> bytes:
    """Return the beat of precision bits that comes before a K-block; nothing where none does."""
    per_beat = 8 * beat_bytes
    if block % per_beat:
        return b""
    bits = np.packbits(tags[block : block + per_beat], bitorder="little").tobytes()
    return bits.ljust(beat_bytes, b"\0")


def _pad(group: bytes, beat_bytes: int) -> bytes:
    return group + bytes(-len(group) % beat_bytes)
