"""What block formats are tried on, and element types as lists of their values.

The lists come from the fields of the codes, as the specifications give them.
"""

import numpy as np
import torch
from torch import Tensor

DTYPES = (torch.float32, torch.float16, torch.bfloat16)

CODES = {"e5m2": 124, "e4m3": 127, "e3m2": 32, "e2m3": 32, "e2m1": 8}
"""Codes without sign that stand for a number; those above are infinities and NaNs."""


def random_rows(width: int, rows: int = 96, seed: int = 0) -> Tensor:
    """Return rows whose magnitudes span the exponents of FP32, subnormals included, in float32."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(rows, width))
    x *= 2.0 ** generator.integers(-4, 5, (rows, width))
    x *= 2.0 ** generator.integers(-146, 122, (rows, 1))
    return torch.from_numpy(x.astype(np.float32))


def corner_rows(width: int) -> Tensor:
    """Return rows of finite corners: zeros, all equal, one of many, saturating, ties, subnormal."""
    top = torch.finfo(torch.float32).max
    rows = [torch.zeros(width), torch.full((width,), -0.0)]
    rows += [torch.full((width,), value) for value in (1.0, -3.0, 7.99, 1e-30, 2.0**-149, top)]
    rows += [torch.eye(width)[0] * value for value in (1.0, -511.0, top, 2.0**-126, 2.0**-149)]
    rows += [torch.linspace(-1, 1, width) * top, torch.linspace(-3, 3, width) * 2.0**-149]
    for largest in (4.0, 7.5, 7.75, 7.999, 448.0, 464.0, 480.0, 511.9, 28.0, 30.0, 31.99):
        ties = torch.arange(width) / 32.0  # halves of every step, where blocks reach `largest`
        ties[::2] *= -1
        ties[::16] = largest
        rows.append(ties)
    return torch.stack(rows)


def magnitudes(name: str) -> np.ndarray:
    """Return the magnitudes of a floating-point element type, such as "e2m1", by rising code."""
    exponent_bits, mantissa_bits = int(name[1]), int(name[3])
    code = np.arange(CODES[name])
    field, fraction = code >> mantissa_bits, code & (2**mantissa_bits - 1)
    bias = 2 ** (exponent_bits - 1) - 1
    significand = fraction / 2**mantissa_bits + (field > 0)
    return significand * 2.0 ** (np.maximum(field, 1) - bias)


def nearest(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Round to the nearest of rising values, ties to an even index, and saturate."""
    upper = np.clip(np.searchsorted(values, np.abs(x)), 1, len(values) - 1)
    below, above = np.abs(x) - values[upper - 1], values[upper] - np.abs(x)
    index = np.where((above < below) | ((above == below) & (upper % 2 == 0)), upper, upper - 1)
    return np.copysign(values[index], x)
