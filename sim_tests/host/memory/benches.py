"""What tests of the ring's host share: a host on a device, and what golden makes of operands."""

from collections.abc import Callable
from typing import Any

import numpy as np

import golden
from golden import MX6, MX9, MXTensor, Policy
from hw.host.memory import RingHost
from sim_tests.host.memory.golden_device import BASE, SIZE, SMALL, GoldenDevice


def connect(ring_size: int = 8, device: GoldenDevice | None = None,
            **options: Any) -> tuple[RingHost, GoldenDevice]:
    """Make a host, and the device that it drives."""
    device = device or GoldenDevice()
    options = {"limit": 1000, "clock": clock_of(device)} | options
    return RingHost(device, BASE, SIZE, ring_size=ring_size, **options), device


def clock_of(device: GoldenDevice) -> Callable[[], float]:
    """Return a clock on which each wait takes a second."""
    return lambda: sum(call[0] == "wait" for call in device.calls)


def normal(*shape: int, seed: int = 1, dtype: Any = np.float32) -> np.ndarray:
    """Return random numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def bits(x: np.ndarray) -> np.ndarray:
    """Return the patterns of numbers, to compare to the bit."""
    return x if x.dtype.kind == "u" else x.view(f"u{x.dtype.itemsize}")


def product(a: MXTensor, b: MXTensor, bias: np.ndarray | None = None,
            output: str = "fp32") -> np.ndarray | MXTensor:
    """Multiply as the small machine does."""
    packed = output in ("mx6", "mx9")
    c = golden.gemm(a, b, k_max=SMALL.k_max, bias=bias, output="fp32" if packed else output)
    return golden.quantize(c, MX9 if output == "mx9" else MX6) if packed else c


def policy(**choices: Any) -> Policy:
    """Return a policy of the small machine's tiles, whose rows are as many as its columns."""
    return Policy(scope="tile", tile_rows=SMALL.rows, **choices)


def same(found: Any, expected: Any) -> bool:
    """Tell whether arrays or tensors are the same to the bit."""
    if not isinstance(expected, MXTensor):
        return (found.dtype, found.shape) == (expected.dtype, expected.shape) and np.array_equal(
            bits(found), bits(expected))
    return found.shape == expected.shape and found.axis == expected.axis and all(
        np.array_equal(getattr(found, name), getattr(expected, name))
        for name in ("exponent", "microexponent", "sign", "aligned_mantissa", "is_mx9"))
