"""Schemes make the operands that the machine multiplies, and count their bits."""

import math

import numpy as np
import pytest

import golden
from golden.formats import BF16, MX4, MX6, MX9
from golden.policy import Policy
from golden.tests.helpers import activations, assert_same_bits, matrix

torch = pytest.importorskip("torch")
golden_torch = pytest.importorskip("golden.torch")
MXScheme, TimestepScheme = golden_torch.MXScheme, golden_torch.TimestepScheme

K = 200
ORDER = np.random.default_rng(0).permutation(K)
OUTLIERS = np.arange(13) % 5 == 0
TILES = Policy(0.2, scope="tile", tile_rows=8)
ORDERED = Policy(0.2, tile_rows=8, order="calibrated", permutation=ORDER)
FOURS = Policy(weights=(MX4, MX6), order="calibrated", permutation=ORDER)

SCHEMES = {
    "format": lambda: MXScheme("MX6", "MX9"),
    "tiles": lambda: MXScheme(TILES, MX6),
    "order": lambda: MXScheme(ORDERED, "MX6"),
    "order of B": lambda: MXScheme("MX4", ORDERED),
    "chosen B": lambda: MXScheme(TILES, Policy(0.3)),
    "outliers": lambda: MXScheme(ORDERED, ORDERED, outliers=OUTLIERS),
    "outliers of MX4": lambda: MXScheme(ORDERED, FOURS, outliers=OUTLIERS),
}
EVERY_SCHEME = pytest.mark.parametrize("make", SCHEMES.values(), ids=list(SCHEMES))


def operands(seed=1):
    a = torch.from_numpy(activations(seed, 40, K).reshape(2, 20, K))
    b = torch.from_numpy(activations(seed + 1, 24, K)) / K
    return a, b


def golden_operands(scheme, a, b):
    """Quantize by `golden` alone: A (..., K) and the weight (K, N)."""
    order = np.arange(K) if scheme.order is None else scheme.order
    left = quantized(a.numpy()[..., order], scheme.a)
    if scheme.outliers is not None:
        return left, golden.quantize_weight(b.numpy().T, scheme.outliers, scheme.b)
    return left, quantized(b.numpy()[:, order], scheme.b).transpose()


def quantized(x, precision):
    if isinstance(precision, Policy):
        natural = {"order": "natural", "permutation": None}
        fields = {name: getattr(precision, name) for name in Policy.__dataclass_fields__}
        return golden.apply_policy(x, Policy(**(fields | natural)))
    return golden.quantize(x, precision)


@EVERY_SCHEME
def test_values_are_those_of_golden(make):
    scheme, (a, b) = make(), operands()
    left, right = golden_operands(scheme, a, b)
    assert np.array_equal(scheme.activation(a).numpy(), left.dequantize())
    assert np.array_equal(scheme.weight(b).numpy(), right.dequantize().T)
    codes = scheme.codes(b)
    assert codes.shape == (24, K) and codes.axis == 1
    assert_same_bits(codes.dequantize(), right.dequantize().T)


@EVERY_SCHEME
def test_exact_products_are_those_of_golden(make):
    scheme, (a, b) = make(), operands()
    left, right = golden_operands(scheme, a, b)
    expected = np.stack([golden.gemm(matrix(left, image), right) for image in range(2)])
    assert_same_bits(scheme.exact(a, b).numpy(), expected)
    assert_same_bits(scheme.exact(a, scheme.codes(b)).numpy(), expected)


@pytest.mark.parametrize("keys", [7, 48])
def test_exact_attention_is_that_of_every_head(keys):
    generator = torch.Generator().manual_seed(2)
    queries = torch.randn(2, 5, 20, 72, generator=generator)
    others = torch.randn(2, 5, keys, 72, generator=generator)
    heads = Policy(0.2, granularity="head")
    products = MXScheme(heads, heads).exact(queries, others)
    left, right = (quantized(each.numpy(), heads) for each in (queries, others))
    assert left.is_mx9.any() and not np.array_equal(left.is_mx9[..., 0, 0], right.is_mx9[..., 0, 0])
    for image, head in np.ndindex(2, 5):
        expected = golden.gemm(matrix(left, image, head), matrix(right, image, head).transpose())
        assert_same_bits(products[image, head].numpy(), expected)


@EVERY_SCHEME
def test_fake_products_are_within_the_bound_of_exact_ones(make):
    scheme, (a, b) = make(), operands()
    left, right = scheme.activation(a), scheme.weight(b)
    difference = (left @ right.mT - scheme.exact(a, b)).double().abs()
    bound = golden_torch.fake_bound(left, right)
    assert (difference <= bound).all()
    # It would see one step of MX9 in the largest numbers.
    steps = left.abs().amax(-1, keepdim=True) * right.abs().amax(-1) / 127
    assert (bound <= steps / 16).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bit_operands_count_as_what_they_are(dtype):
    scheme, (a, b) = MXScheme(ORDERED, ORDERED, outliers=OUTLIERS), operands()
    a, b = (a / 8).to(dtype), b.to(dtype)
    a[0, 3, 7] = torch.nan
    float_format = BF16 if dtype == torch.bfloat16 else None
    left = golden.apply_policy(bits(a), ORDERED, float_format=float_format)
    values = scheme.activation(a)
    assert values.dtype == torch.float32
    assert np.array_equal(values.numpy(), left.dequantize(), equal_nan=True)
    assert torch.equal(scheme.weight(b), scheme.weight(b.float()))
    assert torch.equal(scheme.exact(a, b).isnan(), values.isnan().any(-1, True).expand(2, 20, 24))


def bits(x):
    return x.view(torch.int16).numpy().view(np.uint16) if x.dtype == torch.bfloat16 else x.numpy()


def test_meters_give_the_share_of_each_precision():
    a, b = operands()
    scheme = MXScheme(ORDERED, FOURS, outliers=OUTLIERS)
    assert math.isnan(scheme.meter.activation_bits)
    scheme.activation(a), scheme.weight(b)
    share = golden.apply_policy(a.numpy(), ORDERED).mx9_share
    assert 0 < share <= 0.2
    assert scheme.meter.activation_bits == pytest.approx(6 + 3 * share, abs=1e-12)
    assert scheme.meter.weight_bits == pytest.approx(4 + 2 * OUTLIERS.mean(), abs=1e-12)
    scheme.activation(torch.ones(1, K))  # one of 13 blocks is below 5 %, so all is MX6
    mean = (a.numel() * (6 + 3 * share) + K * (6 + 3 * 2 / 13)) / (a.numel() + K)
    assert scheme.meter.activation_bits == pytest.approx(mean, abs=1e-12)
    scheme.meter.reset()
    assert math.isnan(scheme.meter.activation_bits)
    scheme.meter.repeat_weight()
    assert scheme.meter.weight_bits == pytest.approx(4 + 2 * OUTLIERS.mean(), abs=1e-12)


def test_gradients_pass_through_in_the_order_of_the_channels():
    scheme, (a, b) = MXScheme(ORDERED, MX6), operands()
    a.requires_grad_()
    b.requires_grad_()
    left, right = scheme.activation(a), scheme.weight(b)
    (left @ right.mT).sum().backward()
    inverse = np.argsort(ORDER)
    assert torch.allclose(a.grad, right.sum(0)[inverse].expand_as(a), rtol=1e-6, atol=0)
    assert torch.allclose(b.grad, left.sum((0, 1))[inverse].expand_as(b), rtol=1e-4, atol=1e-3)


def test_a_clock_chooses_the_precision():
    clock, (a, b) = golden_torch.Clock(), operands()
    ranges = [
        (100, MXScheme("MX9", ORDERED, outliers=OUTLIERS, correction=torch.ones(24))),
        (math.inf, MXScheme(ORDERED, ORDERED, outliers=OUTLIERS)),
    ]
    scheme = TimestepScheme(clock, ranges)
    with pytest.raises(ValueError, match="no range has the timestep nan"):
        scheme.activation(a)
    for timestep, (_, expected) in ((0, ranges[0]), (99.5, ranges[0]), (100, ranges[1])):
        clock.timestep = timestep
        assert torch.equal(scheme.activation(a), expected.activation(a))
        assert_same_bits(scheme.exact(a, b).numpy(), expected.exact(a, b).numpy())
        assert scheme.correction is expected.correction
        assert scheme.activation_key == expected.activation_key
    assert ranges[0][1].activation_key != ranges[1][1].activation_key
    assert_same_bits(scheme.codes(b).dequantize(), ranges[0][1].codes(b).dequantize())
    assert 6 < scheme.meter.activation_bits < 9


def test_a_stored_weight_is_the_same_at_all_times():
    clock, (_, b) = golden_torch.Clock(), operands()
    for other in (MXScheme(TILES, "MX9"), MXScheme(TILES, TILES, outliers=OUTLIERS)):
        scheme = TimestepScheme(clock, [(5, MXScheme("MX9", "MX6")), (9, other)])
        with pytest.raises(ValueError, match="cannot change with the timestep"):
            scheme.codes(b)


def test_equal_precisions_have_equal_keys():
    assert (
        MXScheme(ORDERED, MX6).activation_key
        == MXScheme(
            Policy(0.2, tile_rows=8, order="calibrated", permutation=ORDER.copy()), "MX9"
        ).activation_key
    )
    keys = [MXScheme(a, MX6).activation_key for a in (MX6, MX9, TILES, Policy(0.2), ORDERED)]
    keys.append(MXScheme(MX6, ORDERED).activation_key)
    assert len(set(keys)) == 6


def test_mistakes_get_a_sentence():
    reverse = Policy(order="calibrated", permutation=np.arange(K)[::-1])
    with pytest.raises(ValueError, match="order the channels of K alike"):
        MXScheme(ORDERED, reverse)
    with pytest.raises(ValueError, match="order the channels of K alike"):
        MXScheme(ORDERED, TILES)
    with pytest.raises(ValueError, match="outliers need a policy as b"):
        MXScheme(TILES, MX6, outliers=OUTLIERS)
    with pytest.raises(ValueError, match="choose one of MX9, MX6, MX4"):
        MXScheme("MX7", MX6)
    with pytest.raises(ValueError, match="orders 200 channels, but there are 64"):
        MXScheme(ORDERED, MX6).activation(torch.ones(2, 64))
    with pytest.raises(TypeError, match=r"not torch\.float64"):
        MXScheme(MX6, MX6).activation(torch.ones(2, 64, dtype=torch.float64))
    schemes = MXScheme(MX6, MX6), MXScheme(MX9, MX6), MXScheme(ORDERED, MX6)
    with pytest.raises(ValueError, match="limits that rise"):
        TimestepScheme(golden_torch.Clock(), [(5, schemes[0]), (5, schemes[1])])
    with pytest.raises(ValueError, match="must order channels alike"):
        TimestepScheme(golden_torch.Clock(), [(5, schemes[0]), (6, schemes[2])])


@pytest.mark.parametrize("a, b", [
    ((2, 4, 8, 32), (1, 4, 6, 32)), ((2, 4, 8, 32), (2, 1, 6, 32)), ((4, 8, 32), (2, 4, 6, 32)),
    ((8, 32), (6, 16)),
])  # fmt: skip
def test_exact_products_broadcast_nothing(a, b):
    with pytest.raises(ValueError, match="do not multiply"):
        MXScheme("MX6", "MX6").exact(torch.ones(a), torch.ones(b))


@pytest.mark.parametrize("a, b", [
    ((0, 4, 32), (0, 6, 32)), ((2, 0, 32), (2, 6, 32)), ((0, 32), (6, 32)), ((3, 0, 32), (6, 32)),
])  # fmt: skip
def test_exact_products_of_no_rows_are_empty(a, b):
    product = MXScheme("MX6", "MX6").exact(torch.ones(a), torch.ones(b))
    assert product.shape == (torch.ones(a) @ torch.ones(b).mT).shape


@pytest.mark.parametrize("outliers", [[0.3, 0], ["False", ""], [float("nan"), 0]])
def test_outliers_are_bools(outliers):
    with pytest.raises(TypeError, match="outliers must hold integers"):
        MXScheme(golden.Policy(), golden.Policy(), outliers=outliers)
    with pytest.raises(ValueError, match="outliers must hold bools, or 0 and 1"):
        MXScheme(golden.Policy(), golden.Policy(), outliers=[2, -1])


@pytest.mark.parametrize(
    "correction", [np.ones(3, np.float32), torch.ones(3, 1), torch.ones(3, dtype=torch.bfloat16)]
)
def test_a_correction_is_a_row_of_fp32(correction):
    with pytest.raises(ValueError, match="a correction is a tensor of float32"):
        MXScheme("MX6", "MX6", correction=correction)


def test_exact_mode_takes_a_k_beyond_the_default_machine():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(rows, 6200, generator=generator) for rows in (2, 3))
    left, right = (golden.quantize(each.numpy(), "MX6") for each in (a, b))
    expected = golden.gemm(left, right.transpose(), k_max=6200)
    assert_same_bits(MXScheme("MX6", "MX6").exact(a, b).numpy(), expected)


@pytest.mark.parametrize("limits, kind, message", [
    ([math.nan], ValueError, r"limits that rise, not \[nan\]"),
    ([5, math.nan], ValueError, "limits that rise"),
    ([-math.inf, 5], ValueError, "limits that rise"),
    ([], ValueError, "limits that rise"),
    (["5"], TypeError, "a limit of timesteps must be a number, not '5'"),
    ([None], TypeError, "a limit of timesteps must be a number, not None"),
    ([True], TypeError, "a limit of timesteps must be a number"),
])  # fmt: skip
def test_limits_of_timesteps_are_numbers_that_rise(limits, kind, message):
    ranges = [(limit, MXScheme("MX6", "MX6")) for limit in limits]
    with pytest.raises(kind, match=message):
        TimestepScheme(golden_torch.Clock(), ranges)
    assert not any(scheme.is_timed for _, scheme in ranges)


def test_a_scheme_counts_for_one_timestep_scheme_only():
    shared = MXScheme("MX6", "MX6")
    first = TimestepScheme(golden_torch.Clock(1.0), [(5, shared), (7, shared)])
    with pytest.raises(ValueError, match="cannot count for two TimestepSchemes: make one for each"):
        TimestepScheme(golden_torch.Clock(1.0), [(9, MXScheme("MX9", "MX6")), (10, shared)])
    with pytest.raises(TypeError, match="a range has an MXScheme, not a TimestepScheme"):
        TimestepScheme(golden_torch.Clock(1.0), [(9, first)])
    first.activation(torch.ones(2, 16))
    assert first.meter.activations.elements == 32
