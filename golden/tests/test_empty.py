"""Tensors without elements: blocks of none, the shape kept, in NumPy and in torch."""

import numpy as np
import pytest

import golden
from golden.formats import MX6, MX9
from golden.packing import activation_tiles, weight_stream
from golden.policy import Policy
from golden.tests.helpers import assert_same_codes

SHAPES = [(0,), (0, 32), (3, 0), (2, 0, 32), (0, 3, 32), (2, 3, 0), (1, 0, 0)]
POLICIES = {
    "top": Policy(0.5),
    "tiles": Policy(0.5, scope="tile", tile_rows=2),
    "rows": Policy(0.5, granularity="block"),
    "rows of tiles": Policy(0.5, granularity="block", scope="tile", tile_rows=2),
    "threshold": Policy(selection="threshold", threshold=1.0, tile_rows=2),
    "static": Policy(1, selection="static", static_tags=[True]),
    "head": Policy(0.5, granularity="head"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_quantizing_nothing_gives_no_blocks(shape):
    x = np.zeros(shape, np.float32)
    for axis in range(-len(shape), len(shape)):
        q = golden.quantize(x, MX9, axis)
        others = [size for i, size in enumerate(shape) if i != axis % len(shape)]
        assert q.exponent.shape == (*others, -(-shape[axis] // 16)) and q.exponent.size == 0
        assert q.shape == shape and q.mx9_share == 0.0 and q.nan_blocks == 0
        assert q.dequantize().shape == shape and q.dequantize().dtype == np.float32


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_torch_does_the_same(policy, shape):
    torch = pytest.importorskip("torch")
    import golden.torch as gt

    x = np.zeros(shape, np.float32)
    given = torch.from_numpy(x).requires_grad_()
    for axis in range(len(shape)):
        actual, expected = gt.quantize(given, MX6, axis), golden.quantize(x, MX6, axis)
        assert_same_codes(actual.numpy(), expected)
        assert actual.dequantize().shape == shape == actual.shape
        fake = gt.fake_quantize(given, MX6, axis)
        assert fake.shape == shape and fake.requires_grad
    try:
        expected = golden.apply_policy(x, policy)
    except ValueError as error:  # heads, of a tensor that has none
        with pytest.raises(ValueError, match=str(error)[:20]):
            gt.apply_policy(given, policy)
        return
    assert_same_codes(gt.apply_policy(given, policy).numpy(), expected)
    assert expected.dequantize().shape == shape
    assert gt.fake_quantize_policy(given, policy).shape == shape


@pytest.mark.parametrize("accumulate", ["anchored", "fp32"])
@pytest.mark.parametrize("output", ["fp32", "fp16", "bf16"])
def test_products_without_rows_or_columns_are_empty(accumulate, output):
    options = {"accumulate": accumulate, "output": output}
    for m, n in ((0, 5), (3, 0), (0, 0)):
        a = golden.quantize(np.ones((m, 40), np.float32), MX6)
        b = golden.quantize(np.ones((40, n), np.float32), MX9, axis=0)
        c = golden.gemm(a, b, bias=np.ones(n, np.float32), **options)
        assert c.shape == (m, n)
        assert c.dtype == {"fp32": np.float32, "fp16": np.float16, "bf16": np.uint16}[output]
    a = golden.quantize(np.ones((2, 0), np.float32), MX6)
    with pytest.raises(ValueError, match="K is 0: there is nothing to multiply"):
        golden.gemm(a, golden.quantize(np.ones((0, 3), np.float32), MX6, axis=0))


def test_packets_of_nothing():
    assert activation_tiles(golden.quantize(np.ones((0, 40), np.float32), MX6), 4, 16) == []
    with pytest.raises(ValueError, match="at least one block per line"):
        weight_stream(golden.quantize(np.ones((0, 40), np.float32), MX6, axis=0), 4, 16)


def test_samples_without_rows_say_nothing():
    x = np.arange(80, dtype=np.float32).reshape(2, 40)
    policy = Policy(0.5)
    for find in (golden.calibrate_threshold, golden.static_tags):
        assert np.array_equal(find([x[:0], x], policy), find([x], policy))
        with pytest.raises(ValueError, match="calibration set is empty"):
            find([x[:0]], policy)
    assert np.array_equal(golden.channel_order([x[:0], x]), golden.channel_order([x]))


def test_metrics_of_nothing():
    nothing = np.zeros((0, 3), np.float32)
    assert golden.max_ulp(nothing, nothing) == 0 and golden.qsnr(nothing, nothing) == np.inf
    with pytest.raises(ValueError, match="have no mean error"):
        golden.mse(nothing, nothing)
