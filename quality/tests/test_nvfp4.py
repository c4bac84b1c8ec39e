"""NVFP4 against its description, in NumPy's FP32, to the bit."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from golden.torch import Site  # noqa: E402
from quality.baselines import nvfp4  # noqa: E402
from quality.baselines.nvfp4 import NVFP4  # noqa: E402
from quality.tests.format_vectors import (  # noqa: E402
    DTYPES,
    corner_rows,
    magnitudes,
    nearest,
    random_rows,
)

E2M1, E4M3 = magnitudes("e2m1"), magnitudes("e4m3")


def by_definition(x: np.ndarray) -> np.ndarray:
    """Quantize rows block by block; every product and quotient is rounded to FP32."""
    one = np.float32(1)
    blocks = [row[start : start + 16] for row in x for start in range(0, len(row), 16)]
    largest = [np.abs(block).max() if np.isfinite(block).all() else np.nan for block in blocks]
    whole = np.nanmax([*largest, np.float32(0)]).astype(np.float32)
    tensor_scale = max(whole / np.float32(6 * 448), np.float32(2**-117))
    quantized = []
    for block, top in zip(blocks, largest, strict=True):
        if np.isnan(top):
            quantized.append(np.full(len(block), np.nan, np.float32))
            continue
        quotient = np.float64(top / np.float32(6) / tensor_scale)
        scale = np.float32(nearest(quotient, E4M3))
        factor = one / tensor_scale / scale if scale else np.float32(0)
        codes = nearest((block * factor).astype(np.float64), E2M1).astype(np.float32)
        quantized.append(codes * (tensor_scale * scale))
    return np.concatenate(quantized).reshape(x.shape)


def tensors(width: int) -> list[torch.Tensor]:
    """Return tensors whose blocks lie far apart and close together, in float32."""
    rows = random_rows(width)
    generator = torch.Generator().manual_seed(1)
    close = torch.randn(64, width, generator=generator)
    spread = close * 2.0 ** torch.randint(-14, 15, (64, 1), generator=generator)
    return [close, spread, rows, rows.clamp(-1e-30, 1e-30), torch.zeros(3, width),
            torch.full((4, width), -3.0), close * 2.0**-120, close * 2.0**-140,
            *corner_rows(width).abs().clamp(max=1e38).unsqueeze(1)]  # fmt: skip


@pytest.mark.parametrize("width", [1, 15, 16, 17, 48, 100])
@pytest.mark.parametrize("dtype", DTYPES)
@np.errstate(over="ignore", under="ignore")
def test_values_equal_the_description(width: int, dtype: torch.dtype):
    for x in tensors(width):
        x = x.to(dtype)
        assert NVFP4()(x).numpy().tobytes() == by_definition(x.float().numpy()).tobytes()


def test_tiny_blocks_keep_what_subnormal_scales_leave_and_then_nothing():
    x = torch.zeros(4, 16)
    x[0, 0] = 6 * 448.0  # the tensor's scale is 1
    x[1, :2] = torch.tensor([6 * 2.0**-9, 1.5 * 2.0**-9])  # the least scale of E4M3
    x[2, :] = 6 * 2.0**-10  # a tie, to the even code: 0
    x[3, :] = 6 * 2.0**-10 * 1.01
    values = NVFP4()(x)
    assert torch.equal(values[:3], x[:3] * torch.tensor([[1.0], [1.0], [0.0]]))
    assert values[3].tolist() == [3 * 2.0**-9] * 16


def test_the_largest_numbers_of_fp32_stay_finite():
    top = torch.finfo(torch.float32).max
    for ulps in range(200):
        x = torch.full((1, 16), top).view(torch.int32).sub(ulps).view(torch.float32)
        assert NVFP4()(x).isfinite().all()
        assert (NVFP4()(x) >= top * 0.999).all()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_block_with_a_nan_or_an_infinity_is_nan_and_changes_no_other(value: float):
    x = torch.randn(2, 40, generator=torch.Generator().manual_seed(2))
    x[0, :16] = 0
    expected = NVFP4()(x)
    x[0, 5] = value
    values = NVFP4()(x)
    assert values[0, :16].isnan().all()
    assert torch.equal(values[0, 16:], expected[0, 16:])
    assert torch.equal(values[1], expected[1])
    assert NVFP4()(torch.full((2, 20), value)).isnan().all()


@pytest.mark.parametrize("shape", [(0, 16), (3, 0), (2, 3, 5, 70), (7,)])
def test_shapes_are_kept(shape: tuple[int, ...]):
    x = torch.randn(shape)
    assert NVFP4()(x).shape == x.shape
    assert NVFP4()(x.bfloat16()).dtype == torch.float32


def test_integers_are_refused():
    with pytest.raises(TypeError, match=r"floating-point numbers are quantized, not torch.int32"):
        NVFP4()(torch.arange(32, dtype=torch.int32))


def test_bits_are_those_of_codes_and_of_both_kinds_of_scales():
    scheme = nvfp4()(Site("x", "pv", None, None))
    scheme.activation(torch.ones(2, 5, 64))
    scheme.weight(torch.ones(2, 3, 50))
    assert scheme.meter.activation_bits == 4.5 + 32 / 640
    assert scheme.meter.weight_bits == (300 * 4 + 6 * 4 * 8 + 32) / 300


def test_the_gradient_is_that_of_the_identity():
    scheme = nvfp4()(Site("layer", "linear", 40, 3))
    x = torch.randn(5, 40, requires_grad=True)
    scheme.weight(x).mul(torch.arange(200.0).view(5, 40)).sum().backward()
    assert torch.equal(x.grad, torch.arange(200.0).view(5, 40))


def test_the_exact_mode_is_refused_by_name():
    scheme = nvfp4()(Site("layer", "linear", 32, 3))
    with pytest.raises(TypeError, match="the accelerator has no NVFP4: compare baselines in"):
        scheme.exact(torch.ones(1, 32), torch.ones(3, 32))
