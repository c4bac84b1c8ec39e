"""The functions of the vector unit in PyTorch, with the bits of `golden.vector`."""

import torch

from golden.floats import QUIET_NAN
from golden.formats import FP32
from golden.torch.vector_numbers import (
    FIELD,
    MAGNITUDE,
    SIGN,
    canonical,
    multiply,
    number,
    pattern,
    to_fixed,
    to_lane,
)
from golden.vector.formats import DROPPED_BITS, EXP2_LIMIT, GELU_LIMIT, SILU_LIMIT, V24
from golden.vector.interpolation import evaluate
from golden.vector.segments import Segments
from golden.vector.tables import EXP2, GELU_GATE, RECIPROCAL, RECIPROCAL_ROOT, SILU_GATE

_PLACE = EXP2.argument_bits
_MOST = (128 << _PLACE) - 1
_LARGEST_POWER = (FP32.bias + EXP2_LIMIT << FP32.mantissa_bits) - (1 << DROPPED_BITS)


def exp2(x: torch.Tensor) -> torch.Tensor:
    """Return 2**x in V24; see `golden.vector.exp2`."""
    x = canonical(x)
    units = to_fixed(x, _PLACE, _MOST)
    whole = units >> _PLACE
    power = whole.clamp(1 - FP32.bias, EXP2_LIMIT)
    bits = _pack(power + FP32.bias, _interpolate(EXP2, units & ((1 << _PLACE) - 1)))
    bits = torch.where(whole >= EXP2_LIMIT, _LARGEST_POWER, bits)
    bits = torch.where(whole < 1 - FP32.bias, 0, bits)
    bits = torch.where(pattern(x) == FIELD, FIELD, bits)
    return _with_nan(bits, x.isnan())


def exp2_saturates(x: torch.Tensor) -> torch.Tensor:
    """Tell where `exp2` has no number for 2**x; see `golden.vector.exp2_saturates`."""
    x = canonical(x)
    return (to_fixed(x, _PLACE, _MOST) >= EXP2_LIMIT << _PLACE) & ~x.isnan()


def gelu(x: torch.Tensor) -> torch.Tensor:
    """Return x times the gate of GELU; see `golden.vector.gelu`."""
    return multiply(x, _gate(GELU_GATE, GELU_LIMIT, x))


def silu(x: torch.Tensor) -> torch.Tensor:
    """Return x times the gate of SiLU; see `golden.vector.silu`."""
    return multiply(x, _gate(SILU_GATE, SILU_LIMIT, x))


def reciprocal(x: torch.Tensor) -> torch.Tensor:
    """Return 1/x in V24; see `golden.vector.reciprocal`."""
    bits = pattern(to_lane(x))
    magnitude = bits & MAGNITUDE
    exponent = 2 * FP32.bias - 1 - (magnitude >> FP32.mantissa_bits).long()
    found = _pack(exponent, _interpolate(RECIPROCAL, _fraction(magnitude)))
    found = torch.where(magnitude > 253 << FP32.mantissa_bits, 0, found)
    found = torch.where(magnitude == 0, FIELD, found)
    return _with_nan(found | bits & SIGN, magnitude > FIELD)


def reciprocal_root(x: torch.Tensor) -> torch.Tensor:
    """Return 1/sqrt(x) in V24; see `golden.vector.reciprocal_root`."""
    bits = pattern(to_lane(x))
    magnitude = bits & MAGNITUDE
    power = (magnitude >> FP32.mantissa_bits).long() - FP32.bias
    argument = (power & 1) << V24.mantissa_bits | _fraction(magnitude)
    found = _pack(FP32.bias - 1 - (power >> 1), _interpolate(RECIPROCAL_ROOT, argument))
    found = torch.where(magnitude == FIELD, 0, found)
    found = torch.where(magnitude == 0, FIELD | bits & SIGN, found)
    return _with_nan(found, (magnitude > FIELD) | ((bits < 0) & (magnitude != 0)))


def _gate(table: Segments, limit: int, x: torch.Tensor) -> torch.Tensor:
    x = to_lane(x)
    place = table.argument_bits - (limit - 1).bit_length()
    units = to_fixed(x, place, (1 << table.argument_bits) - 1)
    value = _interpolate(table, units.abs())
    value = torch.where(units < 0, (1 << table.result_bits) - value, value)
    gate = to_lane(value.float() * 2.0**-table.result_bits)  # exact: 18 bits
    return torch.where(x.isnan(), x, gate)


def _interpolate(table: Segments, argument: torch.Tensor) -> torch.Tensor:
    segment, rest = argument >> table.rest_bits, argument & ((1 << table.rest_bits) - 1)
    columns = torch.tensor((table.c0, table.c1, table.c2), device=argument.device)
    return evaluate(table, *columns[:, segment], rest)


def _fraction(magnitude: torch.Tensor) -> torch.Tensor:
    return (magnitude >> DROPPED_BITS & ((1 << V24.mantissa_bits) - 1)).long()


def _pack(exponent: torch.Tensor, significand: torch.Tensor) -> torch.Tensor:
    fraction = (significand - (1 << V24.mantissa_bits)) << DROPPED_BITS
    return ((exponent << FP32.mantissa_bits) + fraction).int()


def _with_nan(bits: torch.Tensor, is_nan: torch.Tensor) -> torch.Tensor:
    return number(bits.masked_fill(is_nan, QUIET_NAN))
