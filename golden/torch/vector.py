"""The vector unit in PyTorch: the bits of `golden.vector` on any device, without gradients.

Functions, arguments, and what is refused are those of `golden.vector`; tensors take the place of
arrays, and tensors of float16 and bfloat16 that of their patterns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch

from golden.arguments import integers, real, whole
from golden.encode import NAN_EXPONENT
from golden.floats import QUIET_NAN
from golden.formats import FP16, FP32, MX6, MX9, FloatFormat, MXFormat
from golden.mx import check_rounding, mx_format
from golden.precision import MIXED_ROUNDINGS
from golden.residual import RESIDUAL_BITS
from golden.torch.codes import TorchMXTensor, quantize
from golden.torch.vector_functions import (
    exp2,
    exp2_saturates,
    gelu,
    reciprocal,
    reciprocal_root,
    silu,
)
from golden.torch.vector_numbers import (
    FIELD,
    MAGNITUDE,
    SIGN,
    add,
    bit_length,
    canonical,
    from_integer,
    multiply,
    number,
    pattern,
    to_fixed,
    to_lane,
)
from golden.vector.formats import (
    MOST_BLOCKS,
    MOST_COLUMNS,
    SQUARE_BITS,
    SUM_BITS,
    SUM_FRACTION_BITS,
)
from golden.vector.pipe import Output, check_stages, output_format
from golden.vector.statistics import scaled_epsilon

__all__ = [
    "TorchOutcome",
    "TorchSoftmax",
    "exp2",
    "exp2_saturates",
    "gelu",
    "layer_norm",
    "linear_combination",
    "multiply",
    "pipe",
    "reciprocal",
    "reciprocal_root",
    "rms_norm",
    "row_maximum",
    "row_mean",
    "row_scale",
    "row_sums",
    "silu",
    "softmax",
    "to_lane",
]


@dataclass(frozen=True, eq=False)
class TorchOutcome:
    """An `Outcome`: `result` is a tensor of the output's type, or a `TorchMXTensor`."""

    result: torch.Tensor | TorchMXTensor
    saturated: int


@dataclass(frozen=True, eq=False)
class TorchSoftmax:
    """A `Softmax` of tensors."""

    p: TorchMXTensor
    sums: torch.Tensor
    row_factor: torch.Tensor
    saturated: int
    zero_rows: int


def pipe(
    x: torch.Tensor,
    *,
    bias: torch.Tensor | None = None,
    row_offset: torch.Tensor | None = None,
    row_factor: torch.Tensor | None = None,
    function: str | None = None,
    channel_factor: torch.Tensor | None = None,
    residual: torch.Tensor | None = None,
    output: Output = FP32,
    mx9_blocks: torch.Tensor | None = None,
    valid_columns: torch.Tensor | int | None = None,
    rounding: str = "half_even",
) -> TorchOutcome:
    """Send rows through the pipe; see `golden.vector.pipe`."""
    check_stages(bias, row_offset, function, channel_factor)
    value = canonical(x)
    if value.dim() == 0:
        raise ValueError("a single number is no row: give a tensor of shape (..., columns)")
    if bias is not None:
        value = add(value, _operand(bias, value, "bias"))
    if row_offset is not None:
        value = add(value, -_operand(row_offset, value, "row_offset"))
    if row_factor is not None:
        value = multiply(value, _operand(row_factor, value, "row_factor"))
    saturated = torch.zeros_like(value, dtype=torch.bool)
    if function == "exp2":
        saturated, value = exp2_saturates(value), exp2(value)
    elif function is not None:
        value = gelu(value) if function == "gelu" else silu(value)
    if channel_factor is not None:
        value = multiply(value, _operand(channel_factor, value, "channel_factor"))
    if residual is not None:
        value = add(value, _operand(residual, value, "residual"))
    if valid_columns is not None:
        is_valid = _columns_that_count(valid_columns, value)
        value, saturated = torch.where(is_valid, value, 0.0), saturated & is_valid
    return TorchOutcome(_leave(value, output, mx9_blocks, rounding), int(saturated.sum()))


def row_mean(x: torch.Tensor) -> torch.Tensor:
    """Return the means of rows (..., rows, columns); see `golden.vector.row_mean`."""
    return _Statistics(x).mean()


def row_scale(
    x: torch.Tensor, epsilon: float | Fraction, *, is_centred: bool = True
) -> torch.Tensor:
    """Return 1 / sqrt(variance + epsilon) of rows; see `golden.vector.row_scale`."""
    return _Statistics(x).scale(epsilon, is_centred)


def row_maximum(x: torch.Tensor) -> torch.Tensor:
    """Return the largest number of each row; see `golden.vector.row_maximum`."""
    x = canonical(x)
    _check_columns(x)
    bits = pattern(x)
    largest = torch.where(bits < 0, ~(bits & MAGNITUDE), bits).amax(-1)
    largest = torch.where(largest < 0, ~largest | SIGN, largest)
    return number(largest.masked_fill(x.isnan().any(-1), QUIET_NAN))


def layer_norm(
    x: torch.Tensor,
    epsilon: float | Fraction,
    *,
    factor: torch.Tensor | None = None,
    shift: torch.Tensor | None = None,
    valid_columns: int | None = None,
    **leaving: Any,
) -> TorchOutcome:
    """Normalize rows and modulate them; see `golden.vector.layer_norm`."""
    statistics = _Statistics(_counted(x, valid_columns))
    mean, scale = statistics.mean()[..., None], statistics.scale(epsilon, True)[..., None]
    return pipe(x, row_offset=mean, row_factor=scale, channel_factor=factor, residual=shift,
                valid_columns=valid_columns, **leaving)  # fmt: skip


def rms_norm(
    x: torch.Tensor,
    epsilon: float | Fraction,
    *,
    factor: torch.Tensor | None = None,
    shift: torch.Tensor | None = None,
    valid_columns: int | None = None,
    **leaving: Any,
) -> TorchOutcome:
    """Normalize rows by their mean square and modulate them; see `golden.vector.rms_norm`."""
    scale = _Statistics(_counted(x, valid_columns)).scale(epsilon, False)[..., None]
    return pipe(x, row_factor=scale, channel_factor=factor, residual=shift,
                valid_columns=valid_columns, **leaving)  # fmt: skip


def row_sums(tensor: TorchMXTensor) -> torch.Tensor:
    """Add up what a quantized tensor holds; see `golden.vector.row_sums`."""
    if tensor.axis != len(tensor.shape) - 1:
        raise ValueError(
            f"blocks must run along the last axis to sum rows, not along axis {tensor.axis}"
        )
    exponent = tensor.exponent.long()
    if exponent.shape[-1] > MOST_BLOCKS:
        raise ValueError(f"a row must have at most {MOST_BLOCKS} blocks, not {exponent.shape[-1]}")
    magnitude = tensor.mantissa.long()
    if isinstance(tensor.format, MXFormat):
        magnitude = magnitude << (MX9.mantissa_bits - tensor.format.mantissa_bits)
    else:
        magnitude = magnitude << torch.where(tensor.is_mx9, 0, RESIDUAL_BITS).unsqueeze(-1)
    magnitude = magnitude << (1 - tensor.microexponent.long().repeat_interleave(2, -1))
    blocks = torch.where(tensor.sign == 1, -magnitude, magnitude).sum(-1)
    if exponent.shape[-1] == 0:
        return torch.zeros(exponent.shape[:-1], device=exponent.device)
    largest = exponent.amax(-1)
    right = (largest.unsqueeze(-1) - exponent).clamp(max=62)
    scaled = blocks << SUM_FRACTION_BITS
    rounded = ((scaled >> (right - 1).clamp(min=0)) + 1) >> 1
    total = torch.where(right == 0, scaled, rounded).sum(-1)
    found = from_integer(total, largest - FP32.bias - MX9.mantissa_bits - SUM_FRACTION_BITS)
    return number(pattern(found).masked_fill(largest == NAN_EXPONENT, QUIET_NAN))


def softmax(
    scores: torch.Tensor,
    fmt: MXFormat | str = MX6,
    *,
    bias: torch.Tensor | None = None,
    subtract_maximum: bool = False,
    mx9_blocks: torch.Tensor | None = None,
    valid_columns: torch.Tensor | int | None = None,
    rounding: str = "half_even",
) -> TorchSoftmax:
    """Exponentiate scores, quantize and sum them; see `golden.vector.softmax`."""
    fmt = mx_format(fmt)
    offset = None
    if subtract_maximum:
        counted = canonical(scores)
        if valid_columns is not None:
            is_valid = _columns_that_count(valid_columns, counted)
            counted = torch.where(is_valid, counted, -torch.inf)
        offset = row_maximum(counted)[..., None]
    passed = pipe(scores, bias=bias, row_offset=offset, function="exp2", output=fmt,
                  mx9_blocks=mx9_blocks, valid_columns=valid_columns,
                  rounding=rounding)  # fmt: skip
    sums = row_sums(passed.result)
    is_zero = (pattern(sums) & MAGNITUDE) == 0
    factor = torch.where(is_zero, 0.0, reciprocal(sums))
    return TorchSoftmax(passed.result, sums, factor, passed.saturated, int(is_zero.sum()))


def linear_combination(
    terms: Sequence[tuple[torch.Tensor | float | Fraction, torch.Tensor]],
    start: torch.Tensor | None = None,
) -> torch.Tensor:
    """Add up tensors times coefficients; see `golden.vector.linear_combination`."""
    if not terms:
        raise ValueError("a linear combination needs at least one term")
    total = start
    for coefficient, x in terms:
        factor = coefficient
        if not isinstance(coefficient, torch.Tensor):
            factor = torch.tensor(float(real(coefficient, "a coefficient")), device=x.device)
        total = pipe(x, row_factor=factor.to(x.device), residual=total).result
    return total


class _Statistics:
    """Sums of rows, as `golden.vector.RowStatistics` has them."""

    def __init__(self, x: torch.Tensor) -> None:
        x = canonical(x)
        self.columns = _check_columns(x)
        self.exponent = ((pattern(x) >> FP32.mantissa_bits) & 0xFF).amax(-1).long()
        place = FP32.bias + FP32.mantissa_bits - self.exponent.unsqueeze(-1)
        self.total = to_fixed(x, place).sum(-1)
        coarse = to_fixed(x, place - (SUM_BITS - SQUARE_BITS))
        self.coarse_total, self.squares = coarse.sum(-1), (coarse * coarse).sum(-1)

    def mean(self) -> torch.Tensor:
        # The sum, moved up to 62 bits, over N has 45 bits at least, and one more for the rest.
        magnitude = self.total.abs()
        left = 62 - bit_length(magnitude)
        raised = magnitude << left
        quotient = torch.div(raised, self.columns, rounding_mode="floor")
        quotient = quotient | (raised - quotient * self.columns > 0)
        units = torch.where(self.total < 0, -quotient, quotient)
        found = from_integer(units, self.exponent - FP32.bias - FP32.mantissa_bits - left)
        return number(pattern(found).masked_fill(self.exponent == 255, QUIET_NAN))

    def scale(self, epsilon: float | Fraction, is_centred: bool) -> torch.Tensor:
        offset = float(scaled_epsilon(self.columns, epsilon))
        spread = self.columns * self.squares
        if is_centred:
            spread = spread - self.coarse_total * self.coarse_total
        unit = self.exponent - FP32.bias - (SQUARE_BITS - 1)
        summed = from_integer(spread, 2 * unit)
        under_root = add(summed, torch.full_like(summed, offset))
        root = reciprocal_root(under_root)
        found = multiply(root, torch.full_like(root, self.columns))
        is_lost = (self.exponent == 255) | (pattern(under_root) == FIELD)
        return number(pattern(found).masked_fill(is_lost, QUIET_NAN))


def _check_columns(x: torch.Tensor) -> int:
    if x.dim() == 0:
        raise ValueError("a single number is no row: give a tensor of shape (..., rows, columns)")
    if not 1 <= x.shape[-1] <= MOST_COLUMNS:
        raise ValueError(f"rows must have from 1 to {MOST_COLUMNS} elements, not {x.shape[-1]}")
    return x.shape[-1]


def _counted(x: torch.Tensor, valid_columns: int | None) -> torch.Tensor:
    """Return the columns that count."""
    x = canonical(x)
    if valid_columns is None or not x.dim():
        return x
    count = whole(valid_columns, "valid_columns", least=1)
    if count > x.shape[-1]:
        raise ValueError(f"valid_columns must be from 1 to {x.shape[-1]}, not {count}")
    return x[..., :count]


def _operand(given: torch.Tensor, value: torch.Tensor, what: str) -> torch.Tensor:
    operand = canonical(given)
    try:
        return operand.expand_as(value)
    except RuntimeError:
        shapes = f"{tuple(operand.shape)} does not fit rows of {tuple(value.shape)}"
        raise ValueError(f"{what} of shape {shapes}") from None


def _columns_that_count(count: torch.Tensor | int, value: torch.Tensor) -> torch.Tensor:
    if isinstance(count, torch.Tensor):
        count = count.cpu()
    count = torch.from_numpy(integers(count, "valid_columns").copy()).to(value.device)
    columns = value.shape[-1]
    if count.numel() and not 0 <= int(count.min()) <= int(count.max()) <= columns:
        raise ValueError(f"valid_columns must be from 0 to {columns}")
    try:
        is_valid = torch.arange(columns, device=value.device) < count[..., None]
        return is_valid.expand_as(value)
    except RuntimeError:
        shapes = f"{tuple(count.shape)} do not fit rows of {tuple(value.shape)}"
        raise ValueError(f"valid_columns of shape {shapes}") from None


def _narrow(value: torch.Tensor, fmt: FloatFormat) -> torch.Tensor:
    """Round to FP16 or BF16; PyTorch's own conversions make NaNs of different patterns."""
    dtype, nan = (torch.float16, 0x7E00) if fmt == FP16 else (torch.bfloat16, 0x7FC0)
    bits = value.to(dtype).view(torch.int16)
    return bits.masked_fill(value.isnan(), nan).view(dtype)


def _leave(
    value: torch.Tensor, output: Output, mx9_blocks: torch.Tensor | None, rounding: str
) -> torch.Tensor | TorchMXTensor:
    check_rounding(rounding, choices=MIXED_ROUNDINGS)
    fmt = output_format(output)
    if mx9_blocks is None:
        if isinstance(fmt, FloatFormat):
            return value if fmt == FP32 else _narrow(value, fmt)
        return quantize(value, fmt, rounding=rounding)
    if fmt != MX6:
        raise ValueError(f"mx9_blocks choose blocks of an MX6 output, not of {output!r}")
    six, nine = (quantize(value, each, rounding=rounding) for each in (MX6, MX9))
    try:
        chosen = torch.as_tensor(mx9_blocks, device=value.device).bool().expand_as(six.exponent)
    except RuntimeError:
        shape = tuple(six.exponent.shape)
        raise ValueError(f"mx9_blocks must have a shape that fits blocks {shape}") from None
    mantissa = torch.where(chosen.unsqueeze(-1), nine.mantissa, six.mantissa)
    return TorchMXTensor("mixed", six.shape, six.axis, six.exponent, six.microexponent, mantissa,
                         six.sign, chosen.contiguous())  # fmt: skip
