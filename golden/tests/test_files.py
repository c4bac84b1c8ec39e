"""A file of a quantized model holds packed weights, and gives the model's outputs to the bit."""

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import golden
from golden.tests.helpers import assert_same_bits

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from torch import nn  # noqa: E402

from golden.torch import (  # noqa: E402
    Clock,
    ModelPolicy,
    MXScheme,
    Site,
    TimestepScheme,
    load_quantized,
    meters,
    mixdit,
    quantize_,
    restore_,
    save_quantized,
    set_mode,
    uniform,
)

K, HIDDEN, N = 72, 80, 33


class Network(nn.Module):
    """Two layers to quantize and two parameters that stay; one of them is used twice."""

    def __init__(self, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Linear(K, HIDDEN)
        self.last = nn.Linear(HIDDEN, N, bias=False)
        self.norm = nn.LayerNorm(HIDDEN)
        self.norm.bias = nn.Parameter(torch.randn(HIDDEN))
        self.norm.weight = self.norm.bias
        with torch.no_grad():
            self.first.weight[0, :16] /= 2
            self.first.weight[0, 0] = 0.1096  # above the threshold below, 112 * 2**-10 in MX9

    def forward(self, x: torch.Tensor, timestep: float = 0.0) -> torch.Tensor:
        return self.last(self.norm(self.first(x)))


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(4, 25, K, generator=torch.Generator().manual_seed(1))


def order(k: int) -> np.ndarray:
    return np.random.default_rng(k).permutation(k)


def static(site: Site) -> MXScheme:
    """Order channels, fix outlier K-blocks of both operands, correct the bias."""
    tags = np.arange(-(-site.k // 16)) % 4 == 1
    policy = golden.Policy(
        Fraction(1, 3), selection="static", static_tags=tags, order="calibrated",
        permutation=order(site.k), weights=(golden.MX6, golden.MX9), tile_rows=8,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(site.n)
    correction = torch.randn(site.n, generator=generator)
    return MXScheme(policy, policy, outliers=np.roll(tags, 1), correction=correction)


def thresholds(site: Site) -> MXScheme:
    """Choose by magnitude on both sides, with a weight whose rounding is below the threshold."""
    a = golden.Policy(selection="threshold", threshold=1.9, granularity="block")
    b = golden.Policy(selection="threshold", threshold=0.1095, granularity="block")
    return MXScheme(a, b)


def by_time(site: Site, clock: Clock) -> TimestepScheme:
    policies = [
        golden.Policy(share, order="calibrated", permutation=order(site.k)) for share in (0.2, 0.6)
    ]
    ranges = zip((500.0, math.inf), [MXScheme(policy, "MX4") for policy in policies], strict=True)
    return TimestepScheme(clock, list(ranges))


POLICIES: dict[str, ModelPolicy] = {
    "mx4": uniform("mx4"),
    "mx9": uniform("mx9"),
    "mixdit": mixdit(0.3),
    "static": static,
    "thresholds": thresholds,
    "first only": lambda site: static(site) if site.name == "first" else None,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_outputs_come_back_to_the_bit(policy, dtype, x, tmp_path):
    saved, loaded, x = Network().to(dtype), Network(seed=1), x.to(dtype)
    quantize_(saved, policy)
    save_quantized(tmp_path / "model", saved)
    load_quantized(tmp_path / "model", loaded)
    assert loaded.quantized_sites == saved.quantized_sites
    assert loaded.norm.weight.dtype == dtype
    for mode in ("fake", "exact"):
        for each in (saved, loaded):
            set_mode(each, mode)
        assert torch.equal(loaded(x), saved(x))
    for each in (saved, loaded):
        set_mode(each, "fake")
        for meter in meters(each).values():
            meter.reset()
        each(x)
    for name, meter in meters(saved).items():
        assert meters(loaded)[name].activation_bits == meter.activation_bits
        assert meters(loaded)[name].weight_bits == meter.weight_bits
    with pytest.raises(ValueError, match="original weights were not kept"):
        restore_(loaded)


def test_ranges_of_timesteps_come_back(x, tmp_path):
    clock = Clock()
    saved, loaded = Network(), Network(seed=1)
    quantize_(saved, lambda site: by_time(site, clock), clock=clock)
    save_quantized(tmp_path / "model", saved)
    load_quantized(tmp_path / "model", loaded)
    outputs = [loaded(x, timestep) for timestep in (3, 499, 500)]
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[1], outputs[2])
    for output, timestep in zip(outputs, (3, 499, 500), strict=True):
        assert torch.equal(output, saved(x, timestep))


def test_golden_reads_the_weights_as_the_machine_holds_them(tmp_path):
    network = Network()
    weights = {name: getattr(network, name).weight.detach().numpy().T for name in ("first", "last")}
    quantize_(network, static)
    save_quantized(tmp_path / "model", network)
    stored = golden.load(tmp_path / "model")
    assert stored.keys() == weights.keys()
    for name, weight in weights.items():
        scheme = static(Site(name, "linear", *weight.shape))
        expected = golden.quantize_weight(weight, scheme.outliers, scheme.b)
        assert stored[name].format_name == expected.format_name
        assert_same_bits(stored[name].dequantize(), expected.dequantize())


def test_the_file_is_as_small_as_its_formats(tmp_path):
    network = Network()
    quantize_(network, uniform("mx6"))
    save_quantized(tmp_path / "model", network)
    tensors = load_file(tmp_path / "model")
    assert tensors["first.base"].numel() == HIDDEN * math.ceil(K / 16) * 12
    assert tensors["first.residual"].numel() == 0
    names = json.loads(tensors["quantization"].numpy().tobytes())["state"]
    assert set(names) == {"first.bias", "norm.bias", "norm.weight"}
    assert sum(name.startswith("state.") for name in tensors) == 3


def test_equal_arrays_are_stored_once(tmp_path):
    network = nn.Sequential(*(nn.Linear(K, K) for _ in range(3)))
    policy = golden.Policy(order="calibrated", permutation=order(K))
    quantize_(network, lambda site: MXScheme(policy, "MX6"))
    save_quantized(tmp_path / "model", network)
    assert [name for name in load_file(tmp_path / "model") if "scheme" in name] == ["scheme.0"]


class Foreign:
    """A scheme of another kind."""

    correction = activation_key = None

    def __init__(self, site: Site):
        self.meter = MXScheme("MX6", "MX6").meter

    def weight(self, b: torch.Tensor) -> torch.Tensor:
        return b.float()


def test_mistakes_get_a_sentence(tmp_path: Path):
    network, path = Network(), tmp_path / "model"
    with pytest.raises(ValueError, match="Network is not quantized: quantize_ it first"):
        save_quantized(path, network)
    quantize_(network, Foreign)
    with pytest.raises(TypeError, match="Foreign has no packed weights: only schemes in MX"):
        save_quantized(path, network)
    restore_(network)
    quantize_(network, uniform("mx6"))
    save_quantized(path, network)
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
    with pytest.raises(ValueError, match="quantized already"):
        load_quantized(path, network)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_quantized(tmp_path / "missing", Network())


class Wider(Network):
    """The same names, another width."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(HIDDEN, N + 1, bias=False)


class Named(Network):
    """Another parameter."""

    def __init__(self):
        super().__init__()
        self.extra = nn.Parameter(torch.zeros(1))


@pytest.mark.parametrize("model, part", [(Wider, "last"), (Named, "extra")])
def test_a_file_of_another_model_is_refused_and_changes_nothing(model, part, tmp_path):
    network, other = Network(), model()
    quantize_(network, uniform("mx6"))
    save_quantized(tmp_path / "model", network)
    layers, state = list(other.modules()), {k: v.clone() for k, v in other.state_dict().items()}
    with pytest.raises(ValueError, match=f"another model than this {model.__name__}.* in {part}"):
        load_quantized(tmp_path / "model", other)
    assert list(other.modules()) == layers
    assert all(torch.equal(each, state[name]) for name, each in other.state_dict().items())


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "text").write_text("not a safetensors file")
    save_file({"w": torch.ones(3)}, tmp_path / "other")
    golden.save(tmp_path / "weights", {"first": golden.quantize(np.ones((16, 4), "f4"), "MX6", 0)})
    for name, reason in {
        "text": "",
        "other": "it has no tensor 'quantization'",
        "weights": "it has no tensor 'quantization'",
    }.items():
        with pytest.raises(ValueError, match=f"{name} is no file of save_quantized: .*{reason}"):
            load_quantized(tmp_path / name, Network())


def test_a_file_has_the_permissions_of_any_other(tmp_path):
    network = Network()
    quantize_(network, uniform("mx6"))
    (tmp_path / "plain").touch()
    save_quantized(tmp_path / "new", network)
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "plain").chmod(0o604)
    save_quantized(tmp_path / "plain", network)
    assert (tmp_path / "plain").stat().st_mode & 0o777 == 0o604


@pytest.mark.parametrize("name", ["model", "state", "scheme", "quantization"])
@pytest.mark.parametrize("keep", [True, False])
def test_any_name_of_a_module_and_a_layer_in_two_places(name, keep, tmp_path):
    def new():
        layers = nn.ModuleDict({name: nn.Linear(K, K), "0": nn.Linear(K, 3)})
        layers["again"] = layers[name]
        return nn.ModuleDict({name: layers, "norm": nn.LayerNorm(K)})

    saved, loaded, x = new(), new(), torch.randn(2, K)
    quantize_(saved, static, keep=keep)
    save_quantized(tmp_path / "model", saved)
    load_quantized(tmp_path / "model", loaded)
    for key in (name, "0", "again"):
        assert torch.equal(loaded[name][key](x), saved[name][key](x))


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    network = Network()
    quantize_(network, uniform("mx6"))
    (tmp_path / "model").write_text("before")
    monkeypatch.setattr("golden.torch.files.save_file", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_quantized(tmp_path / "model", network)
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model").read_text() == "before"


VALUES = (None, True, -1, 1e400, "x", [], {}, [1], {"array": "9"}, [[]], [None], "uint8")


def changed(document):
    """Give documents in which one value is another one, or missing."""
    for key in document:
        yield {name: each for name, each in document.items() if name != key}
        for value in VALUES:
            if not (key == "dtype" and value is None):
                yield document | {key: value}
    for part in (0, 1):
        for key in document["sites"][0][part]:
            for value in VALUES:
                pair = list(document["sites"][0])
                if pair[part][key] != value:
                    pair[part] = pair[part] | {key: value}
                    yield document | {"sites": [pair, *document["sites"][1:]]}


def test_hostile_documents_are_refused_and_change_nothing(tmp_path):
    network, other = Network(), Network(seed=1)
    quantize_(network, static)
    save_quantized(tmp_path / "model", network)
    tensors = load_file(tmp_path / "model")
    with safe_open(tmp_path / "model", framework="pt") as file:
        metadata = file.metadata()
    document = json.loads(tensors["quantization"].numpy().tobytes())
    texts = [json.dumps(each) for each in changed(document)]
    texts += ["[" * 100000, "null", "3", "[]", "{}"]
    layers, state = list(other.modules()), {k: v.clone() for k, v in other.state_dict().items()}
    refused = 0
    for text in texts:
        bits = torch.frombuffer(bytearray(text, "utf-8"), dtype=torch.uint8)
        save_file(tensors | {"quantization": bits}, tmp_path / "hostile", metadata)
        try:
            load_quantized(tmp_path / "hostile", other)
        except ValueError:
            refused += 1
        else:  # another policy, or none: as good a model as any
            other = Network(seed=1)
            layers = list(other.modules())
        assert list(other.modules()) == layers
        assert all(torch.equal(each, state[name]) for name, each in other.state_dict().items())
    assert refused > 0.8 * len(texts)


class Own(MXScheme):
    """Quantizes A in its own way."""

    def activation(self, a):
        return a.float()


def test_a_scheme_with_an_activation_of_its_own_is_not_saved(tmp_path):
    network = Network()
    quantize_(network, lambda site: Own("MX6", "MX6"))
    with pytest.raises(TypeError, match="Own quantizes A in its own way"):
        save_quantized(tmp_path / "model", network)
    assert not list(tmp_path.iterdir())


def test_names_are_no_patterns(x, tmp_path):
    def made(seed):
        torch.manual_seed(seed)
        return nn.ModuleDict({"a[b]": nn.Linear(K, N)})

    saved, loaded = made(0), made(1)
    quantize_(saved, uniform("mx6"))
    save_quantized(tmp_path / "model", saved)
    load_quantized(tmp_path / "model", loaded)
    assert torch.equal(loaded["a[b]"](x), saved["a[b]"](x))


def test_a_loaded_model_does_not_follow_its_file(x, tmp_path):
    saved, loaded = Network(), Network(seed=1)
    quantize_(saved, uniform("mx6"))
    save_quantized(tmp_path / "model", saved)
    load_quantized(tmp_path / "model", loaded)
    with open(tmp_path / "model", "r+b") as file:
        file.write(b"\xff" * (tmp_path / "model").stat().st_size)
    assert torch.equal(loaded(x), saved(x))
    assert all(each.data_ptr() % 64 == 0 for each in loaded.state_dict().values())
