"""`quantize_` on diffusers' three transformers: nothing missed, nothing twice, golden's bits."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import golden
from golden.mx import MXTensor
from perf.workloads import load_models
from perf.workloads.configurations import CONFIGURATIONS

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from diffusers.models.attention_processor import AttnProcessor  # noqa: E402

from golden import torch as quantized  # noqa: E402
from perf.workloads.trace import Trace  # noqa: E402
from quality.tests.tiny_models import BUILDERS, cast  # noqa: E402
from quality.zoo.products import Made, Products, Tagged  # noqa: E402

EACH = pytest.mark.parametrize("name", BUILDERS)
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
POLICIES = {"uniform": quantized.uniform("mx6"), "mixdit": quantized.mixdit(0.3, 0.4)}
BLOCKS = "transformer_blocks"


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    """Run as inference does."""
    with torch.no_grad():
        yield


def is_meant(owner: str, gemm: str) -> bool:
    """Return whether a GEMM lies in a block and not in its adaptive normalisation."""
    return bool(owner) and not gemm.startswith("norm")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_sites_have_the_names_and_shapes_of_the_workloads(name: str):
    configuration = CONFIGURATIONS[name]
    with torch.device("meta"):
        model = getattr(diffusers, configuration.class_name)(**configuration.arguments)
    sites = {site.name: site for site in quantized.find_sites(model)}
    number = 0
    for block in load_models()[name].blocks[1:]:
        for _ in range(block.count):
            for gemm in block.gemms:
                if gemm.name.startswith("norm"):
                    continue
                site = sites.pop(f"{BLOCKS}.{number}.{gemm.name}")
                assert site.kind == gemm.kind
                assert site.k in (gemm.k, None if gemm.kind == "pv" else gemm.k)
                assert site.n in (gemm.n, None if gemm.kind == "qk" else gemm.n)
                assert (site.k is None, site.n is None) == (site.kind == "pv", site.kind == "qk")
                assert gemm.count % site.heads == 0
            number += 1
    assert not sites
    assert number == len(model.transformer_blocks)


@EACH
def test_every_intended_product_runs_once_on_quantized_operands(name: str):
    model, inputs = BUILDERS[name]()
    trace = Trace(model, BLOCKS, only_gemms=True)
    with trace.watching():
        model(**inputs)
    gemms = [(each.owner, each.what) for each in trace.found if each.what.name != "pos_embed.proj"]
    meant = [f"{owner}.{gemm.name}" for owner, gemm in gemms if is_meant(owner, gemm.name)]
    left = [(gemm.m, gemm.k, gemm.n) for owner, gemm in gemms if not is_meant(owner, gemm.name)]

    made: Made = {}
    quantized.quantize_(model, lambda site: Tagged(site, made))
    products = Products(made)
    with products:
        model(**inputs)
    assert sorted(site.name for site in model.quantized_sites) == sorted(meant)
    assert products.of_sites == Counter(meant)  # each of them once
    assert products.others == Counter(left)  # and no other product of the blocks
    assert products.fused == 0


class Spy:
    """A scheme that keeps the operands and results of its GEMM."""

    def __init__(self, scheme: quantized.MXScheme):
        self.scheme = scheme
        self.calls: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scheme, name)

    def exact(self, a: torch.Tensor, b: Any) -> torch.Tensor:
        c = self.scheme.exact(a, b)
        self.calls.append((a.clone(), b, c.clone()))
        return c


def spied(policy: quantized.ModelPolicy) -> tuple[quantized.ModelPolicy, dict[str, Spy]]:
    """Return a policy whose schemes are spied on, and the spies by name of the site."""
    spies: dict[str, Spy] = {}

    def scheme(site: quantized.Site) -> Spy:
        return spies.setdefault(site.name, Spy(policy(site)))

    return scheme, spies


def quantize(x: torch.Tensor, precision: Any) -> MXTensor:
    """Quantize with the NumPy model: blocks along the last axis."""
    wide = x.float().numpy()
    if isinstance(precision, golden.Policy):
        return golden.apply_policy(wide, precision)
    return golden.quantize(wide, precision)


def matrix(tensor: MXTensor, index: tuple[int, ...]) -> MXTensor:
    """Take one matrix (rows, K) out of a tensor (..., rows, K)."""
    names = ("exponent", "microexponent", "mantissa", "sign", "is_mx9")
    codes = {name: getattr(tensor, name)[index] for name in names}
    return MXTensor(tensor.format, tensor.shape[-2:], 1, **codes)


def as_bits(x: Any) -> np.ndarray:
    """Return bit patterns of FP32, FP16 or BF16 numbers, NumPy's or torch's."""
    if isinstance(x, torch.Tensor):
        x = x.view({4: torch.int32, 2: torch.int16}[x.element_size()]).numpy()
    return x.view({4: np.uint32, 2: np.uint16}[x.itemsize])


@EACH
@DTYPES
@pytest.mark.parametrize("policy", POLICIES)
def test_exact_mode_has_the_bits_of_golden_in_every_layer(name, dtype, policy):
    model, inputs = BUILDERS[name]()
    weights = {
        layer: (module.weight.to(dtype), module.bias.to(dtype))
        for layer, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    policy, spies = spied(POLICIES[policy])
    model.to(dtype)
    quantized.quantize_(model, policy)
    quantized.set_mode(model, "exact")
    outputs: dict[str, torch.Tensor] = {}
    for site in model.quantized_sites:
        if site.kind == "linear":
            model.get_submodule(site.name).register_forward_hook(
                lambda _, given, result, layer=site.name: outputs.update({layer: result})
            )
    assert model(**cast(inputs, dtype)).sample.dtype == dtype

    for site in model.quantized_sites:
        ((a, b, c),) = spies[site.name].calls
        scheme = spies[site.name].scheme
        rows = quantize(a, scheme.a)
        if site.kind == "linear":
            weight, bias = weights[site.name]
            columns = quantize(weight, scheme.b).transpose()
            output = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}[str(dtype)[6:]]
            given = bias.float().numpy()
            for index in np.ndindex(a.shape[:-2]):
                part = matrix(rows, index)
                assert np.array_equal(as_bits(c[index]), as_bits(golden.gemm(part, columns)))
                expected = golden.gemm(part, columns, bias=given, output=output)
                assert np.array_equal(as_bits(outputs[site.name][index]), as_bits(expected))
        else:
            columns = quantize(b, scheme.b)
            for index in np.ndindex(a.shape[:-2]):
                expected = golden.gemm(matrix(rows, index), matrix(columns, index).transpose())
                assert np.array_equal(as_bits(c[index]), as_bits(expected))


@EACH
@DTYPES
def test_fake_mode_is_within_the_bound_of_exact_mode_in_every_layer(name, dtype):
    model, inputs = BUILDERS[name]()
    policy, spies = spied(POLICIES["mixdit"])
    model.to(dtype)
    quantized.quantize_(model, policy)
    quantized.set_mode(model, "exact")
    model(**cast(inputs, dtype))
    for site in model.quantized_sites:
        ((a, b, exact),) = spies[site.name].calls
        scheme = spies[site.name].scheme
        x = scheme.activation(a)
        y = model.get_submodule(site.name).weight if site.kind == "linear" else scheme.weight(b)
        fake = x @ y.mT
        assert not torch.equal(fake, torch.zeros_like(fake))
        assert torch.all((fake.double() - exact).abs() <= quantized.fake_bound(x, y))


@EACH
@DTYPES
def test_restoring_gives_the_original_outputs_to_the_bit(name, dtype):
    model, inputs = BUILDERS[name]()
    model.to(dtype)
    inputs = cast(inputs, dtype)
    before, state = model(**inputs).sample, list(model.state_dict())
    quantized.quantize_(model, POLICIES["mixdit"])
    assert not torch.equal(model(**inputs).sample, before)
    quantized.restore_(model)
    assert torch.equal(model(**inputs).sample, before)
    assert list(model.state_dict()) == state
    assert not hasattr(model, "quantized_sites")
    quantized.quantize_(model, POLICIES["uniform"])  # and once more


@EACH
@DTYPES
def test_a_saved_model_comes_back_with_the_same_bits(name, dtype, tmp_path):
    model, inputs = BUILDERS[name]()
    model.to(dtype)
    inputs = cast(inputs, dtype)
    quantized.quantize_(model, POLICIES["mixdit"])
    quantized.save_quantized(tmp_path / "model.safetensors", model)
    other = type(model).from_config(model.config).eval()
    quantized.load_quantized(tmp_path / "model.safetensors", other)
    assert other.quantized_sites == model.quantized_sites
    assert other.unquantized_sites == model.unquantized_sites
    assert torch.equal(other(**inputs).sample, model(**inputs).sample)
    for each in (model, other):
        quantized.set_mode(each, "exact")
    assert torch.equal(other(**inputs).sample, model(**inputs).sample)


def test_a_compiled_model_has_the_same_bits():
    model, inputs = BUILDERS["dit"]()
    quantized.quantize_(model, POLICIES["mixdit"])
    expected = model(**inputs).sample
    torch.compiler.reset()
    assert torch.equal(torch.compile(model, backend="eager")(**inputs).sample, expected)


@EACH
def test_the_clock_follows_the_timestep(name):
    model, inputs = BUILDERS[name]()
    clock = quantized.Clock()

    def by_time(site: quantized.Site) -> quantized.TimestepScheme:
        schemes = (quantized.MXScheme(fmt, "MX6") for fmt in ("MX6", "MX9"))
        return quantized.TimestepScheme(clock, list(zip((8, np.inf), schemes, strict=True)))

    quantized.quantize_(model, by_time, clock=clock)
    at = [model(**inputs | {"timestep": torch.full((3,), step)}).sample for step in (7, 8)]
    assert clock.timestep == 8
    for fmt, result, step in (("MX6", at[0], 7), ("MX9", at[1], 8)):
        fixed, _ = BUILDERS[name]()
        quantized.quantize_(fixed, lambda site, fmt=fmt: quantized.MXScheme(fmt, "MX6"))
        assert torch.equal(fixed(**inputs | {"timestep": torch.full((3,), step)}).sample, result)
    with pytest.raises(ValueError, match=r"at one timestep .* not at 1 to 7"):
        model(**inputs | {"timestep": torch.tensor([7, 1, 7])})


def test_further_layers_are_quantized_if_asked():
    model, inputs = BUILDERS["dit"]()
    ordinary = {site.name for site in quantized.find_sites(model)}
    include = ["proj_out_*", "*.norm1.linear"]
    sites = {site.name for site in quantized.find_sites(model, include)}
    norms = {f"{BLOCKS}.{number}.norm1.linear" for number in range(2)}
    assert sites - ordinary == {"proj_out_1", "proj_out_2"} | norms
    quantized.quantize_(model, POLICIES["uniform"], include=include)
    quantized.meters(model)["proj_out_2"].reset()
    model(**inputs)
    assert quantized.meters(model)["proj_out_2"].activations.elements == 3 * 25 * 144


def test_fused_projections_are_refused():
    model, _ = BUILDERS["sd3"]()
    model.fuse_qkv_projections()
    with pytest.raises(ValueError, match=r"transformer_blocks\.0\.attn has fused projections"):
        quantized.quantize_(model, POLICIES["uniform"])
    model.unfuse_qkv_projections()  # as the sentence says
    quantized.quantize_(model, POLICIES["uniform"])
    assert quantized.find_sites(BUILDERS["sd3"]()[0]) == list(model.quantized_sites)


def test_a_foreign_processor_is_named_and_left_alone():
    model, inputs = BUILDERS["dit"]()
    model.transformer_blocks[1].attn1.set_processor(AttnProcessor())
    with pytest.warns(UserWarning, match=r"^2 products .*1\.attn1\.qk uses AttnProcessor,"):
        quantized.quantize_(model, POLICIES["uniform"])
    named = {each.name: each.reason for each in model.unquantized_sites}
    for kind in ("qk", "pv"):
        assert named[f"{BLOCKS}.1.attn1.{kind}"].startswith("uses AttnProcessor, which has no call")
    assert sum(site.kind == "qk" for site in model.quantized_sites) == 1
    assert isinstance(model.transformer_blocks[1].attn1.get_processor(), AttnProcessor)
    model(**inputs)


def test_attention_alone_or_linear_layers_alone_can_be_quantized():
    for kinds in ({"linear"}, {"qk"}, {"pv"}):
        model, inputs = BUILDERS["pixart"]()
        made: Made = {}
        quantized.quantize_(
            model,
            lambda site, made=made, kinds=kinds: Tagged(site, made) if site.kind in kinds else None,
        )
        with Products(made) as products:
            model(**inputs)
        assert {site.kind for site in model.quantized_sites} == kinds
        assert products.of_sites == Counter(site.name for site in model.quantized_sites)
