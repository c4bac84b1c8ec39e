"""Nothing that is set for a whole process changes a bit: flushing, NumPy's error modes, threads."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import golden
from golden import vector
from golden.floats import add, narrow, widen
from golden.formats import BF16, FP16, MX4, MX6, MX9, MXFormat
from golden.policy import Policy
from golden.tests.helpers import CODES, assert_same_bits, random_blocks

torch = pytest.importorskip("torch")

import golden.torch as gt  # noqa: E402
from golden.torch import vector as twins  # noqa: E402

FORMATS = (MX9, MX6, MX4)

VECTOR_FUNCTIONS = ("to_lane", "exp2", "gelu", "silu", "reciprocal", "reciprocal_root",
                    "row_maximum")  # fmt: skip


def subnormal(bits: np.ndarray) -> np.ndarray:
    return np.where(np.arange(bits.size).reshape(bits.shape) % 3 == 0, bits & 0x807FFFFF, bits)


def hard_blocks() -> np.ndarray:
    """Blocks of every kind, many at FP32's lower end and with subnormals, some not finite."""
    rng = np.random.default_rng(0)
    x = random_blocks(rng, 600)
    low = subnormal(rng.integers(0, 1 << 32, (600, 16), dtype=np.uint32) & 0x83FFFFFF)
    every = (np.arange(256, dtype=np.uint32)[:, None] << 23) - (
        np.minimum(np.arange(16, dtype=np.uint32), np.arange(256)[:, None]).astype(np.uint32) << 23
    )
    x = np.concatenate([x, low.view(np.float32), (every | 0x2AAAAA).view(np.float32)])
    x[::97, 5], x[::101, 15] = -np.inf, np.nan
    return x


def low_codes(fmt: MXFormat) -> golden.MXTensor:
    """Codes whose values are subnormals, as quantization does not make them but a file may hold."""
    rng = np.random.default_rng(1)
    q = golden.quantize(rng.standard_normal((300, 16)).astype(np.float32), fmt)
    return replace(q, exponent=rng.integers(0, 12, q.exponent.shape).astype(np.uint8))


def in_torch(tensor: golden.MXTensor) -> gt.TorchMXTensor:
    codes = [torch.from_numpy(getattr(tensor, name)) for name in CODES]
    return gt.TorchMXTensor(tensor.format, tensor.shape, tensor.axis, *codes)


X = hard_blocks()
TINY = np.array([[0x11170] * 3, [0x222E1] * 3], np.uint32).view(np.float32)
HALF = np.arange(1 << 16, dtype=np.uint16).reshape(-1, 16)


def bits_of(x: object) -> np.ndarray:
    array = x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
    return array.view({2: np.uint16, 4: np.uint32, 8: np.uint64}.get(array.itemsize, np.uint8))


def codes_of(tensor: object) -> list[np.ndarray]:
    return [bits_of(getattr(tensor, name)) for name in CODES]


def low_product(**options: object) -> list[np.ndarray]:
    """A product whose results lie around FP32's smallest normal number."""
    a = golden.quantize(np.ldexp(X[:600:4, :], -60).astype(np.float32), MX9)
    exponents = np.linspace(60, 70, 16 * 30).reshape(16, 30)
    b = golden.quantize(np.exp2(-exponents).astype(np.float32), MX6, axis=0)
    bias = np.full(30, 1e-38, np.float32)
    return [golden.gemm(a, b, **options), golden.gemm(a, b, bias=bias, **options)]


def everything() -> dict[str, list[np.ndarray]]:
    """Compute the bits of all that golden and golden.torch compute."""
    found: dict[str, list[np.ndarray]] = {}
    given = torch.from_numpy(X.copy())
    for fmt in FORMATS:
        q, t = golden.quantize(X, fmt), gt.quantize(given, fmt)
        found[f"{fmt.name} codes"] = codes_of(q)
        found[f"{fmt.name} torch codes"] = codes_of(t)
        found[f"{fmt.name} values"] = [q.dequantize(), t.dequantize()]
        low = low_codes(fmt)
        found[f"{fmt.name} low"] = [low.dequantize(), in_torch(low).dequantize()]
        found[f"{fmt.name} fake"] = [gt.fake_quantize(given, fmt)]
        found[f"{fmt.name} stochastic"] = codes_of(
            golden.quantize(X, fmt, rounding="stochastic", seed=1)
        ) + codes_of(gt.quantize(given, fmt, rounding="stochastic", seed=1))
        found[f"{fmt.name} halves"] = codes_of(
            golden.quantize(HALF, fmt, float_format=FP16)
        ) + codes_of(gt.quantize(torch.from_numpy(HALF.view(np.float16)), fmt))
        found[f"{fmt.name} brain"] = codes_of(
            golden.quantize(HALF, fmt, float_format=BF16)
        ) + codes_of(gt.quantize(torch.from_numpy(HALF.view(np.int16)).view(torch.bfloat16), fmt))
    for name, policy in {
        "share": Policy(0.3, granularity="block"),
        "threshold": Policy(selection="threshold", threshold=1e-40, granularity="block"),
    }.items():
        found[f"{name} codes"] = codes_of(golden.apply_policy(X, policy))
        found[f"{name} torch"] = codes_of(gt.apply_policy(given, policy))
        found[f"{name} values"] = [golden.apply_policy(X, policy).dequantize()]
        found[f"{name} fake"] = [gt.fake_quantize_policy(given, policy)]
    finite = np.where(np.isfinite(X), X, np.float32(0))[600:1200]
    tiny = Policy(0.97, granularity="block")
    found["calibration"] = [np.float64(golden.calibrate_threshold([finite], tiny))]
    found["widened"] = [widen(HALF, FP16), widen(HALF, BF16)]
    found["narrowed"] = [narrow(X, FP16), narrow(X, BF16)]
    found["sums"] = [add(X, X[::-1]), add(X, -np.roll(X, 1, axis=1))]
    found["product"] = [
        each for out in ("fp32", "fp16", "bf16") for each in low_product(output=out)
    ]
    for name, unit, rows in (("vector", vector, X), ("vector in torch", twins, given)):
        found[name] = [getattr(unit, each)(rows) for each in VECTOR_FUNCTIONS]
        found[name] += [unit.multiply(rows, rows), unit.layer_norm(rows, 1e-6).result]
        found[name] += [unit.pipe(rows, bias=rows, residual=rows, function="silu").result]
        found[name] += [unit.linear_combination([(1e-38, rows), (0.5, rows)], rows)]
        for shifted in (False, True):
            s = unit.softmax(rows, "MX9", subtract_maximum=shifted)
            found[name] += [*codes_of(s.p), s.sums, s.row_factor]
    found["metrics"] = [
        np.float64(golden.qsnr(finite, golden.quantize(finite, MX4).dequantize())),
        np.float64(golden.qsnr(*TINY)),
        np.float64(golden.mse(*TINY)),
        np.int64(golden.max_ulp(finite, np.roll(finite, 1))),
    ]
    return {name: [bits_of(each) for each in arrays] for name, arrays in found.items()}


@pytest.fixture(scope="module")
def expected():
    return everything()


def assert_same(actual, expected):
    for name, arrays in expected.items():
        for i, (left, right) in enumerate(zip(actual[name], arrays, strict=True)):
            assert np.array_equal(left, right), f"{name} {i}: {np.count_nonzero(left != right)}"


def flushing(call: Callable[[], object]) -> object:
    """Call with subnormals flushed to zero, in this thread's processor state."""
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor flushes no subnormals")
    try:
        pattern = np.array([0x400000], np.uint32).view(np.float32)
        assert (pattern * np.float32(1)).view(np.uint32)[0] == 0, "nothing is flushed"
        return call()
    finally:
        torch.set_flush_denormal(False)


def test_flushing_subnormals_changes_nothing(expected):
    assert_same(flushing(everything), expected)


def test_some_values_are_subnormals(expected):
    """Without them the test above would say nothing."""
    for name in ("MX9 low", "MX6 low", "MX4 low", "narrowed"):
        for bits in expected[name]:
            few, field = (0x7FFFFFFF, 23) if bits.itemsize == 4 else (0x7FFF, 10)
            magnitude = bits & few
            assert np.any((magnitude > 0) & (magnitude < 1 << field)), name


@pytest.mark.parametrize("fmt", FORMATS)
def test_low_codes_have_their_exact_values(fmt):
    q = low_codes(fmt)
    power = q.exponent[..., None].astype(int) - 127 - q.microexponent - (fmt.mantissa_bits - 1)
    exact = np.ldexp(q.mantissa.astype(np.float64), np.repeat(power, 2, axis=-1))
    exact = np.where(q.sign == 1, -exact, exact).reshape(q.shape)
    assert_same_bits(q.dequantize(), exact.astype(np.float32))
    assert_same_bits(in_torch(q).dequantize().numpy(), exact.astype(np.float32))


def test_fp32_sums_are_refused_where_subnormals_are_flushed():
    def product() -> None:
        with pytest.raises(RuntimeError, match="flushes subnormal numbers to zero"):
            low_product(accumulate="fp32")

    flushing(product)
    assert low_product(accumulate="fp32")[0].shape == (150, 30)


@pytest.mark.parametrize("mode", ["raise", "ignore"])
@pytest.mark.filterwarnings("error")
def test_numpys_error_modes_change_nothing(mode, expected):
    before = np.geterr()
    with np.errstate(all=mode):
        assert_same(everything(), expected)
        low_product(accumulate="fp32")
    assert np.geterr() == before


@pytest.mark.filterwarnings("error")
def test_no_result_comes_with_a_warning(expected):
    assert_same(everything(), expected)


def test_the_number_of_threads_changes_nothing(expected):
    threads = torch.get_num_threads()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            assert_same(everything(), expected)
    finally:
        torch.set_num_threads(threads)
