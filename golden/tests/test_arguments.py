"""Numbers and arrays of any library mean the same, or are refused with a sentence."""

import copy
import pickle
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import golden
from golden.arguments import real, whole
from golden.floats import float_format_of, magnitude_value, nearest_magnitude
from golden.formats import BF16, FP16, FP32, MX6, MX9, FloatFormat, MXFormat
from golden.packing import weight_stream
from golden.policy import Policy
from golden.tests.helpers import assert_same_bits, assert_same_codes

X = np.random.default_rng(0).standard_normal((6, 40)).astype(np.float32)
ORDER = np.random.default_rng(1).permutation(40)


def scalars(value, kinds):
    """Return a number in every type that has it, those of torch included where that is there."""
    found = [kind(value) for kind in kinds]
    try:
        import torch
    except ImportError:
        return found
    is_float = isinstance(value, float)
    kinds = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    kinds = kinds if is_float else (torch.uint8, torch.int64)
    return [*found, *(torch.tensor(value, dtype=kind) for kind in kinds)]


FLOATS = (float, np.float16, np.float32, np.float64, np.longdouble, np.array)
WHOLE = (int, np.int8, np.uint64, np.intp, np.array)


@pytest.mark.parametrize("value", [0.7, 0.1, 0.29, 0.05, 1.0, 0.0])
def test_a_share_is_the_decimal_that_it_prints_as_in_its_own_type(value):
    for given in [*scalars(value, FLOATS), Decimal(str(value)), Fraction(str(value))]:
        policy = Policy(given)
        assert policy.count(1000) == round(1000 * value), repr(given)
        assert type(policy.fraction) in (float, Fraction)
        assert Policy(policy.fraction).count(1000) == policy.count(1000)
    assert Policy(np.float32(0.7)).count(10) == 7


def test_shares_of_integers_become_floats():
    for given in (0, 1, np.int64(1), np.uint8(0)):
        assert type(Policy(given).fraction) is float and Policy(given).fraction == int(given)
    assert str(Policy(-0.0).fraction) == "0.0"
    assert Policy(Fraction(1, 3)).count(3) == 1
    assert Policy(Decimal("0.333333333333333333333")).count(10**21) == 333333333333333333333


@pytest.mark.parametrize("value", [3, 8, 1])
def test_whole_numbers_of_any_type_are_ints(value):
    for given in scalars(value, WHOLE):
        assert type(Policy(tile_rows=given).tile_rows) is int
        expected = golden.apply_policy(X, Policy(0.3, tile_rows=value))
        assert_same_codes(golden.apply_policy(X, Policy(0.3, tile_rows=given)), expected)
        q = golden.quantize(X, MX6, axis=given - value)
        assert q.axis == 0 and type(q.axis) is int
        a, b = (
            golden.quantize(X, MX6, rounding="stochastic", seed=seed) for seed in (given, value)
        )
        assert_same_codes(a, b)


@pytest.mark.parametrize("given", [2.5, 2.0, None, True, np.True_, np.float32(1), "1", [1], 1j])
def test_what_is_no_whole_number_is_refused(given):
    a, b = golden.quantize(X, MX6), golden.quantize(X.T, MX6, axis=0)
    calls = {
        "axis": lambda: golden.quantize(X, MX6, axis=given),
        "acc_width": lambda: golden.gemm(a, b, acc_width=given),
        "k_max": lambda: golden.gemm(a, b, k_max=given),
        "cols": lambda: weight_stream(b, given, 16),
    }
    if given is not None:
        calls["tile_rows"] = lambda: Policy(tile_rows=given)
        calls["seed"] = lambda: golden.quantize(X, MX6, rounding="stochastic", seed=given)
    for name, call in calls.items():
        with pytest.raises(TypeError, match=f"{name} must be a whole number, not"):
            call()


@pytest.mark.parametrize("given", ["5%", "0.05", None, True, np.True_, [0.5], np.array([0.5]), 1j])
def test_what_is_no_number_is_refused(given):
    with pytest.raises(TypeError, match="fraction must be a number, not"):
        Policy(given)
    if given is not None:
        with pytest.raises(TypeError, match="threshold must be a number, not"):
            Policy(selection="threshold", threshold=given)


@pytest.mark.parametrize("kind", [float, np.float32, Decimal])
def test_nans_and_numbers_out_of_range_are_refused(kind):
    for value in ("nan", "-0.5", "1.5", "inf"):
        with pytest.raises(ValueError, match="fraction must be from 0 to 1"):
            Policy(kind(value))
    for value in ("nan", "-1", "-inf"):
        with pytest.raises(ValueError, match="threshold must be a magnitude"):
            Policy(selection="threshold", threshold=kind(value))
    with pytest.raises(ValueError, match="at most 1000 digits before and behind"):
        Policy(Decimal("1e-999999999"))
    with pytest.raises(ValueError, match="beyond the numbers of FP32"):
        Policy(selection="threshold", threshold=1e39)


def test_a_threshold_is_what_fp32_compares_with():
    for given in (1.1, np.float32(1.1), Decimal("1.1"), np.float64(1.1)):
        policy = Policy(selection="threshold", threshold=given)
        assert type(policy.threshold) is float and policy.threshold == float(np.float32(1.1))
        assert policy.threshold_pattern == int(np.float32(1.1).view(np.uint32))
    # Just above a tie of FP32, which float64 cannot tell from the tie.
    tie = Fraction(1) + Fraction(1, 2**24)
    above = Policy(selection="threshold", threshold=tie + Fraction(1, 10**30))
    assert above.threshold == 1 + 2**-23
    assert Policy(selection="threshold", threshold=tie).threshold == 1.0
    assert Policy(selection="threshold", threshold=float("inf")).threshold == float("inf")
    assert str(Policy(selection="threshold", threshold=np.float32(-0.0)).threshold) == "0.0"


def test_every_kind_of_fp32_magnitude_is_read_as_itself():
    edges = [0, 1, 2, 0x7FFFFF, 0x800000, 0x800001, 0x3F800000, 0x7F7FFFFF, 0x7F800000]
    random = np.random.default_rng(2).integers(0, 0x7F800000, 200).tolist()
    for pattern in edges + random:
        value = magnitude_value(pattern)
        assert value == float(np.uint32(pattern).view(np.float32))
        assert nearest_magnitude(value) == pattern
    for value in np.random.default_rng(3).random(200) * 2.0 ** np.arange(-150, 50):
        assert nearest_magnitude(float(value)) == int(np.float32(value).view(np.uint32))


def variants(array):
    """The same numbers in arrays of every kind."""
    spaced = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    spaced[..., ::2] = array
    yield "other byte order", array.astype(array.dtype.newbyteorder())
    yield "strided", spaced[..., ::2]
    yield "reversed", np.ascontiguousarray(array[..., ::-1])[..., ::-1]
    frozen = array.copy()
    frozen.flags.writeable = False
    yield "read-only", frozen
    yield "unmasked", np.ma.masked_array(array, mask=False)
    if array.ndim == 2:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            yield "matrix", np.matrix(array)
        yield "Fortran", np.asfortranarray(array)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_arrays_of_every_kind_are_the_same_numbers(dtype):
    x = X.astype(dtype)
    for axis in (0, 1):
        expected = golden.quantize(x, MX9, axis)
        for name, given in variants(x):
            assert_same_codes(golden.quantize(given, MX9, axis), expected)
            assert golden.quantize(given, MX9, axis).shape == x.shape, name
    bits = x.view(np.uint32 if dtype == np.float32 else np.uint16)
    fmt = FP32 if dtype == np.float32 else FP16
    for _, given in variants(bits):
        assert_same_codes(golden.quantize(given, MX9, float_format=fmt), golden.quantize(x, MX9))


def test_broadcast_arrays_are_read():
    x = np.broadcast_to(X[:1], (5, 40))
    assert_same_codes(golden.quantize(x, MX6), golden.quantize(x.copy(), MX6))
    assert_same_codes(golden.quantize(x, MX6, 0), golden.quantize(x.copy(), MX6, 0))


def test_orders_and_tags_of_every_kind_are_copied():
    tags = np.array([True, False, True])
    expected = Policy(
        1, order="calibrated", permutation=ORDER, selection="static", static_tags=tags
    )
    orders = [each for _, each in variants(ORDER)] + [ORDER.tolist(), ORDER.astype(np.uint8)]
    for given in orders:
        policy = Policy(1, order="calibrated", permutation=given)
        assert policy.permutation.dtype == np.intp
        assert_same_bits(policy.permutation, expected.permutation)
    for given in (tags, tags.tolist(), tags.astype(int), tags.astype(">i4"), [1, 0, 1]):
        assert Policy(selection="static", static_tags=given).static_tags.tolist() == tags.tolist()
    mine = ORDER.copy()
    policy = Policy(1, order="calibrated", permutation=mine, selection="static", static_tags=tags)
    mine[:2], tags[:] = mine[1::-1].copy(), False
    assert_same_codes(golden.apply_policy(X, policy), golden.apply_policy(X, expected))
    for kept in (policy.permutation, policy.static_tags):
        with pytest.raises(ValueError, match="read-only"):
            kept[0] = 1


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, "must hold integers, not float64", lambda: Policy(permutation=[0.0, 1.0])),
        (TypeError, "must hold integers, not bool", lambda: Policy(permutation=[False, True])),
        (TypeError, "must hold integers, not object", lambda: Policy(permutation=[None])),
        (ValueError, "channel number once", lambda: Policy(permutation=[2**40, 0])),
        (ValueError, "must hold numbers from", lambda: Policy(permutation=[2**63])),
        (TypeError, "must hold integers", lambda: golden.destinations([0.9, 0.0])),
        (TypeError, "must hold integers, not float64", lambda: Policy(static_tags=[0.0, 1.0])),
        (TypeError, "must hold integers, not str", lambda: Policy(static_tags=["False"])),
        (ValueError, "bools, or 0 and 1", lambda: Policy(static_tags=[0, 2])),
        (ValueError, "masked entries",
         lambda: Policy(permutation=np.ma.masked_array([0, 1], [True, False]))),
        (ValueError, "masked entries",
         lambda: golden.quantize(np.ma.masked_array(X, X > 1), MX6)),
        (TypeError, "not object", lambda: golden.quantize(X.astype(object), MX6)),
        (TypeError, "not complex64", lambda: golden.quantize(X.astype(np.complex64), MX6)),
        (ValueError, "is no array", lambda: golden.quantize([[1.0], [1.0, 2.0]], MX6)),
        (TypeError, "must be a golden.Policy, not a str", lambda: golden.apply_policy(X, "mx6")),
        (ValueError, "weights must be two formats", lambda: Policy(weights=None)),
        (ValueError, "granularity must be", lambda: golden.save("x", {}, "row")),
        (ValueError, "rounding must be one of half_even, truncate, not 'stochastic'",
         lambda: golden.apply_policy(X, Policy(), "stochastic")),
        (TypeError, "must be a list of arrays", lambda: golden.channel_order(X)),
        (TypeError, "must hold integers, not float32",
         lambda: golden.channel_order_from_maxima(X[0])),
        (ValueError, "without a sign",
         lambda: golden.channel_order_from_maxima(np.array([0x80000000], np.uint32))),
        (TypeError, "real numbers, not complex128", lambda: golden.qsnr([1j], [1.0])),
    ],
)  # fmt: skip
def test_arrays_that_mean_nothing_get_a_sentence(error, message, call):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("name", ["mx6", "MX6", "Mx6", np.str_("mX6")])
def test_formats_have_names_in_any_case(name):
    assert golden.quantize(X, name).format is MX6
    assert Policy(weights=(name, "mx9")).weights == (MX6, MX9)
    a, b = golden.quantize(X, name), golden.quantize(X.T, name, axis=0)
    assert_same_bits(golden.gemm(a, b, output="BF16"), golden.gemm(a, b, output=golden.BF16))


def test_formats_that_are_copies_are_the_same_formats():
    bits = np.arange(16, dtype=np.uint16) << 7
    for again in (pickle.loads(pickle.dumps(BF16)), copy.deepcopy(BF16), "bf16", "BF16"):
        assert float_format_of(again) is BF16
        assert_same_codes(
            golden.quantize(bits, copy.deepcopy(MX6), float_format=again),
            golden.quantize(bits, MX6, float_format=BF16),
        )
    with pytest.raises(ValueError, match="float_format must be one of fp32, fp16, bf16"):
        golden.quantize(bits, MX6, float_format=FloatFormat("fp16", 4, 11))
    with pytest.raises(ValueError, match="no MX format"):
        golden.quantize(X, MXFormat("MX8", 6))


def test_numbers_are_named_in_sentences():
    with pytest.raises(TypeError, match=r"rows must be a whole number, not 2\.5 of type float"):
        whole(2.5, "rows")
    with pytest.raises(ValueError, match="rows must be at least 1, not 0"):
        whole(0, "rows", least=1)
    with pytest.raises(TypeError, match="share must be a number, not '5%' of type str"):
        real("5%", "share")


def test_a_tensor_prints_in_one_line():
    assert repr(golden.quantize(X, MX6)) == "MXTensor(MX6, shape=(6, 40), axis=1)"
    assert repr(golden.apply_policy(X, Policy())) == "MXTensor(mixed, shape=(6, 40), axis=1)"


def test_a_threshold_of_a_narrow_type_is_the_number_that_was_measured():
    for given in (np.float16(65504), np.float16(0.3008), np.float32(1.1)):
        policy = Policy(selection="threshold", threshold=given)
        assert policy.threshold == float(np.float32(given))
    assert Policy(np.float16(0.3)).count(10) == 3  # a share is the decimal that it prints as


def test_masks_are_seen_inside_of_lists_too():
    masked = np.ma.array(np.float32([1, 2]), mask=[True, False])
    plain = np.ma.array(np.float32([1, 2]), mask=[False, False])
    for given in ([masked], [[plain], [masked]], (plain, masked)):
        with pytest.raises(ValueError, match="has masked entries"):
            golden.quantize(given, "MX6")
    assert golden.quantize([plain], "MX6").shape == (1, 2)


def test_spans_of_time_are_no_integers():
    with pytest.raises(TypeError, match="must hold integers, not timedelta64"):
        golden.arguments.integers(np.array([1, 2], "m8[s]"), "order")


@pytest.mark.parametrize("x, way", [
    (np.ones(16), r"x\.astype\(numpy\.float32\)"),
    ([0.5] * 16, r"numpy\.asarray\(x, numpy\.float32\)"),
    ((1, 2), r"numpy\.asarray\(x, numpy\.float32\)"),
    (range(16), r"numpy\.asarray\(x, numpy\.float32\)"),
])  # fmt: skip
def test_the_advice_fits_what_was_given(x, way):
    with pytest.raises(TypeError, match=f"convert them first, for example with {way}$"):
        golden.quantize(x, "MX6")


WAYS = {
    "float64": (lambda torch, x: x.double(), r"for example with x\.float\(\)$"),
    "signs": (
        lambda torch, x: torch.complex(x, x).conj().imag,
        r"whose signs are put off.*give x\.detach\(\)\.resolve_neg\(\)\.float\(\)\.cpu\(\)$",
    ),
    "sparse": (
        lambda torch, x: x.to_sparse(),
        r"laid out as sparse_coo.*give x\.detach\(\)\.to_dense\(\)\.float\(\)\.cpu\(\)$",
    ),
    "nested": (
        lambda torch, x: torch.nested.nested_tensor([x[0], x[1, :9]]),
        r"nested.*give x\.detach\(\)\.to_padded_tensor\(0\.0\)\.float\(\)\.cpu\(\)$",
    ),
    "quantized": (
        lambda torch, x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
        r"qint8.*give x\.detach\(\)\.dequantize\(\)\.float\(\)\.cpu\(\)$",
    ),
    "gradient": (
        lambda torch, x: x.requires_grad_(),
        r"which requires a gradient.*give x\.detach\(\)\.float\(\)\.cpu\(\)$",
    ),
}


@pytest.mark.parametrize("change, message", WAYS.values(), ids=list(WAYS))
def test_the_advice_for_tensors_of_torch_leads_on(change, message):
    torch = pytest.importorskip("torch")
    x = change(torch, torch.ones(2, 16))
    with pytest.raises(TypeError, match=message) as caught:
        golden.quantize(x, "MX6")
    advice = str(caught.value).rpartition("x.")[2]
    assert golden.quantize(eval(f"x.{advice}"), "MX6").shape == (2, 16)


def test_what_has_no_values_or_two_each_is_told_so():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="on meta, without values: load or compute them first"):
        golden.quantize(torch.ones(2, 16, device="meta"), "MX6")
    for x in (np.ones(16, np.complex64), torch.ones(16, dtype=torch.complex64)):
        with pytest.raises(TypeError, match="give the real and the imaginary parts by themselves"):
            golden.quantize(x, "MX6")
        golden.quantize(x.real, "MX6")
