"""The tables of segments, made of the definitions of their functions: ``mixdit dev vector-tables``.

Each segment starts from the polynomial through the Chebyshev nodes. Then all coefficients near it
are tried, and those with the smallest largest error over all arguments of the segment are kept.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden.vector.formats import GELU_LIMIT, SILU_LIMIT
from golden.vector.interpolation import evaluate
from golden.vector.segments import Segments

PAGE = Path(__file__).with_name("tables.py")

_HEAD = '''"""Coefficients of the functions: `mixdit dev vector-tables` makes this file."""

from golden.vector.segments import Segments

'''

Real = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Definition:
    """A function to be made a table of.

    Attributes
    ----------
    name : str
        Of the constant.
    function : callable
        Of float64 numbers.
    start, stop : float
        The arguments of the table divide this range.
    segments : int
    rest_bits, top_bits, points, result_bits
        As in `Segments`; without a second degree `top_bits` is 0.
    is_relative : bool
        The error is divided by the function.
    least, most : float
        The results may not leave this range.
    """

    name: str
    function: Real
    start: float
    stop: float
    segments: int
    rest_bits: int
    top_bits: int
    points: tuple[int, int, int]
    result_bits: int
    is_relative: bool
    least: float
    most: float


def gelu_gate(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Phi, by which GELU in its tanh form multiplies x: (1 + tanh(u)) / 2."""
    return logistic(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))


def logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sigma, by which SiLU multiplies x: 1 / (1 + exp(-x))."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def root_of_two_binades(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / sqrt(m): below 1 of m = 1 + x, from 1 on of m = 2 x."""
    return 1 / np.sqrt(np.where(x < 1, 1 + x, 2 * x))


DEFINITIONS = (
    Definition("EXP2", np.exp2, 0, 1, 32, 10, 0, (17, 14, 14), 15, True, 1, 2 - 2**-15),
    Definition("GELU_GATE", gelu_gate, 0, GELU_LIMIT, 64, 11, 7, (19, 17, 13), 17, False, 0.5, 1),
    Definition("SILU_GATE", logistic, 0, SILU_LIMIT, 64, 12, 7, (19, 17, 13), 17, False, 0.5, 1),
    Definition("RECIPROCAL", lambda x: 1 / (1 + x), 0, 1, 16, 11, 8, (19, 17, 14), 16, True,
               0.5, 1),
    Definition("RECIPROCAL_ROOT", root_of_two_binades, 0, 2, 32, 11, 8, (19, 17, 14), 16, True,
               0.5, 1),
)  # fmt: skip


def fit(definition: Definition) -> Segments:
    """Make the table of a function."""
    empty = Segments(definition.name, definition.rest_bits, definition.top_bits,
                     definition.points, definition.result_bits, (), (), ())  # fmt: skip
    found = [_segment(definition, empty, number) for number in range(definition.segments)]
    c0, c1, c2 = zip(*found, strict=True)
    return Segments(definition.name, definition.rest_bits, definition.top_bits,
                    definition.points, definition.result_bits, c0, c1, c2)  # fmt: skip


def _segment(definition: Definition, table: Segments, number: int) -> tuple[int, int, int]:
    """Return the best coefficients of a segment."""
    width = (definition.stop - definition.start) / definition.segments
    rest = np.arange(1 << table.rest_bits)
    start = definition.start + width * number
    exact = definition.function(start + width * rest / len(rest))
    weight = 1 / exact if definition.is_relative else np.ones(len(rest))
    degree = 2 if table.top_bits else 1
    nodes = (1 - np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))) / 2
    _, first, *second = np.polynomial.polynomial.polyfit(
        nodes, definition.function(start + width * nodes), degree
    )
    p0, p1, p2 = table.points
    unit = 1 << table.result_bits
    least, most = definition.least * unit, definition.most * unit
    best, chosen = np.inf, (0, 0, 0)
    for c2 in [round(second[0] * 2**p2) + step for step in (-1, 0, 1)] if second else [0]:
        # What c2 lacks goes into c1.
        lacking = second[0] - c2 / 2**p2 if second else 0
        for c1 in [round((first + lacking) * 2**p1) + step for step in range(-3, 4)]:
            inner = c1 + (c2 * (rest >> (table.rest_bits - table.top_bits)) >> table.inner_shift)
            off = exact * 2**p0 - (inner * rest >> table.outer_shift)
            middle = round((off.max() + off.min()) / 2)
            for c0 in range(middle - 4, middle + 5):
                value = evaluate(table, c0, c1, c2, rest)
                if value.min() < least or value.max() > most:
                    continue
                if number == 0 and value[0] != exact[0] * unit:
                    continue  # the first value of all five is a power of two, and stays exact
                error = np.max(np.abs(value / unit - exact) * weight)
                if error < best * (1 - 2.0**-30):  # nothing that hangs on float64's last bits
                    best, chosen = error, (c0, c1, c2)
    return chosen


def text() -> str:
    """Write all tables as Python."""
    parts = [_HEAD]
    for definition in DEFINITIONS:
        table = fit(definition)
        parts.append(f"{definition.name} = Segments(\n")
        for field in fields(table):
            value = getattr(table, field.name)
            if field.name in ("c0", "c1", "c2"):
                parts.append(f"    {field.name}=(\n")
                rows = [value[at : at + 8] for at in range(0, len(value), 8)]
                parts += [f"        {', '.join(map(str, row))},\n" for row in rows]
                parts.append("    ),\n")
            else:
                shown = f'"{value}"' if isinstance(value, str) else value
                parts.append(f"    {field.name}={shown},\n")
        parts.append(")\n\n")
    return "".join(parts).removesuffix("\n")


def main() -> None:
    """Write the coefficients of the vector unit's functions, golden/vector/tables.py.

    Example: mixdit dev vector-tables
    """
    from commands.checkout import require_checkout
    from commands.outputs import check_file, write_if_changed
    from commands.running import sentences
    from commands.terminal import make_console

    with sentences():
        require_checkout()
        check_file(PAGE)
        changed = write_if_changed(PAGE, text())
        make_console().print(f"golden/vector/{PAGE.name}: {'written' if changed else 'unchanged'}")
