"""AMD Quark 0.13 quantizes every finite FP32 block to the same codes.

Compared with its `real_quantize_mx6_mx9` (shared exponents, microexponents, signed mantissas) and
`fake_quantize_mx6_mx9` (values), for MX9 and MX6; it has no MX4. The classes where it differs:

- The sign of zero, which we keep. Quark drops it in zeros and subnormals (and keeps it in elements
  that round to zero).
- The exponent of an all-zero block. Quark reports -127, which is our biased 0, so no difference.
- Blocks with an infinity or a NaN. Quark has no encoding for them: it leaves those elements as they
  are and quantizes the others as if they were 0. Our whole block is NaN, as hardware needs it.
- FP16 inputs. Quark counts FP16 subnormals as zero; they are FP32 normals, so we count them in
  full.
- Tails shorter than a block agree: Quark pads with zeros, too.

Needs the extra `oracle`; skipped where it is absent.
"""

import numpy as np
import pytest

import golden
from golden.formats import MX6, MX9
from golden.tests.helpers import random_blocks

torch = pytest.importorskip("torch")
pytest.importorskip("quark", reason="needs the extra 'oracle' (amd-quark)")
quark = pytest.importorskip("quark.torch.kernel.hw_emulation.hw_emulation_interface")

FORMATS = pytest.mark.parametrize("fmt", [MX9, MX6], ids=["MX9", "MX6"])


def fake(x, fmt):
    given = torch.from_numpy(np.array(x))
    bits = fmt.mantissa_bits + 1
    return quark.fake_quantize_mx6_mx9(given, -1, 16, quant_bit=bits, sub_block_size=2).numpy()


def real(x, fmt):
    given = torch.from_numpy(np.array(x))
    bits = fmt.mantissa_bits + 1
    return quark.real_quantize_mx6_mx9(given, -1, 16, quant_bit=bits, sub_block_size=2).numpy()


def classes():
    """Blocks by class: of random kinds, with every shared exponent, zeros, ties, saturation."""
    rng = np.random.default_rng(0)
    exponent = np.repeat(np.arange(255, dtype=np.int64), 40)[:, None]
    below = rng.integers(0, 12, (len(exponent), 16))
    fraction = rng.integers(0, 1 << 23, below.shape)
    coarse = fraction & rng.choice([0x7FFFFF, 0x7F8000, 0x600000, 0], (len(exponent), 1))
    sign = rng.integers(0, 2, below.shape) << 31
    bits = (np.maximum(exponent - below, 0) << 23) | coarse | sign
    # All elements close to twice the power of two, where they saturate.
    full = (exponent[::10] << 23) | 0x7FFFFF ^ rng.integers(0, 1 << 18, (len(exponent[::10]), 16))
    return {
        "random": random_blocks(rng, 100_000),
        "every_exponent": bits.astype(np.uint32).view(np.float32),
        "saturating": full.astype(np.uint32).view(np.float32),
        "zeros": np.array([[0.0] * 16, [-0.0] * 16, [1e-40] * 16], np.float32),
    }


@FORMATS
@pytest.mark.parametrize("name", ["random", "every_exponent", "saturating", "zeros"])
def test_finite_fp32_blocks_have_the_same_codes(fmt, name):
    x = classes()[name]
    q, theirs = golden.quantize(x, fmt), real(x, fmt)
    assert np.array_equal(theirs[:, 0] + 127, q.exponent[:, 0])
    packed = np.packbits(q.microexponent[:, 0], axis=-1, bitorder="little")[:, 0]
    assert np.array_equal(theirs[:, 1], packed)
    signed = np.where(q.sign[:, 0], -1.0, 1.0) * q.mantissa[:, 0]
    assert np.array_equal(theirs[:, 2:], signed)  # compares -0 and 0 as equal


@FORMATS
@pytest.mark.parametrize("name", ["random", "every_exponent", "saturating", "zeros"])
def test_finite_fp32_blocks_have_the_same_bits_but_for_the_sign_of_zero(fmt, name):
    x = classes()[name]
    ours, theirs = golden.quantize(x, fmt).dequantize(), fake(x, fmt)
    differs = ours.view(np.uint32) != theirs.view(np.uint32)
    assert not np.any(differs & ((ours != 0) | (theirs != 0)))
    negative_zero = x.view(np.uint32) & 0xFF800000 == 0x80000000  # or a subnormal
    assert np.array_equal(differs, negative_zero)


@FORMATS
def test_a_short_tail_agrees(fmt):
    x = np.random.default_rng(1).standard_normal((9, 45)).astype(np.float32)
    assert np.array_equal(fake(x, fmt), golden.quantize(x, fmt).dequantize())


@FORMATS
def test_infinities_and_nans_differ_as_described(fmt):
    x = np.random.default_rng(2).standard_normal((2, 16)).astype(np.float32)
    x[0, 3], x[1, 5] = np.inf, np.nan
    theirs = fake(x, fmt)
    rest = np.where(np.isfinite(x), x, 0).astype(np.float32)
    expected = np.where(np.isfinite(x), golden.quantize(rest, fmt).dequantize(), x)
    assert np.array_equal(theirs, expected, equal_nan=True)
    assert np.isnan(golden.quantize(x, fmt).dequantize()).all()


@FORMATS
def test_fp16_subnormals_differ_as_described(fmt):
    x = np.full((1, 16), 2.0**-20, np.float16)
    assert not fake(x, fmt).any()
    assert np.array_equal(golden.quantize(x, fmt).dequantize(), x.astype(np.float32))
