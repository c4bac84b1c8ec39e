"""What a sweep is: all cases of a kind, in chunks, each compared with a second formulation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sweep:
    """One comparison.

    Attributes
    ----------
    name : str
    functions : tuple of str
        What is compared, as ``module.function`` of `golden`.
    formulation : str
        With what.
    reach : str
        Of which cases.
    chunks : int
        Into how many parts they are cut.
    check : callable
        ``check(chunk)`` compares a part and returns how many cases it has.
    needs : str
        A package that may be missing.
    """

    name: str
    functions: tuple[str, ...]
    formulation: str
    reach: str
    chunks: int
    check: Callable[[int], int]
    needs: str = ""


def assert_equal(ours: np.ndarray, theirs: np.ndarray, *inputs: np.ndarray) -> int:
    """Compare arrays of integers, or bits; return how many numbers they hold.

    Raises
    ------
    AssertionError
        With the first difference, and the inputs that led to it.
    """
    if ours.shape != theirs.shape:
        raise AssertionError(f"shape {ours.shape}, not {theirs.shape}")
    if not np.array_equal(ours, theirs):
        at = tuple(np.argwhere(ours != theirs)[0])
        given = [np.broadcast_to(each, ours.shape)[at] for each in inputs]
        of = ", ".join(hex(value) if value.dtype.kind == "u" else str(value) for value in given)
        raise AssertionError(f"{ours[at]:#x}, not {theirs[at]:#x}, of {of or at}")
    return ours.size
