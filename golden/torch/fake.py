"""Fake quantizers: the values that the machine multiplies, with straight-through gradients.

They equal those of `quantize(x, ...).dequantize()`, except that a number which rounds to zero
gives +0, where `dequantize` keeps its sign, and in the payload of NaNs.
"""

from typing import Any

import torch

from golden.formats import MX6, MX9, MXFormat
from golden.mx import check_axis, mx_format
from golden.policy import Policy, check_policy
from golden.torch.codes import apply_policy, check_floats, permutation, quantize
from golden.torch.rounding import (
    find_block_magnitudes,
    find_magnitudes,
    round_blocks,
    round_in_place,
)
from golden.torch.selection import block_magnitudes, outlier_blocks, to_blocks


@torch.compiler.disable  # a CPU's numbers decide the way through it; see `round_blocks`
def fake_values(
    x: torch.Tensor, precision: MXFormat | Policy, *, reuse: bool = False
) -> tuple[torch.Tensor, float | torch.Tensor]:
    """Quantize an operand along its last axis and dequantize it.

    Parameters
    ----------
    x : Tensor, shape (..., K)
        float32, float16 or bfloat16, channels in the policy's order already.
    precision : MXFormat or Policy
        Of a policy, everything but its order.
    reuse : bool
        Whether the values may be written into the memory of `x`, which nobody reads again.

    Returns
    -------
    values : Tensor of float32, shape (..., K)
        With the gradient of the identity. Not contiguous where K has a partial block.
    bits : float or Tensor
        What the numbers take: bits per element by their block's format, times the elements. On the
        device of `x` if it depends on the numbers.
    """
    x = check_floats(x)
    wide = x.float()
    if x.numel() == 0:
        return wide, 0
    is_traced = torch.is_grad_enabled() and x.requires_grad
    with torch.no_grad():
        blocks = to_blocks(wide, -1)
        own = blocks.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()
        if own or (reuse and not is_traced):
            values, bits = _rounded_in_place(blocks, x, precision)
        else:
            values, bits = _rounded(blocks, x, precision)
        values = values.flatten(-2)[..., : x.shape[-1]]
    return straight_through(wide, values) if is_traced else values, bits


def _rounded(
    blocks: torch.Tensor, x: torch.Tensor, precision: MXFormat | Policy
) -> tuple[torch.Tensor, float | torch.Tensor]:
    """Return the values of blocks, and the bits that they take."""
    magnitudes = find_magnitudes(blocks)
    if isinstance(precision, MXFormat):
        bits = precision.bits_per_element * x.numel()
        return round_blocks(blocks, magnitudes, precision), bits
    chosen = _chosen(magnitudes[1], x, precision)
    return round_blocks(blocks, magnitudes, MX6, MX9, chosen), _mixed_bits(chosen, x.numel())


def _rounded_in_place(
    blocks: torch.Tensor, x: torch.Tensor, precision: MXFormat | Policy
) -> tuple[torch.Tensor, float | torch.Tensor]:
    """Do the same in the memory of the blocks, whose magnitudes are then searched twice."""
    if isinstance(precision, MXFormat):
        return round_in_place(blocks, precision), precision.bits_per_element * x.numel()
    chosen = _chosen(find_block_magnitudes(blocks), x, precision)
    return round_in_place(blocks, MX6, MX9, chosen), _mixed_bits(chosen, x.numel())


def _chosen(largest: torch.Tensor, x: torch.Tensor, policy: Policy) -> torch.Tensor:
    """Return which blocks a policy finds to be outliers, from the magnitudes of the blocks."""
    # A conversion to FP32 may quiet a NaN, which would change how it ranks.
    is_wide = x.dtype == torch.float32
    return outlier_blocks(largest.squeeze(-1) if is_wide else block_magnitudes(x), policy)


def fake_quantize(
    x: torch.Tensor, fmt: MXFormat | str, axis: int = -1, rounding: str = "half_even"
) -> torch.Tensor:
    """Quantize and dequantize, in the dtype of `x`, with the gradient of the identity.

    Parameters and errors are those of `golden.torch.quantize`.
    """
    fmt = mx_format(fmt)
    x = check_floats(x)
    axis = check_axis(axis, x.dim())
    if rounding == "half_even" and x.numel():
        values = fake_values(x.movedim(axis, -1), fmt)[0].movedim(-1, axis)
    else:
        values = straight_through(x.float(), quantize(x, fmt, axis, rounding).dequantize())
    return values.to(x.dtype).contiguous()


def fake_quantize_policy(
    x: torch.Tensor, policy: Policy, rounding: str = "half_even"
) -> torch.Tensor:
    """Apply a policy and dequantize, in the dtype and natural channel order of `x`.

    The gradient is that of the identity. Parameters and errors are those of
    `golden.torch.apply_policy`.
    """
    check_policy(policy)
    x = check_floats(x)
    order = None if policy.order == "natural" else permutation(x, policy)
    given = x if order is None else x.index_select(-1, order)
    if rounding == "half_even" and x.numel():
        values, _ = fake_values(given, policy)
    else:
        codes = apply_policy(x, policy, rounding)
        values = straight_through(given.float(), codes.dequantize())
    if order is not None:
        values = values.index_select(-1, order.argsort())
    return values.to(x.dtype).contiguous()


def _mixed_bits(chosen: torch.Tensor, elements: int) -> torch.Tensor:
    share = chosen.sum().double() / chosen.numel()
    return elements * (MX6.bits_per_element + share * (MX9.bits_per_element - MX6.bits_per_element))


def straight_through(x: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return `values` with the gradient of `x`, which has their shape and dtype."""
    return _StraightThrough.apply(x, values)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient, None
