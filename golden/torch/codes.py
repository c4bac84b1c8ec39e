"""MX codes in PyTorch: the bits of `golden.quantize` and `golden.apply_policy` on any device."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch

from golden.encode import NAN_EXPONENT, spans
from golden.floats import QUIET_NAN
from golden.formats import BLOCK_SIZE, MX6, MX9, PAIRS, MXFormat
from golden.mx import MXTensor, check_axis, check_rounding, mx_format
from golden.policy import Policy, check_policy
from golden.precision import MIXED_ROUNDINGS
from golden.torch.selection import block_magnitudes, outlier_blocks, to_blocks

_HOST_BLOCKS, _DEVICE_BLOCKS = 1 << 14, 1 << 20
"""Blocks that are quantized at a time on a CPU and elsewhere; temporaries take some 500 bytes per
block."""

_LIFT = 64
"""Blocks with a smaller biased exponent are multiplied by 2**64 on the way, so that no factor is
subnormal and devices that flush subnormals give the same bits."""


@dataclass(frozen=True, eq=False, repr=False)
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

    def __repr__(self) -> str:
        name = self.format if isinstance(self.format, str) else self.format.name
        place = f"axis={self.axis}, device={str(self.exponent.device)!r}"
        return f"TorchMXTensor({name}, shape={self.shape}, {place})"

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
            point = torch.where(self.is_mx9, MX9.mantissa_bits - 1, MX6.mantissa_bits - 1).int()
        top = self.exponent.int() - point
        top = top.unsqueeze(-1) - self.microexponent.int()  # the biased exponent of the step
        mantissa = self.mantissa.unflatten(-1, (PAIRS, 2))
        bits = (mantissa * _power_of_two(top.clamp(min=1)).unsqueeze(-1)).view(torch.int32)
        # Below FP32's normal steps in units of 2**-149, of which each one below 2**24 is its own
        # pattern. Nothing is multiplied there that a processor might flush.
        units = mantissa.int() << (top.clamp(max=0) + 22).unsqueeze(-1)
        bits = torch.where((top < 1).unsqueeze(-1), patterns_of_units(units), bits).flatten(-2)
        bits = bits | (self.sign.int() << 31)
        bits = bits.masked_fill((self.exponent == NAN_EXPONENT).unsqueeze(-1), QUIET_NAN)
        return _from_blocks(bits.view(torch.float32), self.shape, self.axis)


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
        float32, float16 or bfloat16, dense, on any device. Of no elements it makes a tensor
        without blocks.
    fmt, axis, rounding, seed
        As in `golden.quantize`. Stochastic rounding draws the same numbers, on the host.

    Raises
    ------
    TypeError, ValueError
        As `golden.quantize` does.
    """
    fmt = mx_format(fmt)
    x = check_floats(x)
    axis = check_axis(axis, x.dim())
    seed = check_rounding(rounding, seed)
    rng = np.random.default_rng(seed) if rounding == "stochastic" else None
    moved = x.detach().movedim(axis, -1)
    lead = (*moved.shape[:-1], -(-moved.shape[-1] // BLOCK_SIZE))
    lines = moved.reshape(math.prod(moved.shape[:-1]), moved.shape[-1])
    count = math.prod(lead)
    codes = _Codes.empty(count, x.device)
    for numbers, blocks in _chunks(lines, lead[-1]):
        for whole, part in zip(codes, _encode(blocks, fmt, rounding, rng), strict=True):
            whole[numbers] = part
    return TorchMXTensor(
        format=fmt,
        shape=tuple(x.shape),
        axis=axis,
        exponent=codes.exponent.view(lead),
        microexponent=codes.microexponent.view(*lead, PAIRS),
        mantissa=codes.mantissa.view(*lead, BLOCK_SIZE),
        sign=codes.sign.view(*lead, BLOCK_SIZE),
        is_mx9=torch.full(lead, fmt == MX9, dtype=torch.bool, device=x.device),
    )


class _Codes(NamedTuple):
    """Codes of n blocks: shapes (n,), (n, 8), (n, 16) and (n, 16)."""

    exponent: torch.Tensor
    microexponent: torch.Tensor
    mantissa: torch.Tensor
    sign: torch.Tensor

    @classmethod
    def empty(cls, count: int, device: torch.device) -> Self:
        sizes = ((count,), (count, PAIRS), (count, BLOCK_SIZE), (count, BLOCK_SIZE))
        return cls(*(torch.empty(size, dtype=torch.uint8, device=device) for size in sizes))


def _chunks(lines: torch.Tensor, blocks: int) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield lines of numbers as FP32 blocks (n, 16), padded, a bounded number at a time."""
    limit = _HOST_BLOCKS if lines.device.type == "cpu" else _DEVICE_BLOCKS
    for part, columns, numbers in spans(len(lines), blocks, limit):
        given = lines[part, columns.start * BLOCK_SIZE : columns.stop * BLOCK_SIZE]
        yield numbers, to_blocks(given.float(), -1).flatten(0, 1)


def _encode(
    blocks: torch.Tensor, fmt: MXFormat, rounding: str, rng: np.random.Generator | None
) -> _Codes:
    """Encode FP32 blocks (n, 16)."""
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
        draws = rng.random(tuple(ratio.shape), dtype=np.float32)
        uniform = torch.from_numpy(draws + np.float32(2**-24)).to(blocks.device)
        ratio = ratio.floor() + (ratio - ratio.floor() >= uniform)
    nan = (exponent == NAN_EXPONENT).unsqueeze(-1)
    mantissa = ratio.masked_fill(nan, 0).clamp(max=fmt.largest_mantissa)
    return _Codes(
        exponent.to(torch.uint8),
        (micro & ~nan).to(torch.uint8),
        mantissa.to(torch.uint8),
        ((bits < 0) & ~nan).to(torch.uint8),
    )


def apply_policy(x: torch.Tensor, policy: Policy, rounding: str = "half_even") -> TorchMXTensor:
    """Quantize an activation with outlier blocks in MX9; the bits of `golden.apply_policy`."""
    check_policy(policy)
    check_rounding(rounding, choices=MIXED_ROUNDINGS)
    x = check_floats(x)
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
    return torch.tensor(policy.permutation, device=x.device)


def check_floats(x: torch.Tensor) -> torch.Tensor:
    """Return a dense tensor of floats of 16 or 32 bits, its signs in the numbers themselves.

    PyTorch may put a sign off, as in the imaginary part of ``z.conj()``; a tensor's bits then are
    those of other numbers.

    Raises
    ------
    TypeError
        If `x` is something else.
    """
    if isinstance(x, np.ndarray):
        raise TypeError(
            "this is a NumPy array, not a torch tensor: use golden.quantize and its relatives, or "
            "give torch.from_numpy(x)"
        )
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"expected a torch tensor, not a {type(x).__name__}")
    check_layout(x)
    if x.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise TypeError(f"expected float32, float16 or bfloat16 numbers, not {x.dtype}")
    return x.resolve_neg()


def check_layout(x: torch.Tensor) -> None:
    """Raise a TypeError unless a tensor's elements lie one beside the other."""
    if x.is_nested:
        raise TypeError("expected a dense tensor, not a nested one; give x.to_padded_tensor(0.0)")
    if x.layout != torch.strided:
        raise TypeError(f"expected a dense tensor, not one of {x.layout}; give x.to_dense()")


def _power_of_two(exponent: torch.Tensor) -> torch.Tensor:
    """Return FP32 powers of two from biased exponents from 1 to 254; nonsense from others."""
    return (exponent.int() << 23).view(torch.float32)


def patterns_of_units(units: torch.Tensor) -> torch.Tensor:
    """Return the FP32 patterns of multiples of 2**-149 (int32, not negative, exact in FP32)."""
    return torch.where(units < 1 << 24, units, units.float().view(torch.int32) - (149 << 23))


def _lift(low: torch.Tensor, power: int) -> torch.Tensor:
    return torch.where(low, 2.0**power, 1.0).unsqueeze(-1)


def _from_blocks(blocks: torch.Tensor, shape: tuple[int, ...], axis: int) -> torch.Tensor:
    moved = (*shape[:axis], *shape[axis + 1 :], blocks.shape[-2] * BLOCK_SIZE)
    return blocks.reshape(moved)[..., : shape[axis]].movedim(-1, axis).contiguous()
