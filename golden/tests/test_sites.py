"""Which products of a model are meant, which cannot be quantized, and that both are said."""

import warnings

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.functional import scaled_dot_product_attention  # noqa: E402

from golden.torch import (  # noqa: E402
    MXScheme,
    QuantizedLinear,
    Site,
    find_sites,
    find_unquantized,
    mixdit,
    quantize_,
    restore_,
    uniform,
)
from golden.torch.processors import count_calls  # noqa: E402

WIDTH, HEADS = 24, 2


class Once:
    """A processor with one call of attention."""

    def __call__(self, attn, hidden_states):
        query, key, value = (
            layer(hidden_states).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for layer in (attn.to_q, attn.to_k, attn.to_v)
        )
        result = scaled_dot_product_attention(query, key, value)
        return attn.to_out(result.transpose(1, 2).flatten(-2))


class Attention(nn.Module):
    """What attention of diffusers looks like."""

    def __init__(self, processor=None, **attributes):
        super().__init__()
        for name in ("to_q", "to_k", "to_v", "to_out"):
            setattr(self, name, nn.Linear(WIDTH, WIDTH))
        self.heads, self.inner_dim = HEADS, WIDTH
        self.processor = processor or Once()
        vars(self).update(attributes)

    def get_processor(self):
        return self.processor

    def set_processor(self, processor):
        self.processor = processor

    def forward(self, x):
        return self.processor(self, x)


class Block(nn.Module):
    """A block of two kinds of layers: per token, and per sample."""

    def __init__(self):
        super().__init__()
        self.norm1 = nn.ModuleDict({"linear": nn.Linear(WIDTH, 2 * WIDTH)})
        self.img_mod = nn.Sequential(nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        self.time_emb_proj = nn.Linear(WIDTH, WIDTH)
        self.attn = Attention()
        self.mlp = nn.ModuleList([nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)])
        self.member = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        x = x + self.attn(x)
        return x + self.member(self.mlp[1](self.mlp[0](x)))


class Transformer(nn.Module):
    """Two lists of blocks, one of them deep inside of an embedding."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(4, WIDTH, 2)
        self.embedder = nn.ModuleDict({"proj": nn.Linear(WIDTH, WIDTH)})
        self.embedder["refiner"] = nn.ModuleList([Block()])
        self.layers = nn.ModuleList([Block(), Block()])
        self.experts = nn.ModuleList([nn.Linear(WIDTH, WIDTH), None])
        self.proj_out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        for block in (*self.embedder["refiner"], *self.layers):
            x = block(x)
        return self.proj_out(x)


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return Transformer().eval()


INSIDE = (
    "attn.qk attn.pv attn.to_q attn.to_k attn.to_v attn.to_out mlp.0 mlp.1 member".split()
)  # fmt: skip
BLOCKS = ("embedder.refiner.0", "layers.0", "layers.1")
MEANT = [f"{block}.{name}" for block in BLOCKS for name in INSIDE]


def names(things) -> list[str]:
    return [each.name for each in things]


def test_what_lies_in_a_block_and_works_per_token_is_meant(model):
    sites = find_sites(model)
    assert names(sites) == MEANT
    assert sites[0] == Site("embedder.refiner.0.attn.qk", "qk", WIDTH // HEADS, None, HEADS)
    assert sites[1] == Site("embedder.refiner.0.attn.pv", "pv", None, WIDTH // HEADS, HEADS)


def test_all_the_rest_is_listed_with_a_reason(model):
    quantize_(model, lambda site: MXScheme("MX6", "MX6") if site.kind == "linear" else None)
    reasons = {each.name: each.reason for each in model.unquantized_sites}
    assert reasons == dict(
        {"patch": "is a Conv2d: only linear layers and attention can be quantized"},
        **dict.fromkeys(
            (f"{block}.attn.{kind}" for block in BLOCKS for kind in ("qk", "pv")),
            "is left in floating point by the policy, or by exclude",
        ),
        **dict.fromkeys(
            (f"{b}.{x}" for b in BLOCKS for x in ("norm1.linear", "img_mod.1", "time_emb_proj")),
            "makes embeddings or adaptive normalization, once per sample",
        ),
        **dict.fromkeys(
            ("embedder.proj", "experts.0", "proj_out"), "lies outside of the transformer blocks"
        ),
    )
    every = {name for name, each in Transformer().named_modules() if isinstance(each, nn.Linear)}
    assert every <= reasons.keys() | set(names(model.quantized_sites))
    restore_(model)
    assert not hasattr(model, "unquantized_sites")


def test_include_adds_and_exclude_wins(model):
    include = ["*.norm1.linear", "proj_out"]
    more = names(find_sites(model, include))
    assert set(more) - set(MEANT) == {f"{block}.norm1.linear" for block in BLOCKS} | {"proj_out"}
    less = names(find_sites(model, include, exclude=["layers.*", "*.pv"]))
    assert less == [n for n in more if not n.startswith("layers") and not n.endswith(".pv")]
    quantize_(model, uniform("mx6"), include=include, exclude=["layers.*", "*.pv"])
    assert names(model.quantized_sites) == less
    assert type(model.layers[0].member) is nn.Linear
    assert isinstance(model.proj_out, QuantizedLinear)


@pytest.mark.parametrize("kind, message, options", [
    (ValueError, r"called 'layers\.7\.\*', and no product of its attention: exclude names it",
     {"exclude": ["layers.7.*"]}),
    (ValueError, r"no linear layer of the model is called 'nothing'", {"include": ["nothing"]}),
    (ValueError, r"include names 'pat\*', but patch cannot be quantized: it is a Conv2d",
     {"include": ["pat*"]}),
    (ValueError, "exclude leaves nothing of Transformer to quantize", {"exclude": ["*"]}),
    (TypeError, r"exclude must be a list of names or patterns, not '\*\.pv'", {"exclude": "*.pv"}),
    (TypeError, r"include must be a list of names or patterns, not \[3\]", {"include": [3]}),
])  # fmt: skip
def test_patterns_that_do_nothing_are_refused(model, kind, message, options):
    for call in (find_sites, lambda model, **given: quantize_(model, uniform("mx6"), **given)):
        with pytest.raises(kind, match=message):
            call(model, **options)


class Twice(Once):
    """Two calls, one after the other."""

    def __call__(self, attn, hidden_states):
        x = scaled_dot_product_attention(hidden_states, hidden_states, hidden_states)
        return scaled_dot_product_attention(x, x, x)


class Loop(Once):
    """One call per sample."""

    def __call__(self, attn, hidden_states):
        return torch.cat([scaled_dot_product_attention(x, x, x) for x in hidden_states])


class Linear(Once):
    """Linear attention, without a softmax."""

    def __call__(self, attn, hidden_states):
        return hidden_states @ (hidden_states.mT @ hidden_states)


class Sometimes(Once):
    """A call, unless there is a cache."""

    def __call__(self, attn, hidden_states, cache=None):
        if cache is not None:
            return cache
        return scaled_dot_product_attention(hidden_states, hidden_states, hidden_states)


class Refusing(Once):
    """A call, or an error."""

    def __call__(self, attn, hidden_states, cache=None):
        if cache is None:
            result = scaled_dot_product_attention(hidden_states, hidden_states, hidden_states)
        else:
            raise ValueError("there is no cache")
        return result


class OwnBackend(Once):
    """A call that always goes to one backend."""

    def __call__(self, attn, x):
        return dispatch_attention_fn(x, x, x, backend="flex")  # noqa: F821


class Choosing(Once):
    """Calls as often as its attention says, on paths of several kinds."""

    def __call__(self, attn, x):
        if attn.gate is not None:
            raise ValueError("no gate is known")
        if not attn.differential:
            y = scaled_dot_product_attention(x, x, x)
        else:
            y = scaled_dot_product_attention(x, x, x) - scaled_dot_product_attention(x, -x, x)
        with torch.no_grad():
            return y if attn.whole else scaled_dot_product_attention(y, y, y)


class Image(Once):
    """Calls once more where there are keys of an image."""

    def __call__(self, attn, x, image=None):
        y = None
        if image is not None:
            y = scaled_dot_product_attention(x, image, image)
        z = scaled_dot_product_attention(x, x, x)
        return z if y is None else z + y


class Weighted(nn.Module):
    """A processor with layers of its own, as those of image prompts."""

    def __init__(self):
        super().__init__()
        self.to_k_ip = nn.Linear(WIDTH, WIDTH)

    __call__ = Once.__call__


COUNTS = [
    (Once(), {}, {1}), (Twice(), {}, {2}), (Loop(), {}, {0, 2}), (Linear(), {}, {0}),
    (Sometimes(), {}, {0, 1}),
    (Refusing(), {}, {1}), (OwnBackend(), {}, {0}), (Image(), {}, {1, 2}),
    (Choosing(), {"gate": None, "differential": False, "whole": True}, {1}),
    (Choosing(), {"gate": None, "differential": False, "whole": False}, {2}),
    (Choosing(), {"gate": None, "differential": True, "whole": True}, {2}),
    (Choosing(), {"differential": False}, {1, 2}),
]  # fmt: skip


@pytest.mark.parametrize("processor, attributes, counts", COUNTS)
def test_calls_are_counted_on_every_path(processor, attributes, counts):
    assert count_calls(Attention(processor, **attributes)) == counts


class Flex(Once):
    """A processor that has no other backend."""

    _attention_backend = "flex"


def flex() -> Once:
    """Return a processor that a user has given another backend."""
    processor = Once()
    processor._attention_backend = "flex"
    return processor


@pytest.mark.parametrize("message, processor, attributes", [
    ("uses Twice, which repeats the call", Twice(), {}),
    ("uses Loop, which may leave out the call", Loop(), {}),
    ("uses Linear, which has no call", Linear(), {}),
    ("uses Sometimes, which may leave out the call", Sometimes(), {}),
    ("uses Image, which repeats the call", Image(), {"add_k_proj": nn.Linear(2, 2)}),
    ("uses Weighted, which has layers of its own", Weighted(), {}),
    ("is computed on several devices", Once(), {"parallel": True}),
    ("uses the attention backend 'flex'", Flex(), {}),
])  # fmt: skip
def test_attention_that_cannot_be_seen_is_left_and_named(model, message, processor, attributes):
    model.layers[1].attn = Attention(processor, **attributes)
    if "parallel" in attributes:
        processor._parallel_config = object()
    with pytest.warns(UserWarning, match=rf"^2 products .* layers\.1\.attn\.qk {message}"):
        quantize_(model, mixdit())
    products = {"layers.1.attn.qk", "layers.1.attn.pv"}
    own = {"layers.1.attn.processor.to_k_ip"} if isinstance(processor, nn.Module) else set()
    assert set(names(model.quantized_sites)) == (set(MEANT) - products) | own
    listed = {each.name: str(each) for each in model.unquantized_sites}
    for kind in ("qk", "pv"):
        assert listed[f"layers.1.attn.{kind}"].startswith(f"layers.1.attn.{kind} {message}")
    assert model.layers[1].attn.get_processor() is processor


def test_nothing_is_said_of_what_the_policy_did_not_ask_for(model):
    model.layers[1].attn.processor = Linear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quantize_(model, lambda site: MXScheme("MX6", "MX6") if site.kind == "linear" else None)
        restore_(model)
        table = {site.name: MXScheme("MX6", "MX6") for site in find_sites(model)}
        quantize_(model, lambda site: table[site.name])  # knows no other names
        restore_(model)
        quantize_(model, uniform("mx6"), exclude=["layers.1.attn.qk", "layers.1.attn.pv"])


@pytest.mark.parametrize("message, change", [
    (r"^layers\.1\.attn uses the attention backend 'flex', .*: call set_attention_backend",
     {"processor": flex()}),
    (r"^layers\.1\.attn has fused projections, .*: call unfuse_qkv_projections\(\)",
     {"fused_projections": True, "unfuse_projections": None}),
])  # fmt: skip
def test_settings_that_are_in_the_way_are_refused_if_asked_for(model, message, change):
    vars(model.layers[1].attn).update(change)
    before = list(model.modules())
    with pytest.raises(ValueError, match=message):
        quantize_(model, uniform("mx6"))
    assert list(model.modules()) == before
    assert not hasattr(model, "quantized_sites")
    quantize_(model, uniform("mx6"), exclude=["layers.1.attn.*"])
    assert len(model.quantized_sites) == len(MEANT) - 6


class LlamaAttention(nn.Module):
    """Attention as transformers has it."""

    def __init__(self):
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, WIDTH)
        self.head_dim = 12


class BaseTunerLayer(nn.Module):
    """An adapter as of peft."""

    def __init__(self):
        super().__init__()
        self.base_layer = nn.Linear(WIDTH, WIDTH)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(WIDTH, 4, bias=False)})


class Linear4bit(nn.Module):
    """A linear layer of other arithmetic."""

    def __init__(self):
        super().__init__()
        self.in_features, self.out_features = WIDTH, WIDTH


class Subclassed(torch.Tensor):
    """A weight that multiplies in its own way."""


def subclassed() -> nn.Linear:
    layer = nn.Linear(WIDTH, WIDTH)
    layer.weight = nn.Parameter(layer.weight.detach().as_subclass(Subclassed))
    return layer


@pytest.mark.parametrize("odd, listed, asked", [
    (LlamaAttention, {"qk": "is a product of LlamaAttention", "pv": "is a product of Llama"}, 2),
    (lambda: nn.MultiheadAttention(WIDTH, 2),
     {"": "is an nn.MultiheadAttention, which multiplies without calling its layers",
      "out_proj": "belongs to odd, an nn.MultiheadAttention"}, 2),
    (lambda: nn.TransformerEncoderLayer(WIDTH, 2),
     {"self_attn": "is an nn.MultiheadAttention", "self_attn.out_proj": "belongs to odd.self_attn",
      "linear1": "belongs to odd, an nn.TransformerEncoderLayer, which may multiply without",
      "linear2": "belongs to odd"}, 4),
    (BaseTunerLayer, {"base_layer": "belongs to odd, an adapter layer of peft",
                      "lora_A.default": "belongs to odd, an adapter layer of peft"}, 2),
    (Linear4bit, {"": "is a Linear4bit, which may multiply in its own way"}, 1),
    (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(WIDTH, WIDTH)),
     {"": "is a ParametrizedLinear, which may multiply in its own way"}, 1),
    (subclassed, {"": "has a weight that is a Subclassed, no plain tensor"}, 1),
    (lambda: nn.Linear(WIDTH, WIDTH, dtype=torch.float64),
     {"": "has a weight of torch.float64: only FP32"}, 1),
    (lambda: nn.Linear(WIDTH, 0), {"": "has a weight without elements"}, 1),
    (lambda: nn.Conv1d(4, 4, 1), {"": "is a Conv1d: only linear layers"}, 0),
    (lambda: nn.ConvTranspose2d(4, 4, 1), {"": "is a ConvTranspose2d: only linear layers"}, 0),
    (lambda: nn.Bilinear(4, 4, 4), {"": "is a Bilinear: only linear layers"}, 0),
    (lambda: nn.LSTM(4, 4), {"": "is a LSTM: only linear layers"}, 0),
    (lambda: nn.GRUCell(4, 4), {"": "is a GRUCell: only linear layers"}, 0),
])  # fmt: skip
def test_other_kinds_of_layers_are_named(odd, listed, asked):
    model = nn.ModuleDict({"first": nn.Linear(WIDTH, WIDTH), "odd": odd()})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quantize_(model, uniform("mx6"))
    own = ["odd.q_proj"] if odd is LlamaAttention else []
    assert names(model.quantized_sites) == ["first", *own]
    found = {each.name: each.reason for each in model.unquantized_sites}
    assert found.keys() == {f"odd.{name}".rstrip(".") for name in listed}
    for name, reason in listed.items():
        assert found[f"odd.{name}".rstrip(".")].startswith(reason)
    assert [str(each.message).partition(" ")[0] for each in caught] == [str(asked)] * (asked > 0)


def test_a_model_can_be_asked_what_would_be_left(model):
    left = find_unquantized(model, find_sites(model))
    assert set(names(left)) == set(names(find_unquantized(model))) - set(MEANT)
