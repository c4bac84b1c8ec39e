"""The torch twins against NumPy's codes, on the same blocks."""

from importlib import import_module

import numpy as np

from golden import mx, precision, vector
from golden.tests.proof.blocks import FORMATS, STARTS, letters
from golden.tests.proof.choices import draw
from golden.tests.proof.drawn import draw_floats
from golden.tests.proof.sweep import Sweep, assert_equal
from golden.tests.proof.vector_functions import ALL_LANES, lanes
from golden.vector import norms, softmax

PARTS = 8

CODES = ("exponent", "microexponent", "mantissa", "sign", "is_mx9")


def codes(chunk: int) -> int:
    """Compare codes, decoded values and fake values of all quadruples of patterns."""
    import torch

    import golden.torch as twins

    x, found = letters(chunk // PARTS)[chunk % PARTS :: PARTS], 0
    for fmt in FORMATS:
        for rounding in ("half_even", "truncate"):
            ours = twins.quantize(torch.from_numpy(x), fmt, rounding=rounding)
            wanted = mx.quantize(x, fmt, rounding=rounding)
            for name in CODES:
                assert_equal(getattr(ours.numpy(), name), getattr(wanted, name))
            values = wanted.dequantize().view(np.uint32)
            found += assert_equal(ours.dequantize().numpy().view(np.uint32), values)
        fake = twins.fake_quantize(torch.from_numpy(x), fmt).numpy().view(np.uint32)
        values = mx.quantize(x, fmt).dequantize().view(np.uint32)
        is_zero = (values & 0x7FFFFFFF) == 0  # a fake zero has no sign
        found += assert_equal(fake, np.where(is_zero, 0, values), x.view(np.uint32))
    return found


def policies(chunk: int) -> int:
    """Compare tensors of heads under any policy, their codes and their fake values."""
    import torch

    import golden.torch as twins

    rng, found = np.random.default_rng(chunk), 0
    for _ in range(20):
        x, rule = draw(rng)
        ours = twins.apply_policy(torch.from_numpy(x), rule)
        wanted = precision.apply_policy(x, rule)
        for name in CODES:
            found += assert_equal(getattr(ours.numpy(), name), getattr(wanted, name))
        values = wanted.dequantize()
        if rule.order == "calibrated":  # fake values stay where they were
            values = values[..., np.argsort(rule.permutation)]
        bits = np.ascontiguousarray(values).view(np.uint32)
        bits = np.where((bits & 0x7FFFFFFF) == 0, 0, bits)
        fake = twins.fake_quantize_policy(torch.from_numpy(x), rule).numpy().view(np.uint32)
        found += assert_equal(fake, bits)
    return found


def lane_functions(chunk: int) -> int:
    """Compare the functions of V24 numbers."""
    import torch

    twins, x, found = import_module("golden.torch.vector"), lanes(chunk), 0
    for name in ("exp2", "gelu", "silu", "reciprocal", "reciprocal_root"):
        ours = getattr(twins, name)(torch.from_numpy(x)).numpy()
        wanted = getattr(vector, name)(x)
        found += assert_equal(ours.view(np.uint32), wanted.view(np.uint32), x.view(np.uint32))
    return found


def lane_rows(chunk: int) -> int:
    """Compare norms and softmax of rows."""
    import torch

    twins, rng, found = import_module("golden.torch.vector"), np.random.default_rng(chunk), 0
    for _ in range(30):
        x = draw_floats(rng, (4, int(rng.integers(1, 60))))
        given = torch.from_numpy(x)
        for name in ("layer_norm", "rms_norm"):
            ours = getattr(twins, name)(given, 1e-6).result.numpy()
            wanted = getattr(norms, name)(x, 1e-6).result
            found += assert_equal(ours.view(np.uint32), wanted.view(np.uint32))
        ours, wanted = twins.softmax(given), softmax(x)
        for name in CODES:
            found += assert_equal(getattr(ours.p.numpy(), name), getattr(wanted.p, name))
        factor = ours.row_factor.numpy().view(np.uint32)
        found += assert_equal(factor, wanted.row_factor.view(np.uint32))
    return found


SWEEPS = (
    Sweep("torch: blocks of four numbers",
          ("torch.quantize", "torch.TorchMXTensor", "torch.fake_quantize"), "NumPy's codes",
          "all quadruples of 34 patterns, at four shared exponents; every format and rounding",
          PARTS * len(STARTS), codes, needs="torch"),
    Sweep("torch: policies", ("torch.apply_policy", "torch.fake_quantize_policy"),
          "NumPy's codes", "random tensors of heads and policies", 50, policies, needs="torch"),
    Sweep("torch: functions of the vector unit",
          ("torch.vector.gelu", "torch.vector.exp2", "torch.vector.silu",
           "torch.vector.reciprocal", "torch.vector.reciprocal_root"),
          "NumPy's bits", ALL_LANES, 16, lane_functions, needs="torch"),
    Sweep("torch: rows of the vector unit",
          ("torch.vector.layer_norm", "torch.vector.rms_norm", "torch.vector.softmax",
           "torch.vector.pipe", "torch.vector.row_sums"), "NumPy's bits",
          "random rows, corners", 50, lane_rows, needs="torch"),
)  # fmt: skip
