"""Operands in MX as packets carry them: drawn, cut into tiles, spoiled, and counted."""

from dataclasses import replace

import numpy as np

from golden import MX4, MX6, MX9, MXTensor, quantize
from golden.formats import MXFormat
from golden.planes import BASE_BYTES, RESIDUAL_BYTES
from sim_tests.stimuli.operands import matrix, mixed

FORMATS: dict[str, MXFormat] = {"MX4": MX4, "MX6": MX6, "MX9": MX9}
KINDS = (*FORMATS, "mixed")
PLANES = ("exponent", "microexponent", "mantissa", "sign", "is_mx9")


def draw_operand(
    rng: np.random.Generator, lines: int, k: int, lanes: int, kind: str = "mixed"
) -> MXTensor:
    """Draw a matrix (lines, k), blocked along k, with NaN blocks at times.

    Parameters
    ----------
    rng : numpy.random.Generator
    lines, k : int
    lanes : int
        Lines of a tile. In a mixed operand they share the precision of a K-block; some of its MX9
        K-blocks have no residual at all.
    kind : str
        Of `KINDS`.
    """
    x = matrix(rng, lines, k, nans=int(rng.integers(2)))
    if kind in FORMATS:
        return quantize(x, FORMATS[kind], axis=-1)
    shape = (-(-lines // lanes), -(-k // 16))
    is_exact, is_mx9 = (np.repeat(rng.random(shape) < share, lanes, axis=0)[:lines]
                        for share in (0.3, 0.5))
    exact = quantize(x, MX6, axis=-1).dequantize()
    return mixed(np.where(np.repeat(is_exact, 16, axis=1)[:, :k], exact, x), is_mx9)


def tiles_of(tensor: MXTensor, lanes: int) -> list[MXTensor]:
    """Cut a matrix (lines, k) into tiles of some lines; the last may have fewer."""
    tiles = []
    for first in range(0, tensor.shape[0], lanes):
        planes = {name: getattr(tensor, name)[first : first + lanes] for name in PLANES}
        shape = (len(planes["exponent"]), tensor.shape[1])
        tiles.append(replace(tensor, shape=shape, **planes))
    return tiles


def put_tile(tensor: MXTensor, first: int, tile: MXTensor) -> None:
    """Replace lines of a matrix, from line `first`, by those of a tile."""
    for name in PLANES:
        getattr(tensor, name)[first : first + tile.shape[0]] = getattr(tile, name)


def beats_of(tile: MXTensor, stream_bytes: int) -> list[int]:
    """Count the beats of each K-block in a tile's packet, its precision bits' included."""
    lines = tile.shape[0]
    base, residual = (-(-size * lines // stream_bytes) for size in (BASE_BYTES, RESIDUAL_BYTES))
    return [(block % (8 * stream_bytes) == 0) + base + residual * int(is_mx9)
            for block, is_mx9 in enumerate(tile.is_mx9[0])]


def spoil(packet: list[int], stream_bytes: int, how: str) -> list[int]:
    """Make a packet end early or late, or carry a wrong tkeep: "early", "at once", "late", "keep".

    The packet is as from `sim_tests.stimuli.operands.packet_words`.
    """
    keep_at, last_at = 8 * stream_bytes, 9 * stream_bytes
    middle = len(packet) // 2
    match how:
        case "early":
            return [*packet[:middle], packet[middle] | 1 << last_at]
        case "at once":
            return [packet[0] | 1 << last_at]
        case "late":
            return [*packet[:-1], packet[-1] ^ 1 << last_at, *packet[:middle], packet[-1]]
        case "keep":
            return [*packet[:middle], packet[middle] ^ 1 << keep_at + 1, *packet[middle + 1 :]]
        case _:
            raise ValueError(f"a packet can't be spoiled {how!r}")
