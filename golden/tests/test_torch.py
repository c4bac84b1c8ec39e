"""The torch twins have the bits of the NumPy model, and gradients."""

import subprocess
import sys

import numpy as np
import pytest

import golden
from golden.formats import BF16, MX6, MX9, MX_FORMATS
from golden.policy import Policy
from golden.tests.helpers import assert_same_bits, assert_same_codes, random_blocks

torch = pytest.importorskip("torch")
golden_torch = pytest.importorskip("golden.torch")

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
FORMATS = pytest.mark.parametrize("fmt", MX_FORMATS.values(), ids=list(MX_FORMATS))


def all_classes(count=8000):
    x = random_blocks(np.random.default_rng(0), count)
    x[::97, 5], x[::101, 15], x[::203, 0] = -np.inf, np.nan, np.inf
    x[::53] = 0
    return x


@FORMATS
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rounding", ["half_even", "truncate", "stochastic"])
def test_codes_and_values_are_identical(fmt, device, rounding):
    x = all_classes()
    seed = 7 if rounding == "stochastic" else None
    expected = golden.quantize(x, fmt, rounding=rounding, seed=seed)
    actual = golden_torch.quantize(
        torch.from_numpy(x).to(device), fmt, rounding=rounding, seed=seed
    )
    assert_same_codes(actual.numpy(), expected)
    assert_same_bits(actual.dequantize().cpu().numpy(), expected.dequantize())


@FORMATS
def test_every_shared_exponent_is_identical(fmt):
    exponent = np.arange(256, dtype=np.uint32)[:, None]
    fraction = np.random.default_rng(1).integers(0, 1 << 23, (256, 16), dtype=np.uint32)
    below = np.minimum(np.arange(16, dtype=np.uint32) // 2, exponent)
    x = (((exponent - below) << 23) | fraction).view(np.float32)
    expected = golden.quantize(x, fmt)
    actual = golden_torch.quantize(torch.from_numpy(x), fmt)
    assert_same_codes(actual.numpy(), expected)
    assert_same_bits(actual.dequantize().numpy(), expected.dequantize())


@FORMATS
def test_every_fp16_and_bf16_value_is_identical(fmt):
    bits = np.random.default_rng(2).permutation(1 << 16).astype(np.uint16).reshape(-1, 16)
    half = torch.from_numpy(bits.view(np.float16))
    assert_same_codes(
        golden_torch.quantize(half, fmt).numpy(), golden.quantize(bits.view(np.float16), fmt)
    )
    brain = torch.from_numpy(bits.view(np.int16)).view(torch.bfloat16)
    assert_same_codes(
        golden_torch.quantize(brain, fmt).numpy(), golden.quantize(bits, fmt, float_format=BF16)
    )


@pytest.mark.parametrize("shape", [(48,), (3, 17), (2, 3, 40), (33, 20)])
def test_any_axis_and_ragged_tails(shape):
    x = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
    for axis in range(-x.ndim, x.ndim):
        actual = golden_torch.quantize(torch.from_numpy(x), MX9, axis)
        expected = golden.quantize(x, MX9, axis)
        assert_same_codes(actual.numpy(), expected)
        assert_same_bits(actual.dequantize().numpy(), expected.dequantize())


POLICIES = {
    "top": Policy(0.2),
    "tile": Policy(0.2, scope="tile", tile_rows=8),
    "block": Policy(0.1, granularity="block"),
    "threshold": Policy(selection="threshold", threshold=2.5, tile_rows=4),
    "calibrated": Policy(0.2, order="calibrated", permutation=np.arange(100)[::-1]),
    "static": Policy(0.2, selection="static", static_tags=[False, True] + [False] * 5),
}


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_policies_choose_the_same_blocks(policy, dtype):
    x = np.random.default_rng(4).standard_normal((20, 100)).astype(np.float32)
    x[3, 70] = np.nan
    given = torch.from_numpy(x).to(getattr(torch, dtype))
    actual = golden_torch.apply_policy(given, policy)
    expected = golden.apply_policy(given.float().numpy(), policy)
    assert_same_codes(actual.numpy(), expected)
    assert actual.is_mx9.any() and not actual.is_mx9.all()
    assert_same_bits(actual.dequantize().numpy(), expected.dequantize())


def test_heads_are_chosen_alike():
    x = np.random.default_rng(5).standard_normal((2, 5, 6, 40)).astype(np.float32)
    policy = Policy(0.2, granularity="head")
    actual = golden_torch.apply_policy(torch.from_numpy(x), policy)
    assert_same_codes(actual.numpy(), golden.apply_policy(x, policy))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_gradient_passes_straight_through(dtype):
    x = torch.randn(4, 100, generator=torch.Generator().manual_seed(0)).to(dtype)
    x.requires_grad_()
    weight = torch.arange(400.0).reshape(4, 100).to(dtype)
    for fake in (
        golden_torch.fake_quantize(x, MX6),
        golden_torch.fake_quantize_policy(x, POLICIES["calibrated"]),
    ):
        assert fake.dtype == dtype and fake.requires_grad
        assert not torch.equal(fake, x)
        (gradient,) = torch.autograd.grad((fake * weight).sum(), x)
        assert torch.equal(gradient, weight)


def test_fake_quantization_keeps_the_channel_order():
    x = torch.randn(20, 100, generator=torch.Generator().manual_seed(1))
    policy = POLICIES["calibrated"]
    order = policy.permutation.copy()
    fake = golden_torch.fake_quantize_policy(x, policy)
    assert torch.equal(fake[:, order], golden_torch.apply_policy(x, policy).dequantize())


def test_golden_itself_does_not_import_torch():
    code = "import golden, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_bad_input_gets_a_sentence():
    with pytest.raises(TypeError, match=r"not torch\.float64"):
        golden_torch.quantize(torch.ones(16, dtype=torch.float64), MX9)
    with pytest.raises(TypeError, match=r"not torch\.int32"):
        golden_torch.apply_policy(torch.ones(2, 16, dtype=torch.int32), Policy())
    with pytest.raises(ValueError, match="axis 1 does not exist"):
        golden_torch.quantize(torch.ones(16), MX9, 1)
    with pytest.raises(ValueError, match="rounding must be"):
        golden_torch.quantize(torch.ones(16), MX9, rounding="down")
    with pytest.raises(ValueError, match="orders 100 channels, but there are 16"):
        golden_torch.apply_policy(torch.ones(2, 16), POLICIES["calibrated"])


def test_numpy_arrays_and_other_objects_get_a_sentence():
    x = np.ones((2, 32), np.float32)
    for call in (
        lambda given: golden_torch.quantize(given, MX9),
        lambda given: golden_torch.apply_policy(given, Policy()),
        lambda given: golden_torch.fake_quantize(given, MX9),
        lambda given: golden_torch.fake_quantize_policy(given, Policy()),
    ):
        with pytest.raises(TypeError, match=r"is a NumPy array.*golden\.quantize.*from_numpy"):
            call(x)
        with pytest.raises(TypeError, match="expected a torch tensor, not a list"):
            call(x.tolist())
        with pytest.raises(TypeError, match=r"expected a dense tensor, not one of torch\.sparse"):
            call(torch.ones(2, 32).to_sparse())


def test_golden_takes_tensors_that_numpy_sees():
    x = torch.randn(4, 40, generator=torch.Generator().manual_seed(2))
    for given in (x, x.half(), x.T, x[:, ::2], x.unsqueeze(0).expand(3, 4, 40)):
        assert_same_codes(golden.quantize(given, MX6), golden.quantize(given.numpy(), MX6))


@pytest.mark.parametrize(
    "given",
    [
        torch.ones(2, 32).bfloat16(),
        torch.ones(2, 32, requires_grad=True),
        torch.ones(2, 32, device="meta"),
        torch.ones(2, 32).to_sparse(),
        torch.imag(torch.ones(2, 32, dtype=torch.complex64).conj()),
    ],
    ids=["bfloat16", "gradient", "meta", "sparse", "negative"],
)
def test_golden_refuses_tensors_that_numpy_does_not_see(given):
    if given.is_meta:
        advice = "on meta, without values: load or compute them first"
    else:
        advice = r"of .* use golden\.torch\.quantize"
    for call in (
        lambda: golden.quantize(given, MX6),
        lambda: golden.apply_policy(given, Policy()),
        lambda: golden.qsnr(given, given),
        lambda: golden.channel_order([given]),
    ):
        with pytest.raises(TypeError, match=f"is a torch tensor {advice}"):
            call()


def test_axes_seeds_and_names_are_those_of_golden():
    x = np.random.default_rng(6).standard_normal((20, 33)).astype(np.float32)
    given = torch.from_numpy(x)
    options = {"axis": np.int64(0), "rounding": "stochastic", "seed": np.uint8(3)}
    expected = golden.quantize(x, "MX6", 0, "stochastic", 3)
    assert_same_codes(golden_torch.quantize(given, "mx6", **options).numpy(), expected)
    assert golden_torch.quantize(given, "mx6", torch.tensor(0)).axis == 0
    for axis in (None, 1.0, True):
        with pytest.raises(TypeError, match="axis must be a whole number"):
            golden_torch.quantize(given, "mx6", axis)
    with pytest.raises(ValueError, match="rounding must be one of half_even, truncate, not"):
        golden_torch.apply_policy(given, Policy(), "stochastic")
    with pytest.raises(TypeError, match=r"must be a golden\.Policy"):
        golden_torch.fake_quantize_policy(given, "mx6")
    q = golden_torch.quantize(given, "mx6")
    assert repr(q) == "TorchMXTensor(MX6, shape=(20, 33), axis=1, device='cpu')"


@pytest.mark.parametrize("rounding", ["half_even", "stochastic"])
@pytest.mark.parametrize("shape", [(70_000, 3), (3, 300_000), (5, 7_000, 20)])
def test_chunks_of_large_tensors_meet(shape, rounding):
    x = np.random.default_rng(7).standard_normal(shape).astype(np.float32)
    seed = 1 if rounding == "stochastic" else None
    for axis in range(len(shape)):
        expected = golden.quantize(np.moveaxis(x, axis, -1).copy(), MX9, -1, rounding, seed)
        q = golden.quantize(x, MX9, axis, rounding, seed)
        assert_same_codes(q, expected)
        t = golden_torch.quantize(torch.from_numpy(x), MX9, axis, rounding, seed)
        assert_same_codes(t.numpy(), expected)
        values = expected.dequantize()
        assert_same_bits(np.moveaxis(q.dequantize(), axis, -1), values)


def test_tiles_longer_than_any_memory_are_one_tile():
    x = np.random.default_rng(8).standard_normal((5, 64)).astype(np.float32)
    for scope in ("tensor", "tile"):
        for granularity in ("block", "channel_block"):
            policy = Policy(0.3, granularity, scope, tile_rows=10**15)
            expected = golden.apply_policy(x, Policy(0.3, granularity, scope))
            assert_same_codes(golden.apply_policy(x, policy), expected)
            actual = golden_torch.apply_policy(torch.from_numpy(x), policy)
            assert_same_codes(actual.numpy(), expected)


def put_off(x: torch.Tensor) -> torch.Tensor:
    """Return the same numbers, their signs put off: the bits are those of -x."""
    found = torch.complex(x, -x).conj().imag
    assert found.is_neg() and torch.equal(found, x)
    return found


READERS = {
    "quantize": lambda x: golden_torch.quantize(x, "mx6").dequantize(),
    "stochastic": lambda x: golden_torch.quantize(x, "mx6", -1, "stochastic", 1).dequantize(),
    "apply_policy": lambda x: golden_torch.apply_policy(x, golden.Policy(0.3)).dequantize(),
    "fake_quantize": lambda x: golden_torch.fake_quantize(x, "mx6"),
    "fake_quantize_policy": lambda x: golden_torch.fake_quantize_policy(x, golden.Policy(0.3)),
    "activation": lambda x: golden_torch.MXScheme("mx6", "mx6").activation(x),
    "exact": lambda x: golden_torch.MXScheme("mx6", "mx6").exact(x, x),
    "layer": lambda x: layer()(x),
    "shared": lambda x: layer(golden_torch.SharedInput())(x),
    "weight": lambda x: layer(weight=x)(torch.ones(2, 48)),
}


def layer(shared=None, weight=None):
    torch.manual_seed(0)
    linear = torch.nn.Linear(48, 8)
    if weight is not None:
        linear.weight = torch.nn.Parameter(weight[:8])
    return golden_torch.QuantizedLinear(linear, golden_torch.MXScheme("mx6", "mx6"), shared=shared)


@pytest.mark.parametrize("reader", READERS.values(), ids=list(READERS))
def test_signs_that_are_put_off_are_signs(reader):
    x = torch.randn(20, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(reader(put_off(x)), reader(x))


LAYOUTS = {
    "sparse": (lambda x: x.to_sparse(), r"torch\.sparse_coo; give x\.to_dense\(\)"),
    "rows": (lambda x: x.to_sparse_csr(), r"torch\.sparse_csr; give x\.to_dense\(\)"),
    "mkldnn": (lambda x: x.to_mkldnn(), r"torch\._mkldnn; give x\.to_dense\(\)"),
    "nested": (lambda x: torch.nested.nested_tensor([x, x]), "not a nested one"),
    "complex": (lambda x: torch.complex(x, x).conj(), r"numbers, not torch\.complex64"),
    "wide complex": (lambda x: torch.complex(x, x).to(torch.complex128), r"not torch\.complex128"),
    "integers": (lambda x: x.int(), r"not torch\.int32"),
    "quantized": (lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8), "qint8"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in READERS if name != "weight"])
@pytest.mark.parametrize("change, message", LAYOUTS.values(), ids=list(LAYOUTS))
def test_other_layouts_and_numbers_get_a_sentence(name, change, message):
    with pytest.raises(TypeError, match=message):
        READERS[name](change(torch.ones(20, 48)))
