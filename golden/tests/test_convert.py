"""`quantize_` on modules of linear layers, its policies, and what it refuses."""

import copy

import numpy as np
import pytest

import golden

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from golden.torch import (  # noqa: E402
    Clock,
    MXScheme,
    QuantizedLinear,
    TimestepScheme,
    find_sites,
    meters,
    mixdit,
    quantize_,
    restore_,
    set_mode,
    uniform,
)


class Network(nn.Module):
    """Linear layers in a tree; `again` is `first` once more."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(72, 72)
        self.rest = nn.Sequential(nn.GELU(), nn.Linear(72, 33, bias=False))
        self.again = self.first

    def forward(self, x: torch.Tensor, timestep: torch.Tensor | float = 0.0) -> torch.Tensor:
        return self.rest(self.again(self.first(x)))


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return Network().eval()


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(4, 25, 72, generator=torch.Generator().manual_seed(1))


def linear(weight: torch.Tensor, bias: torch.Tensor | None, x: torch.Tensor, fmt: str):
    """Do what a layer does in the NumPy model, both operands in one format."""
    a = golden.quantize(x.flatten(0, -2).detach().numpy(), fmt)
    b = golden.quantize(weight.detach().numpy().T, fmt, axis=0)
    c = golden.gemm(a, b, bias=None if bias is None else bias.detach().numpy())
    return torch.from_numpy(c).unflatten(0, x.shape[:-1])


@pytest.mark.parametrize("fmt", ["MX4", "MX6", "MX9"])
def test_any_module_of_linear_layers_gets_the_bits_of_golden(network, x, fmt):
    first, last = network.first, network.rest[1]
    quantize_(network, uniform(fmt.lower()))
    assert [site.name for site in network.quantized_sites] == ["first", "rest.1"]
    set_mode(network, "exact")
    hidden = x
    for _ in range(2):
        hidden = linear(first.weight, first.bias, hidden, fmt)
    hidden = nn.functional.gelu(hidden)
    assert torch.equal(network(x), linear(last.weight, None, hidden, fmt))


def test_a_layer_in_two_places_is_replaced_in_both(network, x):
    quantize_(network, uniform("mx6"))
    assert network.first is network.again
    assert isinstance(network.again, QuantizedLinear)
    restore_(network)
    assert network.first is network.again
    assert type(network.again) is nn.Linear


def test_restoring_brings_back_the_layers_themselves(network, x):
    before, layers = network(x), list(network.modules())
    quantize_(network, mixdit())
    assert not torch.equal(network(x), before)
    restore_(network)
    assert list(network.modules()) == layers
    assert torch.equal(network(x), before)


def test_only_layers_side_by_side_share_their_input():
    model = nn.ModuleDict({"a": nn.ModuleDict(), "b": nn.Linear(32, 8), "c": nn.Linear(16, 8)})
    model["a"].update({name: nn.Linear(32, 8) for name in ("q", "k", "v")})
    quantize_(model, uniform("mx6"))
    q, k, v = (model["a"][name].shared for name in ("q", "k", "v"))
    assert q is not None and q is k and k is v
    assert model["b"].shared is None and model["c"].shared is None
    twin = copy.deepcopy(model)["a"]
    assert twin["q"].shared is twin["k"].shared is not q


def test_a_copy_is_a_model_of_its_own(network, x):
    quantize_(network, uniform("mx6"))
    twin = copy.deepcopy(network)
    set_mode(twin, "exact")
    assert network.first.mode == "fake"
    for meter in meters(twin).values():
        meter.reset()
    network(x)
    assert all(np.isnan(meter.activation_bits) for meter in meters(twin).values())
    restore_(twin)
    assert isinstance(network.first, QuantizedLinear)


def test_a_policy_may_leave_layers_alone(network, x):
    before = network(x)
    quantize_(network, lambda site: MXScheme("MX6", "MX6") if site.n == 33 else None)
    assert type(network.first) is nn.Linear
    assert list(meters(network)) == ["rest.1"]
    restore_(network)
    quantize_(network, lambda site: None)
    assert network.quantized_sites == ()
    assert torch.equal(network(x), before)


@pytest.mark.parametrize("settings", [
    {"tile_rows": 8}, {"tile_rows": None}, {"tile_rows": 5, "scope": "tile"},
])  # fmt: skip
def test_meters_count_the_bits_that_a_policy_takes(network, x, settings):
    quantize_(network, mixdit(linear=0.3, **settings))
    inputs = []
    network.rest[1].register_forward_pre_hook(lambda _, given: inputs.append(given[0].detach()))
    network(x)
    share = golden.apply_policy(inputs[0].numpy(), golden.Policy(0.3, **settings)).mx9_share
    assert 0.1 < share < 0.5
    meter = meters(network)["rest.1"]
    assert meter.activation_bits == pytest.approx(6 + 3 * share, rel=1e-12)
    assert meter.weight_bits == 6


def test_the_clock_is_set_before_each_pass(network, x):
    clock = Clock()

    def policy(site):
        return TimestepScheme(clock, [(10, MXScheme("MX6", "MX6")), (20, MXScheme("MX9", "MX6"))])

    quantize_(network, policy, clock=clock)
    early, late = network(x, 10), network(x, timestep=torch.tensor([9, 9, 9, 9]))
    assert clock.timestep == 9
    assert not torch.equal(early, late)
    with pytest.raises(ValueError, match=r"no range has the timestep 20\.0"):
        network(x, 20)
    with pytest.raises(ValueError, match="not at 3 to 4"):
        network(x, torch.tensor([3, 4, 3, 3]))
    restore_(network)
    clock.timestep = 5
    network(x, 6)
    assert clock.timestep == 5


@pytest.mark.parametrize("message, change", [
    ("Network is quantized already: restore_ it first, or build it anew", {"again": True}),
    ("Sequential's 0 is quantized already", {"around": True}),
    ("quantize it before torch.compile", {"compiled": True}),
    (r"no linear layer of the model is called 'rest\.7'", {"include": ["rest.1", "rest.7"]}),
])  # fmt: skip
def test_mistakes_get_a_sentence_and_change_nothing(network, message, change):
    if change.keys() & {"again", "around"}:
        quantize_(network, uniform("mx6"))
    model = nn.Sequential(network) if "around" in change else network
    if "compiled" in change:
        model = torch.compile(network)
    layers = list(model.modules())
    with pytest.raises(ValueError, match=message):
        quantize_(model, uniform("mx9"), include=change.get("include", ()))
    assert list(model.modules()) == layers


class Odd(nn.Linear):
    """A linear layer with arithmetic of its own."""


@pytest.mark.parametrize("message, model", [
    ("Sequential has no linear layer and no attention to quantize", nn.Sequential(nn.GELU())),
    ("a single linear layer cannot be replaced in place", nn.Linear(16, 16)),
    ("0 is a Odd, which may multiply in its own way", nn.Sequential(Odd(16, 16))),
    ("0.self_attn is an nn.MultiheadAttention, which multiplies without",
     nn.Sequential(nn.TransformerEncoderLayer(16, 2))),
])  # fmt: skip
def test_models_without_replaceable_layers_are_refused(message, model):
    with pytest.raises(ValueError, match=message):
        find_sites(model)


def test_wrong_calls_get_a_sentence(network):
    for function in (restore_, meters, lambda model: set_mode(model, "exact")):
        with pytest.raises(ValueError, match="Network is not quantized: quantize_ it first"):
            function(network)
    one = MXScheme("MX6", "MX6")
    with pytest.raises(ValueError, match=r"the same scheme to first and rest\.1"):
        quantize_(network, lambda site: one)
    with pytest.raises(ValueError, match="Sequential is given no timestep: leave out the clock"):
        quantize_(nn.Sequential(network), uniform("mx6"), clock=Clock())
    with pytest.raises(ValueError, match="'MX5' is no MX format"):
        uniform("mx5")
    with pytest.raises(ValueError, match="fraction must be from 0 to 1"):
        mixdit(linear=1.5)
    quantize_(network, uniform("mx6"), keep=False)
    with pytest.raises(ValueError, match="mode must be one of fake, exact, not 'slow'"):
        set_mode(network, "slow")
    with pytest.raises(ValueError, match="original weights were not kept"):
        restore_(network)


class Timed(nn.Module):
    """Is given a timestep; may checkpoint."""

    def __init__(self):
        super().__init__()
        self.layer, self.gradient_checkpointing = nn.Linear(32, 32), False

    def forward(self, x, timestep=None):
        return self.layer(x)


@pytest.mark.parametrize("timestep", [None, "now", torch.empty(0), 1j])
def test_a_timestep_that_is_none_is_a_sentence(timestep):
    model = Timed()
    quantize_(model, uniform("mx6"), clock=Clock())
    with pytest.raises(ValueError, match="depends on the timestep, which cannot be"):
        model(torch.ones(2, 32), timestep)


def test_a_clock_and_gradient_checkpointing_exclude_each_other():
    model = Timed()
    quantize_(model, uniform("mx6"), clock=Clock())
    model.gradient_checkpointing = True
    with pytest.raises(ValueError, match="disable_gradient_checkpointing"):
        model(torch.ones(2, 32), 3)
    with torch.no_grad():
        model(torch.ones(2, 32), 3)


def test_a_part_that_is_compiled_is_refused():
    model = nn.Sequential(nn.Linear(32, 32), nn.Linear(32, 32))
    model[1] = torch.compile(model[1], backend="eager")
    with pytest.raises(ValueError, match=r"Sequential's 1 is compiled: quantize it before"):
        quantize_(model, uniform("mx6"))


@pytest.mark.parametrize("keep", [False, True])
def test_a_part_of_a_quantized_model_is_quantized_already(keep):
    part = nn.Sequential(nn.Linear(32, 32))
    whole, other = nn.Sequential(part), nn.Sequential(part, nn.Linear(32, 32))
    quantize_(whole, uniform("mx6"), keep=keep)
    for model in (part, other, whole):
        with pytest.raises(ValueError, match="is quantized already: restore_"):
            quantize_(model, uniform("mx9"))


def test_what_is_no_module_is_refused():
    with pytest.raises(TypeError, match=r"a model is a torch\.nn\.Module, not int"):
        quantize_(3, uniform("mx6"))


def timed(clock):
    def policy(site):
        return TimestepScheme(clock, [(10, MXScheme("MX6", "MX6")), (20, MXScheme("MX9", "MX6"))])

    return policy


@pytest.mark.parametrize("given, message", [
    (None, "the policy needs a clock, for example at first: give quantize_ the clock"),
    (Clock(5.0), "the policy reads another clock than the one given, for example at first"),
])  # fmt: skip
def test_a_clock_that_nobody_sets_is_refused(network, given, message):
    layers = list(network.modules())
    with pytest.raises(ValueError, match=message):
        quantize_(network, timed(Clock(5.0)), clock=given)
    assert list(network.modules()) == layers


def test_two_sites_do_not_share_a_part_of_a_scheme(network):
    scheme, clock = MXScheme("MX6", "MX6"), Clock(5.0)
    schemes = {"first": TimestepScheme(clock, [(9, scheme)]), "rest.1": scheme}
    with pytest.raises(ValueError, match=r"same scheme to first and rest\.1, or parts of one"):
        quantize_(network, lambda site: schemes[site.name], clock=clock)


def own_forward(layer):
    layer.forward = lambda x: x


ATTACHED = {
    "forward hook": lambda layer: layer.register_forward_hook(lambda *_: None),
    "forward pre-hook": lambda layer: layer.register_forward_pre_hook(lambda *_: None),
    "backward hook": lambda layer: layer.register_full_backward_hook(lambda *_: None),
    "state-dict hook": lambda layer: layer.register_state_dict_pre_hook(lambda *_: None),
    "forward of its own": own_forward,
    r"more than it was made with \(scale\)": lambda layer: layer.register_buffer(
        "scale", torch.ones(1)
    ),
    r"more than it was made with \(child\)": lambda layer: layer.add_module("child", nn.Identity()),
    "parametrizations": lambda layer: nn.utils.parametrize.register_parametrization(
        layer, "bias", nn.Identity()
    ),
}


@pytest.mark.parametrize("what", ATTACHED)
def test_what_was_put_on_a_quantized_layer_is_not_lost_by_restoring(network, x, what):
    quantize_(network, uniform("mx6"))
    handle = ATTACHED[what](network.first)
    modules = list(network.modules())
    with pytest.raises(ValueError, match=f"first has .*{what}.*which restore_ would lose"):
        restore_(network)
    assert list(network.modules()) == modules
    if hasattr(handle, "remove"):
        handle.remove()
        restore_(network)
        assert type(network.first) is nn.Linear
