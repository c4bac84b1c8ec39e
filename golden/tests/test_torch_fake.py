"""Fake quantizers give the values of the codes, in every class of numbers and policies."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import golden
from golden.formats import MX6, MX9, MX_FORMATS
from golden.policy import Policy
from golden.tests.helpers import random_blocks

torch = pytest.importorskip("torch")
golden_torch = pytest.importorskip("golden.torch")
rounding = pytest.importorskip("golden.torch.rounding")

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
FORMATS = pytest.mark.parametrize("fmt", MX_FORMATS.values(), ids=list(MX_FORMATS))
EXAMPLES = settings(max_examples=150, deadline=None)


@pytest.fixture(params=["asks", "lifts"])
def path(request, monkeypatch):
    """Run both ways through `round_blocks`: the CPU's, and the one that never waits."""
    if request.param == "lifts":
        monkeypatch.setattr(rounding, "_can_ask", lambda x: False)


def assert_same_values(actual, expected):
    """Compare float32 numbers: NaNs in the same places, all others equal, and no -0."""
    actual, expected = (np.asarray(each.detach().float().cpu()) for each in (actual, expected))
    assert actual.shape == expected.shape
    assert np.array_equal(actual, expected, equal_nan=True)
    assert not np.any(np.signbit(actual) & (actual == 0))


def check_format(x, fmt):
    assert_same_values(
        golden_torch.fake_quantize(x, fmt), golden_torch.quantize(x, fmt).dequantize().to(x.dtype)
    )


def check_policy(x, policy):
    codes = golden_torch.apply_policy(x, policy)
    values = codes.dequantize()
    if policy.order == "calibrated":
        values = values[..., np.argsort(policy.permutation)]
    assert_same_values(golden_torch.fake_quantize_policy(x, policy), values.to(x.dtype))
    return codes.is_mx9


@FORMATS
@pytest.mark.parametrize("device", DEVICES)
def test_every_class_of_blocks(fmt, device, path):
    x = random_blocks(np.random.default_rng(0), 20000)
    x[::97, 5], x[::101, 15], x[::203, 0] = -np.inf, np.nan, np.inf
    x[::53] = 0
    check_format(torch.from_numpy(x).to(device), fmt)


@FORMATS
def test_every_shared_exponent(fmt, path):
    exponent = np.arange(256, dtype=np.uint32)[:, None]
    fraction = np.random.default_rng(1).integers(0, 1 << 23, (256, 16), dtype=np.uint32)
    below = np.minimum(np.arange(16, dtype=np.uint32) // 2, exponent)
    patterns = ((exponent - below) << 23) | fraction
    for sign in (0, 1 << 31):
        x = torch.from_numpy((patterns | np.uint32(sign)).view(np.float32))
        check_format(x, fmt)
        for block in x:  # alone, so that no other block decides the way
            check_format(block, fmt)


@FORMATS
def test_every_tie_and_the_saturation(fmt, path):
    # All multiples of a quarter of MX9's step up to the top of the binade, beside a full-scale 1.9.
    values = torch.arange(1024) / 512.0
    x = torch.stack([values, torch.full_like(values, 1.9)], 1).repeat(1, 8)
    for scaled in (x, -x, x * 2.0**-120, x * 2.0**120):
        check_format(scaled, fmt)


@FORMATS
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_every_16_bit_pattern(fmt, dtype, path):
    bits = np.random.default_rng(2).permutation(1 << 16).astype(np.uint16).view(np.int16)
    ordered = np.arange(1 << 16, dtype=np.uint16).view(np.int16)
    for patterns in (bits, ordered):
        check_format(torch.from_numpy(patterns.reshape(-1, 16)).view(dtype), fmt)


@FORMATS
@EXAMPLES
@given(
    patterns=hnp.arrays(
        np.uint32,
        st.tuples(st.integers(1, 3), st.integers(1, 40)),
        elements=st.integers(0, 2**32 - 1),
    )
)
def test_any_patterns(fmt, patterns):
    check_format(torch.from_numpy(patterns.view(np.float32)), fmt)


POLICIES = [
    Policy(fraction, granularity, scope=scope, tile_rows=tile_rows, **choice)
    for fraction, (granularity, scope, tile_rows), choice in itertools.product(
        (0.0, 0.05, 0.3, 1.0),
        [
            ("channel_block", "tensor", None),
            ("channel_block", "tensor", 8),
            ("channel_block", "tile", 8),
            ("block", "tensor", None),
            ("block", "tile", 8),
            ("head", "tensor", None),
        ],
        [
            {},
            {"selection": "threshold", "threshold": 2.5},
            {"order": "calibrated", "permutation": np.random.default_rng(0).permutation(100)},
        ],
    )
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_every_kind_of_policy(dtype, path):
    x = torch.randn(2, 3, 21, 100, generator=torch.Generator().manual_seed(0))
    x[0, 1, 3, 70], x[1, 2, 20, 5], x[1, 0, :, 16:32] = torch.nan, torch.inf, 0.0
    x[0, 0, 5, 40:44] = 1e-40
    x = x.to(dtype)
    for policy in POLICIES:
        chosen = check_policy(x, policy).numpy()
        wide = x.float().numpy()
        assert np.array_equal(chosen, golden.apply_policy(wide, policy).is_mx9), policy


def test_static_tags_and_equal_magnitudes(path):
    x = torch.ones(3, 20, 100)  # every unit ties, so the lower index must win
    tags = [True, False, False, True, False, False, False]
    static = Policy(0.3, selection="static", static_tags=tags)
    assert check_policy(x, static)[0, 0].tolist() == tags
    top = check_policy(x, Policy(0.3, scope="tile", tile_rows=8))
    assert top[0, 0].tolist() == [True] * 2 + [False] * 5


@EXAMPLES
@given(
    patterns=hnp.arrays(
        np.uint32,
        st.tuples(st.integers(1, 2), st.integers(1, 20), st.integers(1, 70)),
        elements=st.integers(0, 2**32 - 1),
    ),
    policy=st.builds(
        Policy,
        fraction=st.floats(0, 1),
        granularity=st.sampled_from(["channel_block", "block"]),
        scope=st.sampled_from(["tensor", "tile"]),
        tile_rows=st.none() | st.integers(1, 9),
    ),
)
def test_any_patterns_under_any_policy(patterns, policy):
    x = patterns.view(np.float32)
    chosen = check_policy(torch.from_numpy(x), policy)
    assert np.array_equal(chosen.numpy(), golden.apply_policy(x, policy).is_mx9)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_nans_of_16_bits_rank_by_their_own_patterns(kind):
    # A conversion to FP32 would set the same bit in all but the last.
    patterns = np.zeros((4, 32), np.uint16)
    patterns[:, 5] = {
        "float16": [0x7C01, 0x7E01, 0x7D00, 0x7E00],
        "bfloat16": [0x7F81, 0x7FC1, 0x7FA0, 0x7FC0],
    }[kind]
    x = torch.from_numpy(patterns.view(np.int16)).view(getattr(torch, kind))
    for fraction, rows in ((0.125, [1]), (0.25, [1, 3]), (0.375, [1, 2, 3])):
        chosen = check_policy(x, Policy(fraction, "block"))
        assert chosen[:, 0].nonzero().flatten().tolist() == rows and not chosen[:, 1].any()
    # In tiles of two rows the second row shows which tile was chosen.
    second = torch.randn(4, 32, generator=torch.Generator().manual_seed(6)).to(x.dtype)
    tiles = torch.stack([x, second], 1).flatten(0, 1)
    assert check_policy(tiles, Policy(0.125, tile_rows=2))[3].tolist() == [True, False]


@pytest.mark.parametrize("count", [1, rounding.CHUNK_BLOCKS, rounding.CHUNK_BLOCKS + 1])
def test_chunks_meet(count):
    x = torch.randn(count, 16, generator=torch.Generator().manual_seed(count))
    x[-1] *= 2.0**110  # one chunk goes the slower way
    check_format(x, MX6)
    check_policy(x, Policy(0.1))


def test_views_axes_and_odd_offsets():
    flat = torch.randn(40 * 33 + 1, generator=torch.Generator().manual_seed(3))
    odd = flat[1:641].view(40, 16), flat[1:17]
    for x in (*odd, flat[1:].view(40, 33), flat[1:].view(33, 40).mT, flat[:32].expand(5, 32)):
        for axis in range(-x.dim(), x.dim()):
            expected = golden_torch.quantize(x, MX9, axis).dequantize()
            assert_same_values(golden_torch.fake_quantize(x, MX9, axis), expected)


def test_flushing_subnormals_changes_nothing():
    x = torch.randn(500, 16, generator=torch.Generator().manual_seed(4))
    x[:, 3] = 1e-40
    expected = golden_torch.fake_quantize(x, MX6)
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush subnormals")
    try:
        assert torch.equal(golden_torch.fake_quantize(x, MX6), expected)
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize("mode", ["half_even", "truncate"])
def test_other_roundings_keep_order_and_gradient(mode):
    x = torch.randn(8, 100, generator=torch.Generator().manual_seed(5)).requires_grad_()
    policy = Policy(0.2, order="calibrated", permutation=np.arange(100)[::-1])
    codes = golden_torch.apply_policy(x, policy, mode)
    fake = golden_torch.fake_quantize_policy(x, policy, mode)
    assert torch.equal(fake.flip(-1), codes.dequantize())
    (gradient,) = torch.autograd.grad(fake[0].sum(), x)
    assert torch.equal(gradient, (torch.arange(8) == 0).float()[:, None].expand(8, 100))


def test_a_compiled_function_has_the_same_bits():
    x = torch.randn(40, 100, generator=torch.Generator().manual_seed(7))
    policy = Policy(0.1, tile_rows=8)

    def function(x):
        return golden_torch.fake_quantize_policy(x + 1, policy) * 2

    torch.compiler.reset()
    assert torch.equal(torch.compile(function, backend="eager")(x), function(x))
