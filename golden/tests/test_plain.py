"""`quantize_` refuses linear layers that are more than a weight and a bias."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import prune  # noqa: E402

from golden.torch import load_quantized, quantize_, save_quantized, uniform  # noqa: E402


def hook(*_):
    return None


def own_forward(layer):
    forward = layer.forward
    layer.forward = lambda x: forward(x) + 100


def meta(layer):
    layer.to_empty(device="meta")


def more(layer):
    layer.register_buffer("scale", torch.ones(1))


def child(layer):
    layer.adapter = nn.Identity()


CHANGES = {
    "forward hook": (lambda layer: layer.register_forward_hook(hook), "a forward hook"),
    "pre-hook": (lambda layer: layer.register_forward_pre_hook(hook), "a forward pre-hook"),
    "backward": (lambda layer: layer.register_full_backward_hook(hook), "a backward hook"),
    "backward pre": (
        lambda layer: layer.register_full_backward_pre_hook(hook),
        "a backward pre-hook",
    ),
    "state": (lambda layer: layer.register_state_dict_pre_hook(hook), "a state-dict hook"),
    "load": (
        lambda layer: layer.register_load_state_dict_post_hook(hook),
        "a state-dict hook",
    ),
    "forward": (own_forward, "a forward of its own"),
    "weight_norm": (nn.utils.weight_norm, "the old weight_norm.*remove_weight_norm"),
    "spectral_norm": (nn.utils.spectral_norm, "the old spectral_norm.*remove_spectral_norm"),
    "pruning": (lambda layer: prune.l1_unstructured(layer, "weight", 0.5), "pruning"),
    "buffer": (more, r"more than weight and bias \(scale\)"),
    "child": (child, r"more than weight and bias \(adapter\)"),
    "meta": (meta, "a weight on the meta device"),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("change, message", CHANGES.values(), ids=list(CHANGES))
def test_what_quantizing_would_lose_is_refused(change, message, tmp_path):
    model = nn.Sequential(nn.Linear(40, 16), nn.Linear(16, 8))
    quantized = nn.Sequential(nn.Linear(40, 16), nn.Linear(16, 8))
    quantize_(quantized, uniform("mx6"))
    save_quantized(tmp_path / "model", quantized)
    change(model[1])
    layers = list(model)
    with pytest.raises(ValueError, match=f"1 has {message}"):
        quantize_(model, uniform("mx6"))
    assert list(model) == layers
    if model[1]._parameters.keys() == {"weight", "bias"} and not model[1]._buffers:
        with pytest.raises(ValueError, match=f"1 has {message}"):
            load_quantized(tmp_path / "model", model)
    quantize_(model, uniform("mx6"), exclude=["1"])
    assert model[1] is layers[1]
