"""Which products of a model are meant, which cannot be quantized, and that both are said."""

import warnings

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import golden  # noqa: E402
from golden.tests.stand_ins import (  # noqa: E402
    BLOCKS,
    HEADS,
    MEANT,
    WIDTH,
    Transformer,
    names,
)
from golden.torch import (  # noqa: E402
    MXScheme,
    QuantizedLinear,
    Site,
    find_sites,
    find_unquantized,
    quantize_,
    restore_,
    uniform,
)


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return Transformer().eval()


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


@pytest.mark.parametrize("policy, message", [
    ("mx6", r"a function that gives each site a scheme, such as .*, not 'mx6'"),
    (golden.Policy(), "a function that gives each site a scheme"),
    (lambda site: "mx6", r"gives 'mx6' to .*\.qk: it must be None or a Scheme"),
])  # fmt: skip
def test_what_is_no_policy_of_a_model_is_refused(model, policy, message):
    before = list(model.modules())
    with pytest.raises(TypeError, match=message):
        quantize_(model, policy)
    assert list(model.modules()) == before
