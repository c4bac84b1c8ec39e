"""What gradients a quantized model has, and which wishes to train it are refused."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import golden
from golden.policy import Policy

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from golden.torch import (  # noqa: E402
    MXScheme,
    QuantizedAttention,
    QuantizedLinear,
    SharedInput,
    load_quantized,
    quantize_,
    restore_,
    save_quantized,
    set_mode,
    uniform,
)
from golden.torch.held import HeldWeight  # noqa: E402

K, N = 200, 24
ORDER = np.random.default_rng(0).permutation(K)
ORDERED = Policy(0.2, tile_rows=8, order="calibrated", permutation=ORDER)
SCHEMES = {
    "MX4": lambda: MXScheme("MX4", "MX6"),
    "order": lambda: MXScheme(ORDERED, "MX6"),
    "outliers": lambda: MXScheme(ORDERED, ORDERED, outliers=np.arange(13) % 4 == 0),
    "correction": lambda: MXScheme("MX9", "MX6", correction=torch.linspace(-1, 1, N)),
}


def network() -> nn.Module:
    torch.manual_seed(0)
    block = nn.Sequential(nn.LayerNorm(K), nn.Linear(K, N), nn.LayerNorm(N))
    return nn.Sequential(block, nn.Linear(N, 3))


@pytest.fixture
def model() -> nn.Module:
    made = network()
    quantize_(made, uniform("mx4"))
    return made


@pytest.mark.parametrize("make", SCHEMES.values(), ids=list(SCHEMES))
@pytest.mark.parametrize("mode", ["fake", "exact"])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_go_straight_through_to_the_input(make, mode, shared, dtype):
    torch.manual_seed(0)
    layer = QuantizedLinear(nn.Linear(K, N), make(), shared=SharedInput() if shared else None)
    layer.mode = mode
    x = torch.randn(2, 20, K).to(dtype).requires_grad_()
    with torch.no_grad():
        expected = layer(x.clone())
    y = layer(x)
    assert torch.equal(y, expected)
    gradient = torch.randn(2, 20, N).to(dtype)
    y.backward(gradient)
    weight = torch.empty(N, K)
    order = torch.arange(K) if layer.scheme.order is None else torch.from_numpy(ORDER)
    weight[:, order] = layer.weight
    by_hand = (gradient.double() @ weight.double()).to(dtype)
    torch.testing.assert_close(x.grad, by_hand, rtol=1e-5 if dtype == torch.float32 else 1e-2,
                               atol=1e-5 if dtype == torch.float32 else 1e-2)  # fmt: skip


def test_backward_makes_the_wide_weight_anew(monkeypatch):
    made, make = [], HeldWeight._wide
    monkeypatch.setattr(
        HeldWeight, "_wide", lambda self, device: made.append(0) or make(self, device)
    )
    layer = QuantizedLinear(nn.Linear(K, N), MXScheme("MX6", "MX6"))
    x = torch.randn(20, K, requires_grad=True)
    y = layer(x).sum()
    assert len(made) == 1
    y.backward()
    assert len(made) == 2


def test_exact_mode_has_the_gradients_of_fake_mode_also_behind_it():
    grads = []
    for mode in ("fake", "exact"):
        made = network()
        quantize_(made, uniform("mx9"))
        set_mode(made, mode)
        x = torch.randn(5, K, generator=torch.Generator().manual_seed(3))
        made(x).square().sum().backward()
        grads.append([made[0][0].weight.grad, made[0][2].weight.grad])
    for fake, exact in zip(*grads, strict=True):
        assert fake.norm() > 0
        torch.testing.assert_close(exact, fake, rtol=1e-3, atol=1e-4)


def test_exact_attention_has_the_gradients_of_fake_mode():
    generator = torch.Generator().manual_seed(0)
    given = [torch.randn(2, 3, 20, 40, generator=generator) for _ in range(3)]
    found = {}
    for mode in ("fake", "exact"):
        operands = [each.clone().requires_grad_() for each in given]
        attention = golden.torch.QuantizedAttention(
            lambda: None, *(MXScheme("MX9", "MX9") for _ in range(2))
        )
        attention.mode = mode
        result = attention.attend(*operands, scale=3.0)
        with torch.no_grad():
            assert torch.equal(attention.attend(*given, scale=3.0), result)
        found[mode] = torch.autograd.grad(result.square().sum(), operands)
    for fake, exact in zip(*found.values(), strict=True):
        torch.testing.assert_close(exact, fake, rtol=1e-3, atol=1e-3)


FROZEN = "the weight of a quantized layer is frozen.*restore_ the model.*quantize it again"


@pytest.mark.parametrize("part", ["model", "block", "layer"])
def test_to_train_what_has_quantized_weights_is_refused(model, part):
    found = {"model": model, "block": model[0], "layer": model[0][1]}[part]
    before = [each.requires_grad for each in model.parameters()]
    for call in (lambda: found.requires_grad_(), lambda: found.requires_grad_(True)):
        with pytest.raises(ValueError, match=FROZEN):
            call()
    assert [each.requires_grad for each in model.parameters()] == before


def test_a_weight_that_is_to_be_trained_is_told(model):
    weight, x = model[0][1].weight, torch.ones(2, K)
    weight.requires_grad_(True)
    for call in (lambda: model(x), lambda: set_mode(model, "exact"), lambda: restore_(model)):
        with pytest.raises(ValueError, match=f"{FROZEN}; a gradient was asked for"):
            call()
    weight.requires_grad_(False)
    model(x)
    with pytest.raises((ValueError, KeyError), match=f"{FROZEN}"):
        model[0][1].weight = nn.Parameter(torch.ones(N, K))


def test_a_model_can_be_frozen_and_its_other_parts_trained(model):
    assert model.requires_grad_(False) is model
    assert not any(each.requires_grad for each in model.parameters())
    model[0][2].requires_grad_(True)
    model.train()
    model(torch.randn(4, K)).square().sum().backward()
    assert model[0][2].weight.grad is not None and model[0][0].weight.grad is None
    model.eval()
    restore_(model)
    assert not model[0][1].weight.requires_grad and not model[0][1].training
    assert model.requires_grad_(True)[0][1].weight.requires_grad


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_frozen_for_themselves(model, twin_of):
    twin = twin_of(model)
    with pytest.raises(ValueError, match=FROZEN):
        twin.requires_grad_()
    twin.requires_grad_(False)
    assert not any(each.requires_grad for each in twin.parameters())
    assert not twin[0][1].original.weight.requires_grad
    assert all(each.requires_grad for each in model.parameters())
    assert model[0][1].original.weight.requires_grad


def test_parameters_that_are_not_quantized_get_their_gradients(model):
    x = torch.randn(4, K)
    model.train()
    model(x).square().sum().backward()
    plain = network()
    with torch.no_grad():
        for own, theirs in ((plain[0][1], model[0][1]), (plain[1], model[1])):
            own.weight.copy_(theirs.weight)
            own.bias.copy_(theirs.bias)
    for layer in (plain[0][1], plain[1]):
        layer.register_forward_pre_hook(
            lambda _, given: (golden.torch.fake_quantize(given[0], "mx4"),)
        )
    plain(x).square().sum().backward()
    for name in ("0.0.weight", "0.0.bias", "0.2.weight", "0.2.bias"):
        actual, expected = (each.get_parameter(name).grad for each in (model, plain))
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["fake", "exact"])
def test_a_bias_may_be_asked_for_by_name(model, mode):
    set_mode(model, mode)
    bias = model[1].bias.requires_grad_()
    with torch.no_grad():
        x = torch.randn(4, K)
    model(x).sum().backward()
    assert torch.equal(bias.grad, torch.full((3,), 4.0))


def test_a_bias_that_was_changed_is_not_lost_by_restoring(model):
    with torch.no_grad():
        model[1].bias.add_(1)
    layers = list(model.modules())
    with pytest.raises(ValueError, match=r"bias of a quantized layer was changed.*original\.bias"):
        restore_(model)
    assert list(model.modules()) == layers
    with torch.no_grad():
        model[1].original.bias.copy_(model[1].bias)
    restore_(model)
    assert torch.equal(model[1].bias, network()[1].bias + 1)


@pytest.mark.parametrize("new", [None, torch.ones(3)])
def test_a_bias_that_was_added_or_taken_off_is_not_lost_by_restoring(new):
    model = nn.Sequential(nn.Linear(K, 3, bias=new is None))
    quantize_(model, uniform("mx6"))
    model[0].bias = new
    with pytest.raises(ValueError, match=r"bias of a quantized layer was changed.*original\.bias"):
        restore_(model)
    model[0].original.bias = None if new is None else nn.Parameter(new)
    restore_(model)
    assert (model[0].bias is None) == (new is None)


@pytest.mark.parametrize("mode", ["fake", "exact"])
def test_outputs_may_be_written_to_before_their_gradients_are_taken(mode):
    x = torch.randn(16, 32, requires_grad=True)
    layer = QuantizedLinear(nn.Linear(32, 32), MXScheme("MX6", "MX6"))
    attention = QuantizedAttention(nn.Identity(), MXScheme("MX6", "MX6"), MXScheme("MX6", "MX6"))
    layer.mode = attention.mode = mode
    for run in (layer, lambda x: attention.attend(x[None], x[None], x[None])):
        expected = torch.autograd.grad((run(x) + 1).relu().sum(), x)[0]
        written = torch.autograd.grad(run(x).add_(1).relu_().sum(), x)[0]
        assert torch.equal(written, expected)


@pytest.mark.parametrize("how", ["quantized", "loaded"])
def test_what_was_made_in_inference_mode_can_be_trained(how, tmp_path):
    model, saved = network(), network()
    quantize_(saved, uniform("mx6"))
    save_quantized(tmp_path / "model", saved)
    with torch.inference_mode():
        if how == "quantized":
            quantize_(model, uniform("mx6"))
        else:
            load_quantized(tmp_path / "model", model)
    model[1].bias.requires_grad_()
    x = torch.randn(4, K, requires_grad=True)
    model(x).sum().backward()
    assert x.grad.any() and model[0][2].weight.grad.any() and model[1].bias.grad.all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_bias_of_16_bits_is_no_changed_one(dtype):
    model = network().to(dtype)
    with torch.no_grad():
        model[1].bias[0] = 1.2345e-6  # a subnormal of FP16
    quantize_(model, uniform("mx6"))
    model.float().half().bfloat16()
    restore_(model)
    assert model[1].bias.dtype == torch.bfloat16


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("has_gradients", [True, False])
def test_a_pass_that_would_train_says_that_weights_are_frozen(is_training, has_gradients):
    model = nn.Sequential(nn.Linear(K, N), nn.LayerNorm(N)).train(is_training)
    quantize_(model, uniform("mx6"))
    with warnings.catch_warnings(record=True) as caught, torch.set_grad_enabled(has_gradients):
        warnings.simplefilter("always")
        model(torch.ones(2, K))
    texts = [str(each.message) for each in caught]
    assert len(texts) == (is_training and has_gradients)
    assert all("is frozen" in text and "restore_ the model" in text for text in texts)
