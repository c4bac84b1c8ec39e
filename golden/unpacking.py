"""Reading the accelerator's packets, and turning packed results into packed activations."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from golden.arguments import whole
from golden.formats import BLOCK_SIZE, MX6, MX9, MXFormat
from golden.mx import MXTensor, mx_format
from golden.packing import chunk_places, precision_beat
from golden.planes import BASE_BYTES, RESIDUAL_BYTES, unpack


def read_weight_stream(
    packets: Sequence[bytes], shape: tuple[int, int], cols: int, beat_bytes: int
) -> MXTensor:
    """Undo `weight_stream`, of packets without biases.

    Parameters
    ----------
    packets : sequence of bytes
    shape : (int, int)
        K and N.
    cols, beat_bytes : int
        As they were made with.

    Returns
    -------
    MXTensor
        Mixed, of shape (K, N), blocked along axis 0.

    Raises
    ------
    ValueError
        If the packets are not as many or not as long as they must be.
    """
    return _read_tiles(packets, shape[1], shape[0], cols, beat_bytes).transpose()


def read_activation_tiles(
    packets: Sequence[bytes], shape: tuple[int, int], rows: int, beat_bytes: int
) -> MXTensor:
    """Undo `activation_tiles`: a mixed tensor of the shape (M, K), blocked along K."""
    return _read_tiles(packets, shape[0], shape[1], rows, beat_bytes)


def tiles_of_chunks(
    chunks: Sequence[bytes],
    shape: tuple[int, int],
    fmt: MXFormat,
    rows: int,
    tiles: int,
    beat_bytes: int,
    cols: int = BLOCK_SIZE,
) -> list[bytes]:
    """Turn packed results into the packed activations of the next GEMM, without touching a block.

    Parameters
    ----------
    chunks : sequence of bytes
        As `golden.packing.result_chunks` describes them.
    shape : (int, int)
        M and N of the results; N is K of the next GEMM.
    fmt : MXFormat
        MX6 or MX9, as the results were asked for.
    rows, tiles, beat_bytes, cols : int
        As in `result_chunks`.

    Returns
    -------
    list of bytes
        As from `golden.packing.activation_tiles`: one packet per token tile.

    Raises
    ------
    ValueError
        If the chunks are not as many as they must be.
    """
    fmt = mx_format(fmt)
    if fmt not in (MX6, MX9):
        raise ValueError(f"results leave in MX6 or MX9, not in {fmt.name}")
    m, n = (whole(size, "a size in shape", least=0) for size in shape)
    rows, tiles, cols, beat_bytes = (
        whole(value, name, least=1)
        for value, name in ((rows, "rows"), (tiles, "tiles"), (cols, "cols"),
                            (beat_bytes, "beat_bytes"))
    )  # fmt: skip
    count, blocks = -(-m // rows), -(-n // BLOCK_SIZE)
    if len(chunks) != count * blocks:
        raise ValueError(
            f"results of shape {shape} have {count * blocks} chunks, not {len(chunks)}"
        )
    tags = np.full(blocks, fmt == MX9)
    of_tile: list[list[bytes]] = [[] for _ in range(count)]
    for chunk, (tile, block) in zip(chunks, chunk_places(count, blocks, tiles, cols), strict=True):
        of_tile[tile].append(precision_beat(tags, block, beat_bytes) + chunk)
    return [b"".join(parts) for parts in of_tile]


def _read_tiles(
    packets: Sequence[bytes], lines: int, k: int, lanes: int, beat_bytes: int
) -> MXTensor:
    lines, k = whole(lines, "a size in shape", least=0), whole(k, "K", least=1)
    lanes, beat_bytes = whole(lanes, "lanes", least=1), whole(beat_bytes, "beat_bytes", least=1)
    if len(packets) != -(-lines // lanes):
        raise ValueError(
            f"{lines} lines in tiles of {lanes} make {-(-lines // lanes)} packets, "
            f"not {len(packets)}"
        )
    blocks = -(-k // BLOCK_SIZE)
    base = np.zeros((lines, blocks, BASE_BYTES), np.uint8)
    residual = np.zeros((lines, blocks, RESIDUAL_BYTES), np.uint8)
    is_mx9 = np.zeros((lines, blocks), np.bool_)
    for tile, packet in enumerate(packets):
        part = slice(tile * lanes, min((tile + 1) * lanes, lines))
        reader = _Reader(packet, tile, beat_bytes)
        for block in range(blocks):
            if block % (8 * beat_bytes) == 0:
                bits = np.unpackbits(reader.take(beat_bytes), bitorder="little")
            is_mx9[part, block] = bits[block % (8 * beat_bytes)]
            for plane in (base, residual)[: 1 + is_mx9[part.start, block]]:
                taken = reader.take(plane[part, block].size)
                plane[part, block] = taken.reshape(-1, plane.shape[-1])
        reader.finish()
    return unpack(base, residual[is_mx9], is_mx9, "mixed", (lines, k))


class _Reader:
    """Read groups of bytes, each padded to whole beats, from one packet."""

    def __init__(self, packet: bytes, number: int, beat_bytes: int) -> None:
        self._bytes = np.frombuffer(packet, np.uint8)
        self._number, self._beat_bytes, self._position = number, beat_bytes, 0

    def take(self, count: int) -> NDArray[np.uint8]:
        first = self._position
        self._position += count + -count % self._beat_bytes
        if self._position > len(self._bytes):
            raise ValueError(f"packet {self._number} ends after {len(self._bytes)} bytes")
        if self._bytes[first + count : self._position].any():
            raise ValueError(f"packet {self._number} is not padded with zeros at byte {first}")
        return self._bytes[first : first + count]

    def finish(self) -> None:
        if self._position != len(self._bytes):
            raise ValueError(
                f"packet {self._number} has {len(self._bytes)} bytes instead of {self._position}"
            )
