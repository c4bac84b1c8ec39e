"""A quantized layer's weight and its codes say the same, or the layer says that they do not."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from golden.formats import MX4, MX6
from golden.policy import Policy
from golden.tests.helpers import CODES, assert_same_codes

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from golden.torch import (  # noqa: E402
    Meter,
    MXScheme,
    QuantizedLinear,
    quantize_,
    restore_,
    save_quantized,
    set_mode,
    uniform,
)

K, N = 40, 8


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.LayerNorm(K), nn.Linear(K, N), nn.LayerNorm(N))
    nn.init.normal_(model[0].weight)
    return model


@pytest.fixture(params=[False, True], ids=["keep=False", "keep=True"])
def model(request) -> nn.Module:
    made = network()
    quantize_(made, uniform("mx6"), keep=request.param)
    return made


X = torch.randn(4, K, generator=torch.Generator().manual_seed(1))

WRITES = {
    "a merge": lambda w: w.add_(0.1 * torch.randn(N, 4) @ torch.randn(4, K)),
    "through .data": lambda w: w.data.mul_(1.5),
    "through NumPy": lambda w: np.negative(w.numpy()[0, :1], out=w.numpy()[0, :1]),
    "the last bit": lambda w: w.view(torch.int32)[3, 7].bitwise_xor_(1),
    "all signs": lambda w: w.neg_(),
    "signs of odd columns": lambda w: w[:, 1::2].neg_(),
    "two rows": lambda w: w.copy_(w[[1, 0, *range(2, N)]]),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
@pytest.mark.parametrize("inference", [False, True])
def test_a_write_to_the_weight_is_told(model, write, inference, tmp_path):
    model(X)
    with torch.no_grad(), torch.inference_mode(inference):
        write(model[1].weight)
    uses = {
        "a pass": lambda: model(X),
        "set_mode": lambda: set_mode(model, "exact"),
        "save_quantized": lambda: save_quantized(tmp_path / "file", model),
        "restore_": lambda: restore_(model),
    }
    for use in uses.values():
        with pytest.raises(ValueError, match="was written to"):
            use()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", [torch.ones(N, K), nn.Parameter(torch.ones(N, K))])
def test_another_tensor_in_its_place_is_refused(model, given):
    with pytest.raises((ValueError, KeyError), match=r"frozen|'weight' already exists"):
        model[1].weight = given
    model(X)


def test_its_state_is_not_that_of_a_plain_layer(model):
    with pytest.raises(RuntimeError, match=r'Missing key.*"1\.weight"'):
        network().load_state_dict(model.state_dict())


def of_floats(seed: int) -> dict:
    return network(seed).state_dict()


def of_quantized(seed: int) -> dict:
    other = network(seed)
    quantize_(other, uniform("mx6"))
    return other.state_dict()


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("state", [of_floats, of_quantized])
def test_other_weights_are_not_loaded_and_nothing_else_is_either(model, state, strict):
    before, expected = copy.deepcopy(model.state_dict()), model(X)
    around = nn.ModuleDict({"m": model})
    for target, prefix in ((model, ""), (around, "m.")):
        given = {f"{prefix}{name}": each for name, each in state(1).items()}
        with pytest.raises(
            ValueError, match=r"1\.\w*weight cannot be loaded into a quantized layer"
        ):
            target.load_state_dict(given, strict=strict)
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
    assert torch.equal(model(X), expected)


def test_a_layer_alone_takes_no_other_weight(model):
    with pytest.raises(ValueError, match="weight cannot be loaded into a quantized layer"):
        model[1].load_state_dict(network(1)[1].state_dict())


def test_its_own_state_is_loaded(model):
    expected = model(X)
    model.load_state_dict(copy.deepcopy(model.state_dict()))
    assert torch.equal(model(X), expected)


def test_a_bias_is_not_loaded_beside_the_one_that_was_kept():
    for keep in (False, True):
        model = network()
        quantize_(model, uniform("mx6"), keep=keep)
        state = model.state_dict() | {"1.bias": torch.ones(N)}
        if keep:
            with pytest.raises(ValueError, match=r"1\.bias cannot be loaded"):
                model.load_state_dict(state)
        else:
            model.load_state_dict(state)
            assert torch.equal(model[1].bias, torch.ones(N))


def test_moves_casts_copies_and_pickles_are_no_writes(model):
    expected = model(X)
    for twin in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model).to(torch.float64).float(),
    ):
        assert torch.equal(twin[1](X), model[1](X))
    assert torch.equal(copy.deepcopy(model).half()[1](X), model[1](X))
    assert torch.equal(model(X), expected)


def test_what_was_kept_is_no_part_of_the_model():
    model = network()
    quantize_(model, uniform("mx6"))
    assert model.state_dict().keys() == {
        "0.weight", "0.bias", "1.quantized_weight", "1.bias", "2.weight", "2.bias",
    }  # fmt: skip
    assert {name for name, _ in model.named_parameters()} == {
        f"{i}.{name}" for i in (0, 2) for name in ("weight", "bias")
    }
    model.bfloat16()
    restore_(model)
    assert type(model[1]) is nn.Linear and model[1].weight.dtype == torch.bfloat16
    assert torch.equal(model[1].weight, network()[1].weight.bfloat16())


SCHEMES = {
    "MX4": lambda: MXScheme("MX6", "MX4"),
    "MX9": lambda: MXScheme("MX6", "MX9"),
    "chosen": lambda: MXScheme("MX6", Policy(0.3)),
    "outliers": lambda: MXScheme(Policy(), Policy(weights=(MX4, MX6)), outliers=[1, 0, 1]),
}


@pytest.mark.parametrize("make", SCHEMES.values(), ids=list(SCHEMES))
def test_codes_are_held_to_the_bit_and_are_only_to_be_read(make):
    layer, scheme = network()[1], make()
    with torch.no_grad():
        layer.weight[2] = 0
        layer.weight[3, ::3] = -0.0
        layer.weight[5, 20] = torch.inf
    codes, quantized = scheme.codes(layer.weight), QuantizedLinear(layer, scheme)
    assert_same_codes(quantized.codes, codes)
    assert quantized.codes.format == codes.format and quantized.codes.axis == codes.axis
    for name in CODES:
        with pytest.raises(ValueError, match="read-only"):
            getattr(quantized.codes, name)[0] = 1
    assert torch.equal(quantized.weight.isnan(), torch.from_numpy(codes.dequantize()).isnan())
    finite = ~quantized.weight.isnan()
    assert torch.equal(quantized.weight[finite], torch.from_numpy(codes.dequantize())[finite])


@pytest.mark.parametrize("mode", ["fake", "exact"])
def test_what_nobody_looks_at_takes_less_than_three_and_a_quarter_bytes(mode, tmp_path):
    model = nn.Sequential(nn.Linear(512, 512, bias=False), nn.Linear(512, 16))
    quantize_(model, uniform("mx9"), keep=False)
    set_mode(model, mode)
    model(torch.randn(2, 512))
    save_quantized(tmp_path / "file", model)
    assert model[0]._held.nbytes / 512**2 < 3.25
    model[0].weight.dtype  # noqa: B018
    assert 7 < model[0]._held.nbytes / 512**2 < 7.25


class Odd:
    """A scheme whose values have 24 significant bits, and which gives away its own tensor."""

    activation_key = correction = None

    def __init__(self):
        self.meter = Meter()

    def activation(self, a):
        return a.float()

    def weight(self, b):
        self.values = b.float() * 1.1
        return self.values


@pytest.mark.parametrize("inference", [False, True])
def test_values_beyond_bf16_are_held_as_they_are(inference):
    model, scheme = network(), Odd()
    with torch.inference_mode(inference):
        quantize_(model, lambda site: scheme)
        x = model[0](X)
        expected = nn.functional.linear(x, scheme.values, model[1].bias)
        assert torch.equal(model[1](x), expected)
        with torch.no_grad():
            scheme.values.zero_()
        assert torch.equal(model[1](x), expected)
    given = x.detach().clone().requires_grad_()
    model[1](given).sum().backward()
    assert torch.allclose(given.grad, model[1].weight.sum(0).expand(4, K))


def test_a_state_without_the_weight_is_incomplete(model):
    state = model.state_dict()
    del state["1.quantized_weight"]
    with pytest.raises(RuntimeError, match=r'Missing key.*"1\.quantized_weight"'):
        model.load_state_dict(state)
    model.load_state_dict(state, strict=False)


def test_the_state_of_another_dtype_or_of_nans_is_its_own(model):
    state = {name: each.bfloat16() for name, each in model.state_dict().items()}
    expected = model[1](X)
    model[1].load_state_dict({"quantized_weight": state["1.quantized_weight"]}, strict=False)
    assert torch.equal(model[1](X), expected)


def test_a_bias_of_nans_is_its_own():
    layer = nn.Linear(K, N)
    with torch.no_grad():
        layer.bias[0] = torch.nan
    made = nn.Sequential(layer)
    quantize_(made, uniform("mx6"))
    made.load_state_dict(made.state_dict())


def test_a_bias_that_was_made_a_parameter_stays_in_fp32(model):
    bias = model[1].bias = nn.Parameter(torch.full((N,), 1 / 3))
    model.half().double().float()
    assert model[1].bias is bias
    assert torch.equal(bias, torch.full((N,), 1 / 3))


@pytest.mark.parametrize("name", ["1.quantized_weight", "1.bias"])
@pytest.mark.parametrize("change", [
    lambda x: 3, lambda x: x.to_sparse(), lambda x: x.to("meta"), lambda x: x + 1j,
    lambda x: torch.nested.nested_tensor([x]),
])  # fmt: skip
def test_what_is_no_plain_tensor_is_not_loaded(model, name, change):
    state = model.state_dict()
    state[name] = change(state[name])
    state["0.weight"] = torch.zeros(K)
    with pytest.raises(ValueError, match=rf"{name} cannot be loaded into a quantized layer"):
        model.load_state_dict(state, strict=False)
    assert model[0].weight.all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_bias_is_fp32_whatever_is_loaded_or_set(dtype):
    made = network().bfloat16().half()
    quantize_(made, uniform("mx6"))
    x = X.half()
    expected = made(x)
    state = {name: each.to(dtype) for name, each in made[1].state_dict().items()}
    made[1].load_state_dict(state, assign=True)
    assert made[1].bias.dtype == torch.float32
    assert torch.equal(made(x), expected)
    for bias in (state["bias"], nn.Parameter(state["bias"])):
        with pytest.raises(TypeError, match=r"float32, not of torch\..*: give bias\.float\(\)"):
            made[1].bias = bias
    made[1].bias = state["bias"].float()
    assert torch.equal(made(x), expected)


def test_what_is_written_through_a_state_dict_is_told(model):
    with torch.no_grad():
        model.state_dict()["1.quantized_weight"].mul_(2)
    with pytest.raises(ValueError, match="was written to"):
        model(X)


def test_emptying_a_model_leaves_the_weight_that_is_frozen(model):
    x = model[0](X).detach()
    expected = model[1](x)
    bias = model[1].bias.clone()
    model.to_empty(device="cpu")
    model[1].bias.copy_(bias)
    assert torch.equal(model[1](x), expected)


def test_threads_are_shown_the_same_tensor(model):
    with ThreadPoolExecutor(8) as pool:
        shown = list(pool.map(lambda _: model[1].weight, range(64)))
    assert all(each is shown[0] for each in shown)
