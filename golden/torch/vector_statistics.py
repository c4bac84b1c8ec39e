"""Statistics of rows in PyTorch: the bits of `golden.vector.statistics`."""

from fractions import Fraction

import torch

from golden.arguments import whole
from golden.floats import QUIET_NAN
from golden.formats import FP32
from golden.torch.vector_functions import reciprocal_root
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
)
from golden.vector.formats import MOST_COLUMNS, SQUARE_BITS, SUM_BITS
from golden.vector.statistics import scaled_epsilon


class Statistics:
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


def row_mean(x: torch.Tensor) -> torch.Tensor:
    """Return the means of rows (..., rows, columns); see `golden.vector.row_mean`."""
    return Statistics(x).mean()


def row_scale(
    x: torch.Tensor, epsilon: float | Fraction, *, is_centred: bool = True
) -> torch.Tensor:
    """Return 1 / sqrt(variance + epsilon) of rows; see `golden.vector.row_scale`."""
    return Statistics(x).scale(epsilon, is_centred)


def row_maximum(x: torch.Tensor) -> torch.Tensor:
    """Return the largest number of each row; see `golden.vector.row_maximum`."""
    x = canonical(x)
    _check_columns(x)
    bits = pattern(x)
    largest = torch.where(bits < 0, ~(bits & MAGNITUDE), bits).amax(-1)
    largest = torch.where(largest < 0, ~largest | SIGN, largest)
    return number(largest.masked_fill(x.isnan().any(-1), QUIET_NAN))


def _check_columns(x: torch.Tensor) -> int:
    if x.dim() == 0:
        raise ValueError("a single number is no row: give a tensor of shape (..., rows, columns)")
    if not 1 <= x.shape[-1] <= MOST_COLUMNS:
        raise ValueError(f"rows must have from 1 to {MOST_COLUMNS} elements, not {x.shape[-1]}")
    return x.shape[-1]


def counted(x: torch.Tensor, valid_columns: int | None) -> torch.Tensor:
    """Return the columns that count."""
    x = canonical(x)
    if valid_columns is None or not x.dim():
        return x
    count = whole(valid_columns, "valid_columns", least=1)
    if count > x.shape[-1]:
        raise ValueError(f"valid_columns must be from 1 to {x.shape[-1]}, not {count}")
    return x[..., :count]
