"""Which packets a job takes and gives, and where packed results go: docs/packets.md in Python.

A `Part` is the part of a matrix that a packet holds. Sizes are named as on that page.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sim_tests.from_docs.numerics import BASE_BYTES, BLOCK, RESIDUAL_BYTES


class Part(NamedTuple):
    """`rows` rows from `row`, `cols` columns from `col`."""

    row: int
    rows: int
    col: int
    cols: int


class Array(NamedTuple):
    """The registers ROWS and COLS, and DRAIN_LANES / COLS."""

    rows: int
    cols: int
    drain_rows: int


def up(a: int, b: int) -> int:
    """The least multiple of b that is not below a."""
    return -(-a // b) * b


def rows_of_numbers(m: int, k: int) -> Iterator[Part]:
    """GEMM: parts of A. CONVERT: parts of B turned over, for its N."""
    for i in range(m):
        yield Part(i, 1, 0, k)


def packed_rows(array: Array, m: int, k: int) -> Iterator[Part]:
    """GEMM_PACKED: parts of A."""
    for i in range(0, m, array.rows):
        yield Part(i, min(i + array.rows, m) - i, 0, k)


def transposed_numbers(array: Array, n: int, k: int) -> Iterator[Part]:
    """CONVERT_TRANSPOSED: parts of B."""
    for j in range(0, n, array.cols):
        for i in range(k):
            yield Part(i, 1, j, min(j + array.cols, n) - j)


def packed_columns(array: Array, n: int, k: int) -> Iterator[Part]:
    """What conversions give, and each pass of a GEMM takes: parts of B."""
    for j in range(0, n, array.cols):
        yield Part(0, k, j, min(j + array.cols, n) - j)


def weight_passes(array: Array, m: int, group_tiles: int) -> int:
    """How often B comes."""
    return len(range(0, m, array.rows * group_tiles))


def float_results(array: Array, m: int, n: int, group_tiles: int) -> Iterator[Part]:
    """Results in FP32, FP16 and BF16: parts of C."""
    group = array.rows * group_tiles
    for g in range(0, m, group):
        for j in range(0, n, array.cols):
            for i in range(g, min(g + group, m), array.rows):
                for d in range(i, min(i + array.rows, m), array.drain_rows):
                    end = min(d + array.drain_rows, i + array.rows, m)
                    yield Part(d, end - d, j, min(j + array.cols, n) - j)


def float_place(array: Array, size: int, i: int, j: int) -> int:
    """Byte at which a result of row i, column j of its packet begins; `size` bytes each."""
    power = 1
    while power < array.cols:
        power *= 2
    return i * size * power + j * size


def mx_results(array: Array, m: int, n: int, group_tiles: int) -> Iterator[Part]:
    """Results in MX6 and MX9: parts of C."""
    group, step = array.rows * group_tiles, max(array.cols, BLOCK)
    for g in range(0, m, group):
        for j in range(0, n, step):
            for i in range(g, min(g + group, m), array.rows):
                b = j // BLOCK
                while BLOCK * b < min(j + step, n):
                    yield Part(i, min(i + array.rows, m) - i, BLOCK * b,
                               min(BLOCK * b + BLOCK, n) - BLOCK * b)
                    b += 1


def block_place(beat_bytes: int, b: int, lines: int, is_mx9: bool) -> int:
    """Byte of a packed tile at which K-block b begins, where all are of one format."""
    residual = up(RESIDUAL_BYTES * lines, beat_bytes) if is_mx9 else 0
    return beat_bytes * (b // (8 * beat_bytes) + 1) + b * (
        up(BASE_BYTES * lines, beat_bytes) + residual)
