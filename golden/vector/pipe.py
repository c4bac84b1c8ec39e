"""The pipe behind the array, and behind memory: every job of the vector unit is one pass of it.

Stages, in order: a bias is added or an offset of the row subtracted; a factor of the row; a
function; a factor of the channel; a residual or a shift is added; an output format. What a job has
no operand for is skipped and changes no bit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import flags, integers
from golden.floats import add, narrow
from golden.formats import BLOCK_SIZE, FLOAT_FORMATS, FP32, MX6, MX9, FloatFormat, MXFormat
from golden.mx import MXTensor, check_rounding, quantize
from golden.precision import MIXED_ROUNDINGS, mix
from golden.vector.exponential import exp2, exp2_saturates
from golden.vector.gate import gelu, silu
from golden.vector.lane import canonical, multiply

FUNCTIONS = ("exp2", "gelu", "silu")

Output = FloatFormat | MXFormat | str
"""FP32, FP16, BF16, MX6 or MX9, or its name."""


@dataclass(frozen=True)
class Outcome:
    """What leaves the pipe.

    Attributes
    ----------
    result : ndarray or MXTensor
        float32 for FP32, patterns as uint16 for FP16 and BF16, codes for MX.
    saturated : int
        How many results exp2 saturated. The machine halts its list where it is not 0.
    """

    result: NDArray[np.generic] | MXTensor
    saturated: int


def pipe(
    x: ArrayLike,
    *,
    bias: ArrayLike | None = None,
    row_offset: ArrayLike | None = None,
    row_factor: ArrayLike | None = None,
    function: str | None = None,
    channel_factor: ArrayLike | None = None,
    residual: ArrayLike | None = None,
    output: Output = FP32,
    mx9_blocks: ArrayLike | None = None,
    valid_columns: ArrayLike | None = None,
    rounding: str = "half_even",
) -> Outcome:
    """Send rows through the pipe.

    Parameters
    ----------
    x : array_like, shape (..., rows, columns)
        Floats of 16 or 32 bits, as all operands are: results of the array, or rows of memory. Each
        is made `canonical` on its way in. Operands broadcast against it.
    bias : array_like, shape (..., 1, columns) or (columns,), optional
        Added in FP32.
    row_offset : array_like, shape (..., rows, 1), optional
        Subtracted in FP32: a mean, a maximum. There is one adder, so not beside a bias.
    row_factor : array_like, shape (..., rows, 1) or (), optional
        `multiply`: both factors rounded to V24, the product to FP32.
    function : {"exp2", "gelu", "silu"}, optional
        exp2 of the FP32 number. GELU and SiLU multiply their argument, and take the multiplier of
        the channel factor for it.
    channel_factor : array_like, shape (..., 1, columns), optional
        `multiply`; a gate, or 1 + scale.
    residual : array_like, shape (..., rows, columns) or (..., 1, columns), optional
        Added in FP32; a residual, or a shift.
    output : FloatFormat, MXFormat or str
        Numbers are rounded half to even to FP16 or BF16; blocks run along the columns.
    mx9_blocks : array_like of bool, shape (..., blocks), optional
        With MX6: which blocks of 16 columns are MX9 all the same.
    valid_columns : array_like of int, shape () or (..., rows), optional
        How many columns count; the others are padding, and leave as +0 whatever they were, before
        blocks are made and saturation is counted.
    rounding : {"half_even", "truncate"}
        Of MX.

    Returns
    -------
    Outcome

    Raises
    ------
    TypeError
        If something holds no floats, or columns are no integers.
    ValueError
        If stages exclude each other, shapes do not fit, or a name does not exist.
    """
    check_stages(bias, row_offset, function, channel_factor)
    value = canonical(x)
    if value.ndim == 0:
        raise ValueError("a single number is no row: give an array of shape (..., columns)")
    if bias is not None:
        value = add(value, _operand(bias, value, "bias"))
    if row_offset is not None:
        value = add(value, -_operand(row_offset, value, "row_offset"))
    if row_factor is not None:
        value = multiply(value, _operand(row_factor, value, "row_factor"))
    saturated = np.zeros(value.shape, np.bool_)
    if function == "exp2":
        saturated, value = exp2_saturates(value), exp2(value)
    elif function is not None:
        value = gelu(value) if function == "gelu" else silu(value)
    if channel_factor is not None:
        value = multiply(value, _operand(channel_factor, value, "channel_factor"))
    if residual is not None:
        value = add(value, _operand(residual, value, "residual"))
    if valid_columns is not None:
        is_valid = columns_that_count(valid_columns, value.shape)
        value, saturated = np.where(is_valid, value, np.float32(0)), saturated & is_valid
    result = _leave(value, output, mx9_blocks, rounding)
    return Outcome(result, int(np.count_nonzero(saturated)))


def check_stages(bias: object, row_offset: object, function: object, channel: object) -> None:
    """Refuse stages that exclude each other, and functions that there are none of.

    Raises
    ------
    ValueError
        With a sentence.
    """
    if bias is not None and row_offset is not None:
        raise ValueError("there is one adder before the row factor: give bias or row_offset")
    if function is not None and function not in FUNCTIONS:
        raise ValueError(f"function must be one of {', '.join(FUNCTIONS)}, not {function!r}")
    if function in ("gelu", "silu") and channel is not None:
        raise ValueError(
            f"{function} takes the multiplier of the channel factor: multiply in another pass"
        )


def _operand(given: ArrayLike, value: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """Return an operand that fits the rows."""
    operand = canonical(given)
    try:
        fits = np.broadcast_shapes(operand.shape, value.shape) == value.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{what} of shape {operand.shape} does not fit rows of {value.shape}")
    return operand


def columns_that_count(count: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which elements of rows (..., columns) are no padding, given how many are not.

    Raises
    ------
    TypeError, ValueError
        As `pipe` does of `valid_columns`.
    """
    count = integers(count, "valid_columns")
    if count.size and not 0 <= int(count.min()) <= int(count.max()) <= shape[-1]:
        raise ValueError(f"valid_columns must be from 0 to {shape[-1]}")
    try:
        return np.broadcast_to(np.arange(shape[-1]) < count[..., None], shape)
    except ValueError:
        raise ValueError(
            f"valid_columns of shape {count.shape} do not fit rows of {shape}"
        ) from None


def output_format(output: Output) -> FloatFormat | MXFormat:
    """Return a format of results given as itself or by name, in any case.

    Raises
    ------
    ValueError
        If it is none of FP32, FP16, BF16, MX6 and MX9.
    """
    name = output if isinstance(output, str) else getattr(output, "name", "")
    for fmt in (*FLOAT_FORMATS.values(), MX6, MX9):
        if name.lower() == fmt.name.lower() and (isinstance(output, str) or output == fmt):
            return fmt
    raise ValueError(f"output must be one of fp32, fp16, bf16, MX6, MX9, not {output!r}")


def _leave(
    value: NDArray[np.float32], output: Output, mx9_blocks: ArrayLike | None, rounding: str
) -> NDArray[np.generic] | MXTensor:
    """Return values in the output format."""
    check_rounding(rounding, choices=MIXED_ROUNDINGS)
    fmt = output_format(output)
    if mx9_blocks is None:
        if fmt == FP32:
            return value
        if isinstance(fmt, FloatFormat):
            return narrow(value, fmt)
        return quantize(value, fmt, rounding=rounding)
    if fmt != MX6:
        raise ValueError(f"mx9_blocks choose blocks of an MX6 output, not of {output!r}")
    blocks = (*value.shape[:-1], -(-value.shape[-1] // BLOCK_SIZE))
    try:
        chosen = np.broadcast_to(flags(mx9_blocks, "mx9_blocks"), blocks)
    except ValueError:
        raise ValueError(f"mx9_blocks must have a shape that fits blocks {blocks}") from None
    six, nine = (quantize(value, each, rounding=rounding) for each in (MX6, MX9))
    return mix(six, nine, chosen)
