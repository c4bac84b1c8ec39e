"""The pipe of the vector unit in PyTorch: the bits of `golden.vector.pipe`."""

from dataclasses import dataclass

import torch

from golden.arguments import integers
from golden.formats import FP16, FP32, MX6, MX9, FloatFormat
from golden.mx import check_rounding
from golden.precision import MIXED_ROUNDINGS
from golden.torch.codes import TorchMXTensor, quantize
from golden.torch.vector_functions import exp2, exp2_saturates, gelu, silu
from golden.torch.vector_numbers import add, canonical, multiply
from golden.vector.pipe import Output, check_stages, output_format


@dataclass(frozen=True, eq=False)
class TorchOutcome:
    """An `Outcome`: `result` is a tensor of the output's type, or a `TorchMXTensor`."""

    result: torch.Tensor | TorchMXTensor
    saturated: int


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
        is_valid = columns_that_count(valid_columns, value)
        value, saturated = torch.where(is_valid, value, 0.0), saturated & is_valid
    return TorchOutcome(_leave(value, output, mx9_blocks, rounding), int(saturated.sum()))


def _operand(given: torch.Tensor, value: torch.Tensor, what: str) -> torch.Tensor:
    operand = canonical(given)
    try:
        return operand.expand_as(value)
    except RuntimeError:
        shapes = f"{tuple(operand.shape)} does not fit rows of {tuple(value.shape)}"
        raise ValueError(f"{what} of shape {shapes}") from None


def columns_that_count(count: torch.Tensor | int, value: torch.Tensor) -> torch.Tensor:
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
