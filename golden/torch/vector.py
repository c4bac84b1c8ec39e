"""The vector unit in PyTorch: the bits of `golden.vector` on any device, without gradients.

Functions, arguments, and what is refused are those of `golden.vector`; tensors take the place of
arrays, and tensors of float16 and bfloat16 that of their patterns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch

from golden.arguments import real
from golden.encode import NAN_EXPONENT
from golden.floats import QUIET_NAN
from golden.formats import FP32, MX6, MX9, MXFormat
from golden.mx import mx_format
from golden.residual import RESIDUAL_BITS
from golden.torch.codes import TorchMXTensor
from golden.torch.vector_functions import (
    exp2,
    exp2_saturates,
    gelu,
    reciprocal,
    reciprocal_root,
    silu,
)
from golden.torch.vector_numbers import (
    MAGNITUDE,
    canonical,
    from_integer,
    multiply,
    number,
    pattern,
    to_lane,
)
from golden.torch.vector_pipe import TorchOutcome, columns_that_count, pipe
from golden.torch.vector_statistics import Statistics, counted, row_maximum, row_mean, row_scale
from golden.vector.formats import MOST_BLOCKS, SUM_FRACTION_BITS

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
class TorchSoftmax:
    """A `Softmax` of tensors."""

    p: TorchMXTensor
    sums: torch.Tensor
    row_factor: torch.Tensor
    saturated: int
    zero_rows: int


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
    statistics = Statistics(counted(x, valid_columns))
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
    scale = Statistics(counted(x, valid_columns)).scale(epsilon, False)[..., None]
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
        valid = canonical(scores)
        if valid_columns is not None:
            is_valid = columns_that_count(valid_columns, valid)
            valid = torch.where(is_valid, valid, -torch.inf)
        offset = row_maximum(valid)[..., None]
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
