"""Integer quantization against a second formulation, number by number, and inside of a model."""

import numpy as np
import pytest

from quality.recipe import TrainingRecipe

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from golden import qsnr  # noqa: E402
from golden.torch import Site, find_sites, meters, quantize_, restore_, set_mode  # noqa: E402
from quality.baselines import integer  # noqa: E402
from quality.baselines.uniform import Uniform  # noqa: E402
from quality.model import build_model  # noqa: E402


def by_numbers(row: list[float], bits: int, codes: str) -> list[np.float32]:
    """Quantize one group: FP16 scale, codes rounded half to even by Python, FP32 products."""
    row = [np.float32(value) for value in row]
    low = min(0, *row) if codes == "affine" else 0
    high = max(0, *row) if codes == "affine" else max(abs(value) for value in row)
    top = 2 ** (bits - 1) - 1 if codes == "signed" else 2**bits - 1
    scale = np.float32(np.float16(max((high - low) / np.float32(top), np.float32(2**-24))))
    zero = round(float(-low / scale)) if codes == "affine" else 0
    least = -top if codes == "signed" else 0
    quantized = [round(float(value / scale)) + min(zero, top) for value in row]
    return [np.float32(min(max(code, least), top) - min(zero, top)) * scale for code in quantized]


@pytest.mark.parametrize("bits", [2, 4, 6, 8])
@pytest.mark.parametrize("codes", ["signed", "unsigned", "affine"])
@pytest.mark.parametrize("group", [None, 5, 8])
def test_values_equal_a_second_formulation(bits: int, codes: str, group: int | None):
    generator = np.random.default_rng(bits)
    x = generator.normal(size=(6, 19)).astype(np.float32)
    x *= 10.0 ** generator.integers(-6, 4, (6, 1))
    x[0] = np.abs(x[0])  # ranges that do not span 0
    x[1] = -np.abs(x[1])
    x[2] = 0
    if codes == "unsigned":
        x = np.abs(x)
    values = Uniform(bits, codes, group)(torch.from_numpy(x)).numpy()
    width = group or 19
    for row, quantized in zip(x, values, strict=True):
        expected = [
            value
            for start in range(0, 19, width)
            for value in by_numbers(row[start : start + width], bits, codes)
        ]
        assert quantized.tolist() == [float(value) for value in expected]


def test_a_group_with_a_nan_or_beyond_fp16_is_nan_and_no_other():
    x = torch.ones(4, 8)
    x[0, 1], x[1, 6], x[2, 2] = torch.nan, torch.inf, 3e38
    values = Uniform(8, "signed", 4)(x)
    lost = values.unflatten(-1, (2, 4)).isnan().all(-1)
    assert lost.tolist() == [[True, False], [False, True], [True, False], [False, False]]
    assert values.isnan().sum() == 12
    assert (values[3] == values[0, 4]).all()


def test_eight_bits_are_24_decibels_better_than_four():
    x = torch.randn(200, 128, generator=torch.Generator().manual_seed(0))
    quality = {bits: qsnr(x.numpy(), Uniform(bits)(x).numpy()) for bits in (4, 8)}
    # 20 log10(127 / 7) = 25.2 between the two steps.
    assert quality[8] - quality[4] == pytest.approx(20 * np.log10(127 / 7), abs=0.5)


def test_scales_and_zero_points_are_counted():
    shape = torch.Size([3, 10, 50])
    assert Uniform(8).stored_bits(shape) == 30 * (50 * 8 + 16)
    assert Uniform(4, "affine", 16).stored_bits(shape) == 30 * (50 * 4 + 4 * (16 + 4))
    assert Uniform(6, "unsigned", 64).stored_bits(shape) == 30 * (50 * 6 + 16)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((1,), "2 to 8 bits, not 1"),
        ((9,), "2 to 8 bits, not 9"),
        ((8, "float"), "signed, unsigned or affine, not 'float'"),
        ((8, "signed", 0), "at least 1 number, not 0"),
    ],
)
def test_bad_settings_are_refused(settings: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        Uniform(*settings)


def test_the_gradient_is_that_of_the_identity():
    scheme = integer(4)(Site("layer", "linear", 8, 3))
    x = torch.randn(5, 8, requires_grad=True)
    scheme.activation(x).mul(torch.arange(40.0).view(5, 8)).sum().backward()
    assert torch.equal(x.grad, torch.arange(40.0).view(5, 8))


@pytest.fixture
def model(tiny: TrainingRecipe) -> torch.nn.Module:
    """Return a small transformer whose gates are open."""
    model = build_model(tiny).eval()
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    return model


def outputs(model: torch.nn.Module) -> np.ndarray:
    """Return what the model makes of fixed inputs."""
    images = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return model(images, torch.tensor([500] * 3), torch.tensor([0, 5, 9])).sample.numpy()


def test_a_model_is_quantized_at_every_site_and_better_with_more_bits(model: torch.nn.Module):
    exact, sites = outputs(model), find_sites(model)
    quality = []
    for bits in (4, 6, 8):
        quantize_(model, integer(bits))
        assert {site.name for site in model.quantized_sites} == {site.name for site in sites}
        quality.append(qsnr(exact, outputs(model)))
        restore_(model)
    assert quality[0] > 3
    assert 8 < quality[1] - quality[0] < 18
    assert 8 < quality[2] - quality[1] < 18
    assert outputs(model).tobytes() == exact.tobytes()


def test_widths_are_those_of_codes_and_row_scales(model: torch.nn.Module):
    quantize_(model, integer(8, weight_bits=4))
    for meter in meters(model).values():
        meter.reset()
    outputs(model)
    for site in model.quantized_sites:
        meter = meters(model)[site.name]
        k = site.k or 16  # tokens, in P V
        assert meter.activation_bits == 8 + 16 / k
        assert meter.weight_bits == (4 if site.kind == "linear" else 8) + 16 / k


def test_softmax_has_codes_from_zero():
    weights = torch.rand(4, 64, generator=torch.Generator().manual_seed(3))
    signed, unsigned = (
        integer(4)(Site("x", kind, 64, 64)).activation(weights) for kind in ("qk", "pv")
    )
    assert len(signed[0].unique()) <= 8
    assert 8 < len(unsigned[0].unique()) <= 16


def test_the_exact_mode_is_refused(model: torch.nn.Module):
    quantize_(model, integer(8))
    with pytest.raises(TypeError, match="the accelerator has no integer formats"):
        set_mode(model, "exact")
        outputs(model)
