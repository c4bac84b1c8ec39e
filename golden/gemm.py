"""Matrix multiplication of MX tensors, to the bit as the accelerator computes it."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.accumulator import (
    DEFAULT_ACC_WIDTH,
    DEFAULT_K_MAX,
    PRODUCT_POINT,
    beat_shift,
    block_product,
    fraction_bits,
    round_shift,
    to_fp32_bits,
)
from golden.arguments import whole
from golden.floats import add, float_format_of, narrow, widen
from golden.formats import BF16, FP32, FloatFormat
from golden.mx import MXTensor
from golden.operand import Operand
from golden.residual import RESIDUAL_BITS

__all__ = ["block_product", "gemm"]

_EXACT_WIDTH = 54
"""Widest accumulator whose every sum float64 holds exactly."""

_CHUNK_COLUMNS = 256
"""Columns per pass, whose temporaries stay in the cache. Results do not depend on it."""


def gemm(
    a: MXTensor,
    b: MXTensor,
    *,
    acc_width: int = DEFAULT_ACC_WIDTH,
    k_max: int = DEFAULT_K_MAX,
    accumulate: str = "anchored",
    bias: ArrayLike | None = None,
    output: str = "fp32",
) -> NDArray[np.generic]:
    """Multiply two MX matrices as the accelerator does.

    Parameters
    ----------
    a : MXTensor
        Of a matrix (M, K), blocked along K. Blocks may differ in precision in any way.
    b : MXTensor
        Of a matrix (K, N), blocked along K. M, K and N are any numbers; without rows or without
        columns the result is empty.
    acc_width, k_max : int
        The machine's accumulator width in bits and its largest K; they set how far below the
        largest block products are kept, see `golden.fraction_bits`.
    accumulate : {"anchored", "fp32"}
        "fp32" adds block products in FP32 instead, K-blocks in order and beats in the order HH, HL,
        LH, LL, each addition rounded half to even. For comparison; no machine here does it.
    bias : array_like of float32, shape (N,), optional
        Added to every row of the FP32 results as `golden.floats.add` does. Without it nothing is
        added, not even zero: a result of -0 stays.
    output : {"fp32", "fp16", "bf16"}, in any case, or FloatFormat
        To what the FP32 results are rounded, half to even. For MX, quantize the FP32 results.

    Returns
    -------
    ndarray of float32, float16 or (BF16 patterns) uint16, shape (M, N)
        A row of `a` or a column of `b` with a NaN block gives the quiet NaN. Overflow gives
        infinity, a result below FP32's normals the zero of its sign. FP16's subnormals are FP32
        normals and stay.

    Raises
    ------
    TypeError
        If an operand is no MXTensor, or a width is no integer.
    ValueError
        If shapes or axes do not fit, K is 0 or exceeds `k_max`, or an option does not exist.
    RuntimeError
        If FP32 sums are asked for and this thread flushes subnormals, which would change them.

    Notes
    -----
    K beyond the default `k_max` needs a larger one, which leaves fewer fraction bits, as in the
    machine that is built for it: 40 bits take K up to 134,217,728, 62 bits any that fits a memory.
    """
    acc_width, k_max = whole(acc_width, "acc_width"), whole(k_max, "k_max", least=1)
    result_format = float_format_of(output, "output")
    _check(a, b, k_max, accumulate)
    fraction = fraction_bits(acc_width, k_max)
    rows = Operand(a)
    c = np.empty((a.shape[0], b.shape[1]), np.float32)
    for first in range(0, b.shape[1], _CHUNK_COLUMNS):
        part = slice(first, first + _CHUNK_COLUMNS)
        columns = Operand(b, part)
        nan = rows.nan[:, None] | columns.nan
        if accumulate == "fp32":
            total = _accumulate_fp32(rows, columns)
            total[nan | np.isnan(total)] = np.nan
            c[:, part] = total
        else:
            acc = _accumulate(rows, columns, fraction, exact_sums=acc_width <= _EXACT_WIDTH)
            exponent_sum = rows.anchor[:, None] + columns.anchor
            c[:, part] = to_fp32_bits(acc, exponent_sum, fraction, nan).view(np.float32)
    if bias is not None:
        c = add(c, _checked_bias(bias, c.shape[1]))
    return _rounded(c, result_format)


def _rounded(c: NDArray[np.float32], fmt: FloatFormat) -> NDArray[np.generic]:
    if fmt is FP32:
        return c
    bits = narrow(c, fmt)
    return bits if fmt is BF16 else bits.view(np.float16)


def _check(a: MXTensor, b: MXTensor, k_max: int, accumulate: str) -> None:
    for name, tensor, axis, layout in (("a", a, 1, "(M, K)"), ("b", b, 0, "(K, N)")):
        if not isinstance(tensor, MXTensor):
            raise TypeError(f"{name} must be an MXTensor, not {type(tensor).__name__}; quantize it")
        if len(tensor.shape) != 2 or tensor.axis != axis:
            raise ValueError(
                f"{name} must be a matrix {layout} blocked along axis {axis}, "
                f"not of shape {tensor.shape} blocked along axis {tensor.axis}"
            )
    if a.shape[1] != b.shape[0]:
        raise ValueError(f"a has K = {a.shape[1]} but b has K = {b.shape[0]}")
    if a.shape[1] > k_max:
        raise ValueError(
            f"K = {a.shape[1]} exceeds k_max = {k_max}: the accumulators could overflow; give the "
            f"k_max of a machine for it, at least {a.shape[1]}"
        )
    if a.shape[1] == 0:
        raise ValueError("K is 0: there is nothing to multiply")
    if accumulate not in ("anchored", "fp32"):
        raise ValueError(f"accumulate must be 'anchored' or 'fp32', not {accumulate!r}")


def _checked_bias(bias: ArrayLike, columns: int) -> NDArray[np.float32]:
    wide = widen(bias)
    if wide.shape != (columns,):
        raise ValueError(f"bias must have shape ({columns},), one per column, not {wide.shape}")
    return wide


def _accumulate(
    rows: Operand, columns: Operand, fraction: int, exact_sums: bool
) -> NDArray[np.int64]:
    """Sum all beats in units of ``2**(Ra + Cb - 8 - F)``.

    Where no beat of a row's block is shifted by more than F, rounding changes nothing, and its
    beats add ``2**F * whole_a * whole_b`` summed over its elements (`Operand.whole`). Split into
    beats, each of these products is a sum of integers. All beats of all blocks together are below
    2**(acc_width - 1) in magnitude, whatever their signs, for that is how F is chosen: 4 beats of
    at most 14400 * 2**F per K-block. So with acc_width <= 54 every partial sum, in any order and
    with or without fused multiply-add, is an integer below 2**53, and a float64 matrix product
    gives the accumulators exactly. The other blocks go beat by beat.
    """
    direct = (rows.reach + columns.reach.max(axis=0) <= fraction) & exact_sums
    acc = np.zeros((rows.lines, columns.lines), np.int64)
    if direct.any():
        live = rows.whole if direct.all() else np.where(direct[..., None], rows.whole, 0)
        product = _flat(live) @ _flat(columns.whole).T
        product *= 2.0**fraction
        acc[:] = product
    for block in np.flatnonzero(~direct.all(axis=0)):
        lines = np.flatnonzero(~direct[:, block])
        acc[lines] += _beats(rows, columns, block, lines, fraction)
    return acc


def _flat(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    return blocks.reshape(len(blocks), -1)


def _beats(
    rows: Operand, columns: Operand, block: int, lines: NDArray[np.intp], fraction: int
) -> NDArray[np.int64]:
    """Sum the beats of one K-block for some rows, each shifted and rounded on its own."""
    total = np.zeros((len(lines), columns.lines), np.int64)
    row_distance = rows.distance[lines, block, None]
    for residuals, d in _products(rows, columns, block, lines):
        shift = beat_shift(row_distance, columns.distance[:, block], residuals)
        total += round_shift(d, shift, fraction)
    return total


def _products(
    rows: Operand, columns: Operand, block: int, lines: NDArray[np.intp] | slice
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the number of residual operands and D of every beat: HH, HL, LH, LL.

    D is an integer of at most 14400, so sums of its products are exact in FP32.
    """
    for row_residual in rows.residual_parts(block, lines):
        row = rows.part(row_residual, block, lines)
        for column_residual in columns.residual_parts(block, slice(None)):
            column = columns.part(column_residual, block, slice(None))
            yield row_residual + column_residual, row @ column.T


def _accumulate_fp32(rows: Operand, columns: Operand) -> NDArray[np.float32]:
    smallest = np.array([0x00800000], np.uint32).view(np.float32)
    if (smallest * np.float32(0.5)).view(np.uint32)[0] == 0:
        raise RuntimeError(
            "this thread flushes subnormal numbers to zero (torch.set_flush_denormal does that), "
            "so its FP32 sums would differ: switch it off for accumulate='fp32'"
        )
    total = np.zeros((rows.lines, columns.lines), np.float32)
    row_exponent = rows.anchor[:, None] - rows.distance - FP32.bias
    column_exponent = columns.anchor[:, None] - columns.distance - FP32.bias
    with np.errstate(all="ignore"):
        for block in range(rows.is_mx9.shape[1]):
            point = row_exponent[:, block, None] + column_exponent[:, block] - PRODUCT_POINT
            for residuals, d in _products(rows, columns, block, slice(None)):
                total += np.ldexp(d, point - RESIDUAL_BITS * residuals)
    total[np.abs(total) < np.finfo(np.float32).smallest_normal] *= 0
    return total
