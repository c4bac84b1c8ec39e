"""Which attention can be quantized is read from its processor, and the rest is named."""

import warnings

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.functional import scaled_dot_product_attention  # noqa: E402

from golden.tests.stand_ins import (  # noqa: E402
    MEANT,
    WIDTH,
    Attention,
    Once,
    Transformer,
    names,
)
from golden.torch import (  # noqa: E402
    MXScheme,
    find_sites,
    mixdit,
    quantize_,
    restore_,
    uniform,
)
from golden.torch.processors import count_calls  # noqa: E402


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return Transformer().eval()


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
