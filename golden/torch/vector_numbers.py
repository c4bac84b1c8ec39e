"""The numbers of the vector unit in PyTorch: V24 and FP32, in integers but for sums and products.

Nothing here multiplies or adds numbers near FP32's limits, so a device that flushes subnormals
gives the same bits.
"""

import torch

from golden.floats import QUIET_NAN
from golden.formats import FP32
from golden.torch.codes import check_floats
from golden.vector.fixed import LARGEST
from golden.vector.formats import DROPPED_BITS

SIGN, MAGNITUDE = -(1 << 31), (1 << 31) - 1
"""Of an FP32 pattern as an int32."""

FIELD = 0xFF << FP32.mantissa_bits
FRACTION = (1 << FP32.mantissa_bits) - 1

_ONE = FP32.bias << FP32.mantissa_bits
_SHIFTS = (32, 16, 8, 4, 2, 1)


def pattern(x: torch.Tensor) -> torch.Tensor:
    """Return FP32 numbers as int32 patterns."""
    return x.contiguous().view(torch.int32)


def number(bits: torch.Tensor) -> torch.Tensor:
    """Return int32 patterns as FP32 numbers."""
    return bits.to(torch.int32).view(torch.float32)


def canonical(x: torch.Tensor) -> torch.Tensor:
    """Widen numbers to FP32 as `golden.vector.lane.canonical` does, without gradients.

    Raises
    ------
    TypeError
        If `x` is no dense tensor of floats of 16 or 32 bits.
    """
    bits = pattern(check_floats(x).detach().float())
    bits = torch.where((bits & FIELD) == 0, bits & SIGN, bits)
    return number(bits.masked_fill((bits & MAGNITUDE) > FIELD, QUIET_NAN))


def to_lane(x: torch.Tensor) -> torch.Tensor:
    """Round numbers to V24; the bits of `golden.vector.to_lane`."""
    bits = pattern(canonical(x))
    half = (1 << (DROPPED_BITS - 1)) - 1 + ((bits >> DROPPED_BITS) & 1)
    return number((bits + half) & -(1 << DROPPED_BITS))


def multiply(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Multiply V24 numbers; the bits of `golden.vector.multiply`.

    Significands are multiplied as FP32 numbers from 1 to 2, and exponents added as integers.
    """
    left, right = torch.broadcast_tensors(pattern(to_lane(x)), pattern(to_lane(y)))
    sign = (left ^ right) & SIGN
    fields = [(each & FIELD) >> FP32.mantissa_bits for each in (left, right)]
    product = pattern(number(left & FRACTION | _ONE) * number(right & FRACTION | _ONE))
    exponent = fields[0] + fields[1] - 2 * FP32.bias + (product >> FP32.mantissa_bits)
    bits = exponent.clamp(0, 255) << FP32.mantissa_bits | product & FRACTION
    is_zero = (fields[0] == 0) | (fields[1] == 0)
    is_infinite = (fields[0] == 255) | (fields[1] == 255)
    bits = torch.where((exponent >= 255) | is_infinite, FIELD, bits)
    bits = torch.where(((exponent <= 0) | is_zero) & ~is_infinite, 0, bits)
    is_nan = (is_infinite & is_zero) | ((left & MAGNITUDE) > FIELD) | ((right & MAGNITUDE) > FIELD)
    return number((bits | sign).masked_fill(is_nan, QUIET_NAN))


def add(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Add FP32 numbers; the bits of `golden.floats.add`."""
    return canonical(canonical(x) + canonical(y))


def to_fixed(x: torch.Tensor, place: torch.Tensor | int, most: int = LARGEST) -> torch.Tensor:
    """Return numbers as int64 in units of ``2**-place``, as `golden.vector.fixed.to_fixed` does."""
    bits = pattern(canonical(x)).long()
    exponent = (bits >> FP32.mantissa_bits) & 0xFF
    significand = bits & FRACTION | 1 << FP32.mantissa_bits
    right = FP32.bias + FP32.mantissa_bits - exponent - place
    kept = significand >> (right - 1).clamp(0, FP32.mantissa_bits + 2)
    units = torch.where(right > 0, (kept + 1) >> 1, significand).clamp(max=most)
    units = torch.where(right < 0, most, units)
    units = torch.where(exponent == 0, 0, units)
    return torch.where(bits < 0, -units, units)


def from_integer(units: torch.Tensor, exponent: torch.Tensor) -> torch.Tensor:
    """Round ``units * 2**exponent`` to FP32; the bits of `golden.floats.from_integer`."""
    magnitude = units.abs()
    drop = bit_length(magnitude) - (FP32.mantissa_bits + 1)
    right = drop.clamp(min=0)
    kept = magnitude >> right
    rest = magnitude - (kept << right)
    half = torch.ones_like(rest) << (right - 1).clamp(min=0)
    is_up = (right > 0) & ((rest > half) | ((rest == half) & (kept & 1 == 1)))
    significand = (kept << (-drop).clamp(min=0)) + is_up  # up to 2**24, which carries
    field = exponent + drop + FP32.bias + FP32.mantissa_bits
    bits = ((field - 1) << FP32.mantissa_bits) + significand
    bits = torch.where(bits >= FIELD, FIELD, bits)
    bits = torch.where((bits < 1 << FP32.mantissa_bits) | (magnitude == 0), 0, bits)
    return number(bits.int() | torch.where(units < 0, SIGN, 0).int())


def bit_length(magnitude: torch.Tensor) -> torch.Tensor:
    """Return the bits of integers that are not negative."""
    length = torch.zeros_like(magnitude)
    for shift in _SHIFTS:
        is_longer = magnitude >> shift > 0
        length = length + shift * is_longer
        magnitude = torch.where(is_longer, magnitude >> shift, magnitude)
    return length + (magnitude > 0)
