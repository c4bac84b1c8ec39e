"""MX codes in PyTorch: the bits of `golden.quantize` and `golden.apply_policy` on any device."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from golden.encode import NAN_EXPONENT
from golden.formats import MX6, MX9, PAIRS, MXFormat
from golden.mx import MXTensor, check_axis, check_rounding, mx_format
from golden.policy import Policy
from golden.torch.selection import block_magnitudes, outlier_blocks, to_blocks

_LIFT = 64
"""Blocks with a smaller biased exponent are multiplied by 2**64 on the way, so that no factor is
subnormal and devices that flush subnormals give the same bits."""


@dataclass(frozen=True, eq=False)
class TorchMXTensor:
    """An `MXTensor` whose codes are torch tensors (uint8, and bool for `is_mx9`) on one device."""

    format: MXFormat | Literal["mixed"]
    shape: tuple[int, ...]
    axis: int
    exponent: torch.Tensor
    microexponent: torch.Tensor
    mantissa: torch.Tensor
    sign: torch.Tensor
    is_mx9: torch.Tensor

    def numpy(self) -> MXTensor:
        """Return the same codes as an `MXTensor`."""
        codes = ("exponent", "microexponent", "mantissa", "sign", "is_mx9")
        arrays = {name: getattr(self, name).cpu().numpy() for name in codes}
        return MXTensor(self.format, self.shape, self.axis, **arrays)

    def dequantize(self) -> torch.Tensor:
        """Decode to float32 in the original shape, exactly; see `MXTensor.dequantize`."""
        if isinstance(self.format, MXFormat):
            point: Any = self.format.mantissa_bits - 1
        else:
            point = torch.where(self.is_mx9, MX9.mantissa_bits - 1, MX6.mantissa_bits - 1)
        exponent = self.exponent.int()
        low = exponent < _LIFT
        top = exponent - point + _LIFT * low
        step = _power_of_two(top.unsqueeze(-1) - self.microexponent)
        values = self.mantissa.float().unflatten(-1, (PAIRS, 2)) * step.unsqueeze(-1)
        values = values.flatten(-2) * _lift(low, -_LIFT)
        values = torch.where(self.sign.bool(), -values, values)
        values = values.masked_fill((self.exponent == NAN_EXPONENT).unsqueeze(-1), torch.nan)
        return _from_blocks(values, self.shape, self.axis)


def quantize(
    x: torch.Tensor,
    fmt: MXFormat | str,
    axis: int = -1,
    rounding: str = "half_even",
    seed: int | None = None,
) -> TorchMXTensor:
    """Quantize floats to an MX format, with the bits of `golden.quantize`.

    Parameters
    ----------
    x : torch.Tensor
        float32, float16 or bfloat16, on any device.
    fmt, axis, rounding, seed
        As in `golden.quantize`. Stochastic rounding draws the same numbers, on the host.

    Raises
    ------
    TypeError, ValueError
        As `golden.quantize` does.
    """
    fmt = mx_format(fmt)
    check_floats(x)
    axis = check_axis(axis, x.dim())
    if x.numel() == 0:
        raise ValueError(f"a tensor of shape {tuple(x.shape)} has no elements to quantize")
    check_rounding(rounding, seed)
    blocks = to_blocks(x.detach().float(), axis)
    bits = blocks.view(torch.int32)
    field = (bits >> 23) & 0xFF
    exponent = field.amax(-1)
    micro = field.unflatten(-1, (PAIRS, 2)).amax(-1) < exponent.unsqueeze(-1)
    magnitude = torch.where(field == 0, 0, blocks.abs())

    # |x| / step in two exact products; a result that underflows is far below one half.
    low = exponent < _LIFT
    top = 253 + fmt.mantissa_bits - exponent - _LIFT * low
    ratio = (magnitude * _lift(low, _LIFT)).unflatten(-1, (PAIRS, 2))
    ratio = (ratio * _power_of_two(top.unsqueeze(-1) + micro).unsqueeze(-1)).flatten(-2)
    if rounding == "half_even":
        ratio = ratio.round()
    elif rounding == "truncate":
        ratio = ratio.floor()
    else:
        draws = np.random.default_rng(seed).random(tuple(ratio.shape), dtype=np.float32)
        uniform = torch.from_numpy(draws + np.float32(2**-24)).to(x.device)
        ratio = ratio.floor() + (ratio - ratio.floor() >= uniform)
    nan = (exponent == NAN_EXPONENT).unsqueeze(-1)
    mantissa = ratio.masked_fill(nan, 0).clamp(max=fmt.largest_mantissa)
    return TorchMXTensor(
        format=fmt,
        shape=tuple(x.shape),
        axis=axis,
        exponent=exponent.to(torch.uint8),
        microexponent=(micro & ~nan).to(torch.uint8),
        mantissa=mantissa.to(torch.uint8),
        sign=((bits < 0) & ~nan).to(torch.uint8),
        is_mx9=torch.full_like(exponent, fmt == MX9, dtype=torch.bool),
    )


def apply_policy(x: torch.Tensor, policy: Policy, rounding: str = "half_even") -> TorchMXTensor:
    """Quantize an activation with outlier blocks in MX9; the bits of `golden.apply_policy`."""
    check_floats(x)
    if policy.order == "calibrated":
        x = x.index_select(-1, permutation(x, policy))
    ordinary, outlier = (quantize(x, fmt, rounding=rounding) for fmt in (MX6, MX9))
    chosen = outlier_blocks(block_magnitudes(x), policy)
    return TorchMXTensor(
        format="mixed",
        shape=ordinary.shape,
        axis=ordinary.axis,
        exponent=ordinary.exponent,
        microexponent=ordinary.microexponent,
        mantissa=torch.where(chosen.unsqueeze(-1), outlier.mantissa, ordinary.mantissa),
        sign=ordinary.sign,
        is_mx9=chosen,
    )


def permutation(x: torch.Tensor, policy: Policy) -> torch.Tensor:
    """Return the policy's order of the channels of `x`, on its device."""
    if len(policy.permutation) != x.shape[-1]:
        raise ValueError(
            f"the permutation orders {len(policy.permutation)} channels, "
            f"but there are {x.shape[-1]}"
        )
    return torch.as_tensor(policy.permutation, device=x.device)


def check_floats(x: torch.Tensor) -> None:
    """Raise a TypeError unless `x` holds floats of 16 or 32 bits."""
    if x.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise TypeError(f"expected float32, float16 or bfloat16 numbers, not {x.dtype}")


def _power_of_two(exponent: torch.Tensor) -> torch.Tensor:
    """Return FP32 powers of two from biased exponents from 1 to 254; nonsense from others."""
    return (exponent.int() << 23).view(torch.float32)


def _lift(low: torch.Tensor, power: int) -> torch.Tensor:
    return torch.where(low, 2.0**power, 1.0).unsqueeze(-1)


def _from_blocks(blocks: torch.Tensor, shape: tuple[int, ...], axis: int) -> torch.Tensor:
    return blocks.flatten(-2)[..., : shape[axis]].movedim(-1, axis).contiguous()
