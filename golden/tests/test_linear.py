"""Quantized linear layers: exact bits, shared inputs, dtypes."""

import copy
import gc
import math
import pickle
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import golden
from golden.floats import narrow
from golden.formats import BF16, FP16, FP32, MX6
from golden.policy import Policy
from golden.tests.helpers import activations, assert_same_bits, matrix

torch = pytest.importorskip("torch")
golden_torch = pytest.importorskip("golden.torch")
QuantizedLinear, MXScheme = golden_torch.QuantizedLinear, golden_torch.MXScheme

K, N = 200, 24
ORDER = np.random.default_rng(0).permutation(K)
OUTLIERS = np.arange(13) % 4 == 0
ORDERED = Policy(0.2, tile_rows=8, order="calibrated", permutation=ORDER)
CORRECTION = torch.linspace(-1, 1, N)
FLOATS = {torch.float32: FP32, torch.float16: FP16, torch.bfloat16: BF16}


def timed():
    ranges = [(100, "MX9"), (math.inf, "MX6")]
    return golden_torch.TimestepScheme(
        golden_torch.Clock(50.0), [(limit, MXScheme(a, "MX6")) for limit, a in ranges]
    )


SCHEMES = {
    "format": lambda: MXScheme("MX6", "MX9"),
    "order": lambda: MXScheme(ORDERED, "MX6"),
    "outliers": lambda: MXScheme(ORDERED, ORDERED, outliers=OUTLIERS),
    "correction": lambda: MXScheme("MX9", "MX6", correction=CORRECTION),
    "timestep": timed,
}
EVERY_SCHEME = pytest.mark.parametrize("make", SCHEMES.values(), ids=list(SCHEMES))


def plain_layer(bias=True, dtype=torch.float32):
    torch.manual_seed(0)
    return torch.nn.Linear(K, N, bias=bias, dtype=dtype)


def inputs(dtype=torch.float32):
    x = torch.from_numpy(activations(3, 40, K).reshape(2, 20, K)) / 4
    return x.to(dtype)


@EVERY_SCHEME
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_exact_bits_are_those_of_gemm_bias_and_rounding(make, bias, dtype):
    linear, x, scheme = plain_layer(bias, dtype), inputs(dtype), make()
    x[1, 3, 4] = torch.inf
    layer = QuantizedLinear(linear, scheme)
    layer.mode = "exact"
    actual = layer(x)
    assert actual.dtype == dtype and actual.shape == (2, 20, N)

    present = getattr(scheme, "current", scheme)
    order = np.arange(K) if present.order is None else ORDER
    wide = x.float().numpy()[..., order]
    if isinstance(present.a, Policy):
        rows = golden.apply_policy(wide, Policy(0.2, tile_rows=8))
    else:
        rows = golden.quantize(wide, present.a)
    weight = linear.weight.detach().float().numpy().T
    if present.outliers is not None:
        columns = golden.quantize_weight(weight, OUTLIERS, ORDERED)
    else:
        columns = golden.quantize(weight[order], present.b, axis=0)
    offset = linear.bias.detach().float().numpy() if bias else None
    if present.correction is not None:
        offset = CORRECTION.numpy() if offset is None else offset + CORRECTION.numpy()
    images = range(len(x))
    expected = np.stack([golden.gemm(matrix(rows, i), columns, bias=offset) for i in images])
    patterns = actual.view(torch.int32 if dtype == torch.float32 else torch.int16).numpy()
    assert_same_bits(
        patterns.view(np.uint32 if dtype == torch.float32 else np.uint16),
        narrow(expected, FLOATS[dtype]),
    )
    assert np.isnan(expected[1, 3]).all() and np.isfinite(expected[0]).all()


@EVERY_SCHEME
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_fake_mode_is_within_the_bound_of_exact_mode(make, bias):
    layer, x = QuantizedLinear(plain_layer(bias), make()), inputs()
    fake = layer(x)
    layer.mode = "exact"
    exact = layer(x)
    correction = layer.scheme.correction
    offset = layer.bias if correction is None or not bias else layer.bias + correction
    offset = correction if offset is None else offset
    bound = golden_torch.fake_bound(layer.scheme.activation(x), layer.weight, offset)
    assert ((fake - exact).double().abs() <= bound).all()
    assert not torch.equal(exact, plain_layer(bias)(x))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_fake_mode_rounds_once_to_the_dtype_of_the_input(dtype):
    layer, x = QuantizedLinear(plain_layer(dtype=dtype), SCHEMES["outliers"]()), inputs(dtype)
    products = layer.scheme.activation(x) @ layer.weight.mT
    assert layer.weight.dtype == layer.bias.dtype == torch.float32
    actual = layer(x)
    assert actual.dtype == dtype
    bound = golden_torch.fake_bound(layer.scheme.activation(x), layer.weight, layer.bias)
    rounding = torch.finfo(dtype).eps * actual.double().abs() + torch.finfo(dtype).tiny
    difference = (actual.double() - (products + layer.bias).double()).abs()
    assert (difference <= 2 * bound + rounding * (dtype != torch.float32)).all()


def test_a_cast_or_autocast_leaves_the_values_alone():
    layer, x = QuantizedLinear(plain_layer(), SCHEMES["outliers"]()), inputs()
    before, weight = layer(x), layer.weight.clone()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x.clone()), before)
    layer.half()
    assert layer.weight.dtype == torch.float32 and torch.equal(layer.weight, weight)
    assert torch.equal(layer(x.clone()), before)


class Counting:
    """An MX scheme that counts how often A is quantized."""

    def __init__(self, scheme):
        self.scheme, self.calls = scheme, 0

    def __getattr__(self, name):
        return getattr(self.scheme, name)

    def activation(self, a):
        self.calls += 1
        return self.scheme.activation(a)


def trio(*precisions):
    shared = golden_torch.SharedInput()
    schemes = [Counting(MXScheme(a, MX6)) for a in precisions]
    return [QuantizedLinear(plain_layer(), each, shared=shared) for each in schemes]


def calls(layers):
    return [layer.scheme.calls for layer in layers]


@pytest.mark.parametrize("inference", [False, True])
def test_layers_that_read_one_input_quantize_it_once(inference):
    layers = trio(ORDERED, ORDERED, ORDERED)
    with torch.inference_mode(inference):
        for x in (inputs(), inputs() + 1):
            outputs = [layer(x) for layer in layers]
            alone = QuantizedLinear(plain_layer(), MXScheme(ORDERED, MX6))(x)
            assert all(torch.equal(each, alone) for each in outputs)
    assert calls(layers) == [2, 0, 0]
    bits = [layer.scheme.meter.activation_bits for layer in layers]
    assert bits[0] > 6 and bits == [bits[0]] * 3
    assert [layer.scheme.meter.activations.elements for layer in layers] == [2 * 40 * K] * 3


def test_another_precision_or_order_is_quantized_anew():
    layers, x = trio("MX9", "MX6", ORDERED), inputs()
    outputs = [layer(x) for layer in layers]
    assert calls(layers) == [1, 1, 1]
    assert not torch.equal(outputs[0], outputs[1])


@pytest.mark.parametrize("inference", [False, True])
def test_an_input_that_was_written_to_is_quantized_anew(inference):
    layers = trio("MX6", "MX6")
    with torch.inference_mode(inference):
        x = inputs()
        first = layers[0](x)
        x.mul_(2)
        assert not torch.equal(layers[0](x), first)
    assert calls(layers)[0] == 2


def test_a_write_between_two_readers_is_seen():
    layers, x = trio("MX6", "MX6"), inputs()
    layers[0](x)
    x.mul_(2)
    expected = QuantizedLinear(plain_layer(), MXScheme("MX6", MX6))(x.clone())
    assert torch.equal(layers[1](x), expected)
    assert calls(layers) == [1, 1]


@pytest.mark.parametrize("write", [
    lambda x: x.add_(1), lambda x: x.data.add_(1), lambda x: np.add(x.numpy(), 1, out=x.numpy()),
], ids=["in place", "data", "numpy"])  # fmt: skip
@pytest.mark.parametrize("inference", [False, True])
def test_every_kind_of_write_between_two_readers_is_seen(write, inference):
    layers = trio("MX9", "MX9")
    with torch.inference_mode(inference), torch.no_grad():
        x = inputs()
        layers[0](x)
        write(x)
        assert torch.equal(layers[1](x), layers[1](x.clone()))


def test_threads_do_not_share_their_inputs():
    layers = trio("MX6", "MX6", "MX6")
    given = [inputs() * (1 + i) for i in range(4)]
    with torch.no_grad():
        right = [[layer(x) for layer in layers] for x in given]
    wrong = []

    def work(i):
        with torch.no_grad():
            for _ in range(60):
                x = given[i].clone()
                outputs = [layer(x) for layer in layers]
                wrong.extend(not torch.equal(*pair) for pair in zip(outputs, right[i], strict=True))

    for layer in layers:
        layer.scheme.meter.reset()
    interval, threads = sys.getswitchinterval(), torch.get_num_threads()
    torch.set_num_threads(1)
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
    finally:
        sys.setswitchinterval(interval)
        torch.set_num_threads(threads)
    assert len(wrong) == 4 * 60 * 3 and not any(wrong)
    for layer in layers:
        assert layer.scheme.meter.activations.elements == 4 * 60 * 40 * K
        assert layer.scheme.meter.weights.elements == 4 * 60 * K * N


def test_each_thread_has_its_own_time():
    scheme, x = timed(), inputs()
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(ValueError, match="no range has the timestep nan"):
            pool.submit(scheme.activation, x).result()
        pool.submit(setattr, scheme.clock, "timestep", 500.0).result()
        late = pool.submit(scheme.activation, x).result()
    assert scheme.clock.timestep == 50
    assert torch.equal(late, scheme.ranges[1][1].activation(x))
    assert torch.equal(scheme.activation(x), scheme.ranges[0][1].activation(x))
    assert not torch.equal(late, scheme.activation(x))


def test_gradients_after_a_pass_in_inference_mode():
    layer, x = QuantizedLinear(plain_layer(), MXScheme(ORDERED, MX6)), inputs()
    with torch.inference_mode():
        layer(x)
    x.requires_grad_()
    layer(x).sum().backward()
    assert x.grad is not None


def test_values_do_not_outlive_their_input():
    (layer,) = trio("MX6")
    x = inputs()
    layer(x)
    values = weakref.ref(layer.shared._threads.last.values)
    assert values() is not None
    del x
    assert values() is None


def test_gradients_reach_the_input_through_shared_values():
    layers, x = trio("MX6", "MX6"), inputs().requires_grad_()
    sum(layer(x).sum() for layer in layers).backward()
    assert calls(layers) == [1, 0]
    expected, values = x.detach().clone().requires_grad_(), layers[0].scheme.scheme.activation
    sum((values(expected) @ layer.weight.mT + layer.bias).sum() for layer in layers).backward()
    assert torch.allclose(x.grad, expected.grad, rtol=1e-6, atol=0)  # FP32 sums in another order


def test_meters_count_the_weight_of_every_pass():
    layer = QuantizedLinear(plain_layer(), SCHEMES["outliers"]())
    for _ in range(2):
        layer(inputs())
    assert layer.scheme.meter.weights.elements == 3 * K * N  # once when it was made
    assert layer.scheme.meter.weight_bits == pytest.approx(6 + 3 * OUTLIERS.mean(), abs=1e-12)


def test_layers_can_be_copied_and_pickled():
    shared = golden_torch.SharedInput()
    layer, x = QuantizedLinear(plain_layer(), MXScheme(ORDERED, MX6), shared=shared), inputs()
    expected = layer(x)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(x), expected)
        assert twin.shared is not layer.shared


class Floating:
    """A scheme that no machine computes and that quantizes nothing."""

    activation_key = correction = None

    def __init__(self):
        self.meter = golden_torch.Meter()

    def activation(self, a):
        return a.float()

    def weight(self, b):
        return b.float()

    def exact(self, a, b):
        raise TypeError("no machine computes this")


def test_a_scheme_without_codes_has_no_exact_mode():
    layer, x = QuantizedLinear(plain_layer(), Floating()), inputs()
    assert torch.equal(layer(x), plain_layer()(x))
    layer.mode = "exact"
    with pytest.raises(TypeError, match="Floating needs the original weight"):
        layer(x)
    layer = QuantizedLinear(plain_layer(), Floating(), keep=True)
    layer.mode = "exact"
    with pytest.raises(TypeError, match="no machine computes this"):
        layer(x)


@pytest.mark.parametrize("shape", [(K,), (1, K), (0, K), (3, 0, K)])
def test_any_number_of_rows(shape):
    layer = QuantizedLinear(plain_layer(), MXScheme(Policy(0.5), MX6))
    result = layer(torch.ones(shape))
    assert result.shape == (*shape[:-1], N) and bool(result.isfinite().all())
    assert not math.isnan(layer.scheme.meter.weight_bits)


@pytest.mark.parametrize("mode", ["fake", "exact"])
@pytest.mark.parametrize("given, kind, message", [
    (np.ones(K, np.float32), TypeError, "multiplies torch tensors, not ndarray"),
    (torch.ones(K - 1), ValueError, rf"a layer of {K} inputs cannot multiply .* \({K - 1},\)"),
    (torch.tensor(1.0), ValueError, r"cannot multiply a tensor of shape \(\)"),
])  # fmt: skip
def test_other_inputs_are_refused(given, kind, message, mode):
    layer = QuantizedLinear(plain_layer(), MXScheme("MX6", "MX6"))
    layer.mode = mode
    with pytest.raises(kind, match=message):
        layer(given)


def test_another_mode_is_refused():
    layer = QuantizedLinear(plain_layer(), MXScheme("MX6", "MX6"))
    layer.mode = "EXACT"
    with pytest.raises(ValueError, match="mode must be one of fake, exact, not 'EXACT'"):
        layer(inputs())


def test_the_graph_of_an_input_does_not_outlive_it():
    first, (layer,) = torch.nn.Linear(K, K), trio("MX6")
    weight = weakref.ref(first.weight)
    x = first(inputs())
    y = layer(x)
    del x, y, first
    gc.collect()
    assert weight() is None
