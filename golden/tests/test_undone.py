"""A model that is no longer what was quantized says so; calls that would undo it are refused."""

import copy
import pickle

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from golden.torch import (  # noqa: E402
    MXScheme,
    QuantizedAttention,
    load_quantized,
    meters,
    quantize_,
    restore_,
    save_quantized,
    set_mode,
    uniform,
)


class Processor:
    """Attention as diffusers' processors compute it."""

    def __call__(self, attn, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (layer(x).unflatten(-1, (2, -1)).transpose(1, 2) for layer in attn.qkv)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        return y.transpose(1, 2).flatten(2)


class Attn(nn.Module):
    """Attention with a processor, as diffusers has it."""

    def __init__(self):
        super().__init__()
        self.heads = 2
        self.qkv = nn.ModuleList(nn.Linear(32, 32) for _ in range(3))
        self.processor = Processor()

    def get_processor(self):
        return self.processor

    def set_processor(self, processor):
        self.processor = processor

    def fuse_projections(self):
        self.qkv = nn.ModuleList()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.processor(self, x)


class Model(nn.Module):
    """A block, and two of the methods that diffusers' models have."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.block = nn.ModuleDict({"attn": Attn(), "out": nn.Linear(32, 8)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block["out"](self.block["attn"](x))

    def save_pretrained(self, folder):
        raise AssertionError

    def fuse_qkv_projections(self):
        self.block["attn"].fuse_projections()


def plain_linear(model):
    model.block["out"] = nn.Linear(32, 8)


def another_block(model):
    model.block = nn.ModuleDict(model.block.items())


def another_layer_list(model):
    model.block["attn"].qkv[2] = nn.Linear(32, 32)


def processor(model):
    model.block["attn"].processor = Processor()


CHANGES = {
    plain_linear: "block.out",
    another_block: "block.attn.*",
    another_layer_list: "block.attn.qkv.2",
    processor: "block.attn",
}


@pytest.fixture
def model():
    model = Model()
    quantize_(model, uniform("mx6"))
    assert isinstance(model.block["attn"].get_processor(), QuantizedAttention)
    return model


@pytest.mark.parametrize("change, name", CHANGES.items(), ids=[c.__name__ for c in CHANGES])
def test_a_change_is_told_and_nothing_is_half_done(change, name, model, tmp_path):
    change(model)
    modules, state = list(model.modules()), dict(vars(model.block["attn"]))
    calls = [
        lambda: model(torch.ones(1, 4, 32)),
        lambda: set_mode(model, "exact"),
        lambda: save_quantized(tmp_path / "file", model),
        lambda: meters(model),
        lambda: restore_(model),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=f"^{name} is not what was quantized: "):
            call()
    assert list(model.modules()) == modules and dict(vars(model.block["attn"])) == state
    assert not list(tmp_path.iterdir())


def test_calls_that_undo_it_are_refused_until_it_is_restored(model):
    x = torch.randn(1, 4, 32)
    right, attention = model(x), model.block["attn"]
    with pytest.raises(ValueError, match=r"save_pretrained would write.*torch\.save_quantized"):
        model.save_pretrained("folder")
    with pytest.raises(ValueError, match=r"^fuse_qkv_projections would change.*restore_ "):
        model.fuse_qkv_projections()
    with pytest.raises(ValueError, match="set_processor would change"):
        attention.set_processor(Processor())
    with pytest.raises(ValueError, match="fuse_projections would change"):
        attention.fuse_projections()
    assert torch.equal(model(x), right)
    restore_(model)
    assert torch.equal(model(x), Model()(x))
    assert type(attention.get_processor()) is Processor
    assert not model._forward_pre_hooks and "set_processor" not in vars(attention)
    with pytest.raises(AssertionError):
        model.save_pretrained("folder")


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_is_checked_for_itself(twin_of, model):
    twin, x = twin_of(model), torch.randn(1, 4, 32)
    assert torch.equal(twin(x), model(x))
    plain_linear(model)
    twin(x)
    with pytest.raises(ValueError, match="set_processor would change"):
        twin.block["attn"].set_processor(None)
    restore_(twin)
    assert torch.equal(twin(x), Model()(x))


def test_a_model_whose_attention_alone_is_quantized_can_be_saved(tmp_path):
    def policy(site):
        return None if site.kind == "linear" else MXScheme("MX4", "MX4")

    saved, loaded, x = Model(), Model(), torch.randn(1, 4, 32)
    with torch.no_grad():
        loaded.block["out"].weight.zero_()
    quantize_(saved, policy)
    save_quantized(tmp_path / "file", saved)
    load_quantized(tmp_path / "file", loaded)
    assert torch.equal(loaded(x), saved(x)) and not torch.equal(saved(x), Model()(x))


class Blocks(nn.Module):
    """A stack of blocks, one after the other."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(self.block() for _ in range(2))

    @staticmethod
    def block():
        return nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = x + block(x)
        return x


ADDITIONS = {
    "blocks.2": lambda model: model.blocks.append(Blocks.block()),
    "blocks.0.2": lambda model: model.blocks[0].append(nn.Linear(32, 32)),
    "head": lambda model: setattr(model, "head", nn.Linear(32, 8)),
    "conv": lambda model: model.add_module("conv", nn.Conv1d(4, 4, 1)),
}


@pytest.mark.parametrize("name", ADDITIONS)
def test_what_is_added_is_told(name, tmp_path):
    model, x = Blocks(), torch.ones(1, 32)
    quantize_(model, uniform("mx6"))
    ADDITIONS[name](model)
    twin = copy.deepcopy(model)
    for each in (model, twin):
        for use in (
            lambda m: m(x),
            lambda m: set_mode(m, "exact"),
            lambda m: save_quantized(tmp_path / "file", m),
            restore_,
        ):
            with pytest.raises(ValueError, match=f"^{name}, a \\w+, is new since the model was"):
                use(each)


def test_what_does_not_multiply_may_be_added():
    model, x = Blocks(), torch.ones(1, 32)
    quantize_(model, uniform("mx6"))
    expected = model(x)
    model.extra, model.norm = nn.Dropout(), nn.LayerNorm(32)
    model.add_module("none", None)
    model.blocks[0].append(nn.Identity())
    assert torch.equal(model(x), expected)
