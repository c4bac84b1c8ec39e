"""Rows of FP32 numbers, block by block: corners of their statistics, and random ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.vector.formats import MOST_COLUMNS
from sim_tests import drive
from sim_tests.stimuli.operands import bits

Row = NDArray[np.uint32]
"""Patterns of shape (columns,)."""

SIGN = 1 << 31
ONE, LARGEST, INFINITY, LEAST_NORMAL = 0x3F800000, 0x7F7FFFFF, 0x7F800000, 0x00800000
NANS = (0x7FC00000, 0x7F800001, 0xFF800001, 0xFFFFFFFF)


def _row(*patterns: int) -> Row:
    return np.array(patterns, np.uint32)


def corner_rows() -> list[Row]:
    """Return rows that docs/vector.md says something of, of one element and of several blocks."""
    numbers = drive.rng("corners").normal(1000, 1, 300).astype(np.float32).view(np.uint32)
    binades = np.arange(1, 255, dtype=np.uint32) << 23
    mixed = np.concatenate([binades, binades | SIGN | 0x7FFFFF])
    rows = [
        _row(0), _row(SIGN), _row(0, SIGN), _row(SIGN, 0), _row(SIGN, SIGN, 1 | SIGN), _row(1),
        _row(1 | SIGN), _row(0x7FFFFF | SIGN, LEAST_NORMAL | SIGN), _row(LEAST_NORMAL),
        _row(ONE), _row(ONE | SIGN), _row(ONE, ONE | SIGN), _row(ONE, ONE + 1),
        _row(ONE + 1, ONE + 2), _row(LARGEST), _row(LARGEST | SIGN), _row(LARGEST, LARGEST),
        _row(INFINITY), _row(INFINITY | SIGN), _row(INFINITY, INFINITY | SIGN),
        _row(INFINITY | SIGN, LARGEST | SIGN), _row(LARGEST, LEAST_NORMAL, SIGN),
        np.zeros(48, np.uint32), np.full(40, 0xC2F6E979, np.uint32), np.full(35, ONE, np.uint32),
        numbers, numbers | SIGN, binades, binades | SIGN, mixed,
        # A half of the lowest unit, which rounds away from zero, at every distance.
        np.concatenate([_row(254 << 23), np.arange(200, 255, dtype=np.uint32) << 23]),
    ]
    for nan in NANS:
        rows += [_row(nan), _row(ONE, nan, INFINITY), np.append(np.full(30, ONE, np.uint32), nan)]
    return [row.astype(np.uint32) for row in rows]


def random_rows(rng: np.random.Generator, count: int, *, most_columns: int = 70) -> list[Row]:
    """Draw rows of all lengths and exponents; in some of them numbers are near each other."""
    rows = []
    for _ in range(count):
        columns = int(rng.integers(1, most_columns + 1))
        top = rng.integers(0, 255)
        span = rng.choice([1, 3, 12, 30, 255])
        exponent = np.maximum(0, top - rng.integers(0, span, columns))
        mantissa = rng.integers(0, 1 << 23, columns)
        mantissa = np.where(rng.random(columns) < 0.1, 0x7FFFFF, mantissa)
        sign = rng.integers(0, 2, columns) if rng.random() < 0.7 else rng.integers(0, 2)
        rows.append((sign << 31 | exponent << 23 | mantissa).astype(np.uint32))
    return rows


def longest_rows() -> list[Row]:
    """Return the longest rows, of the largest sums that there are."""
    return [np.full(MOST_COLUMNS, LARGEST | sign, np.uint32) for sign in (0, SIGN)]


def _places(
    rng: np.random.Generator, columns: int, lanes: int, has_holes: bool
) -> NDArray[np.bool_]:
    """Say in which lanes of which blocks a row's elements stand: shape (blocks, lanes)."""
    if not has_holes:
        return (np.arange(-(-columns // lanes) * lanes) < columns).reshape(-1, lanes)
    blocks: list[NDArray[np.bool_]] = []
    left = columns
    while left:
        is_valid = rng.random(lanes) < rng.random()
        is_valid &= np.cumsum(is_valid) <= left
        left -= np.count_nonzero(is_valid)
        blocks.append(is_valid)
    return np.array(blocks)


async def pass_over(
    dut: Any, rows: Sequence[Row], *, layout: Any, latency: int, idle: float = 0.0,
    exponents: Sequence[int] | None = None, has_holes: bool = False,
) -> list[dict[str, int]]:
    """Show rows to a component, back to back, and collect what it says of each.

    Elements that do not count, and whole blocks in cycles without one, hold anything. ``done`` is
    checked to come `latency` cycles behind each row's last block, and in no other cycle.

    Parameters
    ----------
    dut : handle
        With ``block``, ``is_valid``, ``first``, ``last`` and ``done``.
    rows : sequence of Row
    layout : ArrayLayout
        Of ``block``.
    latency : int
    idle : float
        Share of cycles without a block.
    exponents : sequence of int, optional
        Of each row, for ``exponent``.
    has_holes : bool
        Any elements of a block count, or none, and not the first ones.

    Returns
    -------
    list of dict of str to int
        All outputs by name, as they stand with ``done``.
    """
    rng = drive.rng("blocks")
    lanes = layout.length
    garbage = rng.integers(0, 1 << 32, (64, lanes), np.uint32)
    garbage_words = drive.pack(layout, garbage)
    steps: list[tuple[int, int, int, int, int] | None] = []
    for number, row in enumerate(rows):
        is_valid = _places(rng, len(row), lanes, has_holes)
        blocks = len(is_valid)
        padded = rng.integers(0, 1 << 32, (blocks, lanes), np.uint32)
        padded[is_valid] = row
        masks = bits(is_valid)
        for block, word in enumerate(drive.pack(layout, padded)):
            while idle and rng.random() < idle:
                steps.append(None)
            steps.append((word, int(masks[block]), int(block == 0), int(block == blocks - 1),
                          int(exponents[number]) if exponents is not None else 0))
    outputs = [name for name in ("exponent", "maximum", "totals")
               if hasattr(dut, name) and not (name == "exponent" and exponents is not None)]
    seen: list[dict[str, int]] = []
    for cycle in range(len(steps) + latency):
        step = steps[cycle] if cycle < len(steps) else None
        word, is_valid, first, last, exponent = step or (garbage_words[cycle % 64], 0, 0, 0, 77)
        dut.block.value, dut.is_valid.value = word, is_valid
        dut.first.value, dut.last.value = first, last
        if exponents is not None:
            dut.exponent.value = exponent
        await drive.ticks(dut, 1)  # what is read now was there before this edge
        ended = steps[cycle - latency] if cycle >= latency else None
        assert int(dut.done.value) == int(ended is not None and ended[3]), f"done, cycle {cycle}"
        if int(dut.done.value):
            seen.append({name: int(getattr(dut, name).value) for name in outputs})
    return seen
