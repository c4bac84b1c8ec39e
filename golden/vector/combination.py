"""Linear combinations of tensors: guidance, and the steps of solvers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import real
from golden.vector.pipe import pipe


def linear_combination(
    terms: Sequence[tuple[ArrayLike, ArrayLike]], start: ArrayLike | None = None
) -> NDArray[np.float32]:
    """Add up tensors times coefficients, one pass of the pipe for each.

    Parameters
    ----------
    terms : sequence of (coefficient, tensor)
        In the order in which they are added. Tensors of floats of 16 or 32 bits and of one shape;
        coefficients are rounded to FP32 and then to V24, and broadcast as a row factor does.
    start : array_like, optional
        A tensor that the first term is added to, in FP32 and times nothing: one of coefficient 1
        loses no bit so.

    Returns
    -------
    ndarray of float32
        ``fl(... fl(fl(start + fl(a * x)) + fl(b * y)) ...)``: `multiply` for products, FP32 sums,
        each rounded half to even. Without `start` the first product stands alone.

    Raises
    ------
    TypeError
        If a tensor holds no floats of 16 or 32 bits.
    ValueError
        If there are no terms, or shapes do not fit.
    """
    if not terms:
        raise ValueError("a linear combination needs at least one term")
    total = start
    for coefficient, tensor in terms:
        factor = coefficient
        if np.ndim(coefficient) == 0:
            factor = np.float32(real(coefficient, "a coefficient"))
        total = pipe(tensor, row_factor=factor, residual=total).result
    return total
