"""Buffers and other state in files of quantized models: as they were, or refused."""

import pytest

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from torch import nn  # noqa: E402

from golden.torch import (  # noqa: E402
    load_quantized,
    quantize_,
    save_quantized,
    uniform,
)


class Rotary(nn.Module):
    """A layer, and buffers that are in no state dict."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(32, 32)
        self.inner = nn.Module()
        angles = torch.linspace(0, 1, 32)
        self.inner.register_buffer("angles", angles, persistent=False)
        self.register_buffer("turns", torch.polar(torch.ones(32), angles), persistent=False)
        self.register_buffer("cache", None, persistent=False)
        self.register_buffer("gone", torch.ones(1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layer(x) * self.inner.angles.float() * self.turns.real
        return y if self.cache is None else y + self.cache.float()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("angles", [torch.float32, torch.bfloat16, torch.float8_e4m3fn])
def test_buffers_in_no_state_dict_come_back_as_they_were(dtype, angles, tmp_path):
    saved, loaded = Rotary(), Rotary()
    saved.layer.to(dtype)
    saved.inner.angles = torch.linspace(0, 1, 32).to(angles)
    saved.cache, saved.gone = torch.randn(3, 32), None
    quantize_(saved, uniform("mx6"))
    save_quantized(tmp_path / "model", saved)
    load_quantized(tmp_path / "model", loaded)
    x = torch.randn(3, 32, dtype=dtype)
    assert torch.equal(loaded(x), saved(x))
    assert loaded.inner.angles.dtype == angles and loaded.gone is None
    assert loaded.state_dict().keys() == saved.state_dict().keys()
    again = tmp_path / "again"
    save_quantized(again, loaded)
    assert again.read_bytes() == (tmp_path / "model").read_bytes()


def test_what_is_loaded_lies_as_the_model_had_it(tmp_path):
    """Sums come in another order where a convolution's weight does not."""

    def made() -> nn.Module:
        model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.Linear(6, 3))
        return model.to(memory_format=torch.channels_last)

    saved, loaded = made(), made()
    quantize_(saved, uniform("mx6"))
    save_quantized(tmp_path / "model", saved)
    load_quantized(tmp_path / "model", loaded)
    assert torch.equal(loaded[0].weight, saved[0].weight)
    assert loaded[0].weight.stride() == saved[0].weight.stride()


def test_a_file_that_lacks_a_buffer_is_refused(tmp_path):
    saved = Rotary()
    quantize_(saved, uniform("mx6"))
    save_quantized(tmp_path / "model", saved)
    tensors = load_file(tmp_path / "model")
    with safe_open(tmp_path / "model", framework="pt") as file:
        metadata = file.metadata()
    del tensors["buffer.1"]
    save_file(tensors, tmp_path / "model", metadata)
    with pytest.raises(ValueError, match=r"no file of save_quantized: .*buffer\.1"):
        load_quantized(tmp_path / "model", Rotary())


def test_buffers_of_another_model_are_refused(tmp_path):
    saved, other = Rotary(), Rotary()
    other.inner.register_buffer("more", torch.ones(1), persistent=False)
    quantize_(saved, uniform("mx6"))
    save_quantized(tmp_path / "model", saved)
    layers = list(other.modules())
    with pytest.raises(ValueError, match=r"another model than this Rotary.* in inner\.more"):
        load_quantized(tmp_path / "model", other)
    assert list(other.modules()) == layers


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.complex64])
def test_buffers_of_any_dtype_come_back(dtype, persistent, tmp_path):
    def new(seed):
        made = nn.Sequential(nn.Linear(32, 32))
        generator = torch.Generator().manual_seed(seed)
        made.register_buffer("more", torch.randn(5, generator=generator).to(dtype), persistent)
        return made

    saved, loaded = new(0), new(1)
    saved.more = saved.more.conj()
    quantize_(saved, uniform("mx6"))
    save_quantized(tmp_path / "model", saved)
    load_quantized(tmp_path / "model", loaded)
    assert loaded.more.dtype == dtype
    ours, theirs = (each.more.to(torch.complex64).resolve_conj() for each in (loaded, saved))
    assert torch.equal(ours, theirs)


class Labelled(torch.Tensor):
    """A tensor of a class of its own."""


UNSTORABLE = {
    "sparse": (torch.ones(3, 3).to_sparse(), r"more is sparse_coo: make it dense first"),
    "meta": (torch.ones(3, device="meta"), "more is on the meta device, without values: load"),
    "complex128": (torch.ones(3, dtype=torch.complex128), "more is of complex128: a file cannot"),
    "float8_e8m0": (torch.ones(3).to(torch.float8_e8m0fnu), "more is of float8_e8m0fnu"),
    "subclass": (torch.ones(3).as_subclass(Labelled), "more is a Labelled: a file cannot hold it"),
}


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("tensor, message", UNSTORABLE.values(), ids=list(UNSTORABLE))
def test_what_a_file_cannot_hold_is_not_saved(tensor, message, persistent, tmp_path):
    network = nn.Sequential(nn.Linear(32, 32))
    network.register_buffer("more", tensor, persistent)
    quantize_(network, uniform("mx6"))
    with pytest.raises(TypeError, match=message):
        save_quantized(tmp_path / "model", network)
    assert not list(tmp_path.iterdir())


class Extra(nn.GELU):
    """Has more state than tensors."""

    def get_extra_state(self):
        return {"scale": 3}


def test_state_that_is_no_tensor_is_not_saved(tmp_path):
    network = nn.ModuleDict({"layer": nn.Linear(32, 32), "odd": Extra()})
    quantize_(network, uniform("mx6"))
    with pytest.raises(TypeError, match=r"odd\._extra_state is a dict, and a file holds"):
        save_quantized(tmp_path / "model", network)
