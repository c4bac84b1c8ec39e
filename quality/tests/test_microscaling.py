"""OCP's block formats against their definition, and against gfloat, to the bit."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from golden.torch import Site  # noqa: E402
from quality.baselines import microscaling  # noqa: E402
from quality.baselines.microscaling import FORMATS, Microscaling  # noqa: E402
from quality.tests.format_vectors import (  # noqa: E402
    DTYPES,
    corner_rows,
    magnitudes,
    nearest,
    random_rows,
)

ELEMENT = {  # of each format: the largest power of two, and all values of a positive number
    "mxfp8_e4m3": (8, magnitudes("e4m3")),
    "mxfp8_e5m2": (15, magnitudes("e5m2")),
    "mxfp6_e2m3": (2, magnitudes("e2m3")),
    "mxfp6_e3m2": (4, magnitudes("e3m2")),
    "mxfp4": (2, magnitudes("e2m1")),
    "mxint8": (0, np.arange(128) / 64),
}
WIDTHS = {"mxfp8_e4m3": 8.25, "mxfp8_e5m2": 8.25, "mxint8": 8.25, "mxfp6_e2m3": 6.25,
          "mxfp6_e3m2": 6.25, "mxfp4": 4.25}  # fmt: skip


def by_definition(row: np.ndarray, name: str) -> np.ndarray:
    """Quantize a row block by block: OCP Microscaling Formats v1.0, section 6.3."""
    largest_exponent, values = ELEMENT[name]
    blocks = []
    for start in range(0, len(row), 32):
        block = row[start : start + 32].astype(np.float64)
        if not np.isfinite(block).all():
            blocks.append(np.full(len(block), np.nan))
            continue
        largest = np.abs(block).max()
        exponent = math.frexp(largest)[1] - 1 - largest_exponent
        scale = 2.0 ** min(max(exponent, -127), 127)
        quantized = nearest(block / scale, values) * scale
        blocks.append(quantized + 0.0 if name == "mxint8" else quantized)
    return np.concatenate(blocks).astype(np.float32)


def same_bits(values: torch.Tensor, expected: np.ndarray) -> bool:
    """Whether two arrays have the same bits, where any NaN is like any other."""
    first, second = values.numpy(), expected
    lost = np.isnan(first)
    if not np.array_equal(lost, np.isnan(second)):
        return False
    return first[~lost].tobytes() == second[~lost].tobytes()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("width", [1, 31, 32, 33, 64, 100])
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_equal_the_definition(name: str, width: int, dtype: torch.dtype):
    x = torch.cat([random_rows(width), corner_rows(width)]).to(dtype)  # FP16 overflows: infinities
    x[-1, 0], x[-2, -1] = torch.nan, torch.inf
    expected = [by_definition(row, name) for row in x.float().numpy()]
    assert same_bits(FORMATS[name](x), np.stack(expected))


@pytest.mark.parametrize("name", FORMATS)
def test_gfloat_makes_the_same_blocks(name: str):
    pytest.importorskip("gfloat", reason="gfloat is not installed: pip install '.[formats]'")
    from gfloat import formats
    from gfloat.block import compute_scale_amax, quantize_block

    full_name = "mxfp4_e2m1" if name == "mxfp4" else name
    info = getattr(formats, f"format_info_{full_name}")
    x = torch.cat([random_rows(32, rows=60), corner_rows(32)])
    values = FORMATS[name](x)
    for row, found in zip(x.double().numpy(), values.numpy(), strict=True):
        expected = quantize_block(info, row, compute_scale_amax)
        if name == "mxint8":  # gfloat uses the code of -2, which the specification leaves open
            unused = -2 * compute_scale_amax(info.etype.emax, row)
            expected[expected == unused] = unused * 127 / 128
        assert found.tobytes() == expected.astype(np.float32).tobytes(), row


def test_what_the_scale_rule_saturates_and_what_not():
    block = torch.zeros(32)
    block[0], block[1] = 511.0, 0.4
    assert FORMATS["mxfp8_e4m3"](block)[:2].tolist() == [448.0, 0.40625]
    assert FORMATS["mxfp4"](torch.full((32,), -7.9)).unique().tolist() == [-6.0]
    assert FORMATS["mxint8"](torch.full((32,), 1.999)).unique().tolist() == [127 / 64]
    assert FORMATS["mxfp4"](torch.full((32,), 8.0)).unique().tolist() == [8.0]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_block_with_a_nan_or_an_infinity_is_nan_and_no_other(value: float):
    x = torch.ones(2, 80)
    x[0, 40], x[1, 79] = value, value
    lost = FORMATS["mxfp8_e5m2"](x).isnan()
    expected = torch.zeros(2, 80, dtype=torch.bool)
    expected[0, 32:64], expected[1, 64:] = True, True
    assert torch.equal(lost, expected)


@pytest.mark.parametrize("shape", [(0, 32), (3, 0), (2, 3, 5, 70), (7,)])
def test_shapes_are_kept(shape: tuple[int, ...]):
    x = torch.randn(shape)
    for fmt in FORMATS.values():
        assert fmt(x).shape == x.shape
        assert fmt(x.flip(-1)).dtype == torch.float32


def test_integers_are_refused():
    with pytest.raises(TypeError, match=r"floating-point numbers are quantized, not torch.int64"):
        FORMATS["mxfp4"](torch.arange(32))


def test_a_format_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="there is no format 'mxfp5'; there are mxfp8_e4m3, mxfp"):
        microscaling("mxfp5")


@pytest.mark.parametrize("name", FORMATS)
def test_bits_are_those_of_codes_and_a_scale_for_each_block(name: str):
    scheme = microscaling(name)(Site("layer", "linear", 64, 3))
    scheme.activation(torch.ones(5, 64))
    scheme.weight(torch.ones(3, 64))
    assert scheme.meter.activation_bits == scheme.meter.weight_bits == WIDTHS[name]
    code = WIDTHS[name] - 0.25
    assert FORMATS[name].stored_bits(torch.Size([2, 10, 50])) == 20 * (50 * code + 2 * 8)


def test_both_operands_of_every_product_are_quantized_along_their_last_axis():
    fmt = FORMATS["mxfp4"]
    x = random_rows(40, rows=6).clamp(-1e30, 1e30)
    for kind in ("linear", "qk", "pv"):
        scheme = microscaling("mxfp4")(Site("x", kind, 40, 6))
        assert torch.equal(scheme.activation(x), fmt(x))
        assert torch.equal(scheme.weight(x), fmt(x))
        assert scheme.activation_key == Microscaling("MXFP4", fmt.element)


def test_the_gradient_is_that_of_the_identity():
    scheme = microscaling("mxfp4")(Site("layer", "linear", 40, 3))
    x = torch.randn(5, 40, requires_grad=True)
    scheme.activation(x).mul(torch.arange(200.0).view(5, 40)).sum().backward()
    assert torch.equal(x.grad, torch.arange(200.0).view(5, 40))


def test_the_exact_mode_is_refused_by_name():
    scheme = microscaling("mxfp6_e3m2")(Site("layer", "linear", 32, 3))
    with pytest.raises(TypeError, match=r"the accelerator has no MXFP6 \(E3M2\): compare baseline"):
        scheme.exact(torch.ones(1, 32), torch.ones(3, 32))
