"""Every FP16 value in every position class of a block, against the definition over integers."""

import numpy as np
import pytest

import golden
from golden.formats import MX_FORMATS, MXFormat
from golden.tests.helpers import assert_same_bits, define_block

FORMATS = pytest.mark.parametrize("fmt", MX_FORMATS.values(), ids=list(MX_FORMATS))
FIELDS = ("exponent", "microexponent", "mantissa", "sign")


def define_fp16_blocks(x: np.ndarray, fmt: MXFormat) -> tuple[np.ndarray, ...]:
    """Quantize finite FP16 blocks by the definition, over integers.

    Every FP16 number is an integer times 2**-24, so in units of 2**-32 every step is an integer and
    the quotient in the definition is a division of integers.
    """
    units = np.abs(x.astype(np.float64) * 2.0**32).astype(np.int64)
    binades = np.searchsorted(2 ** np.arange(63, dtype=np.int64), units, side="right") - 1
    shared = binades.max(axis=1, keepdims=True)  # -1 if all are zero
    micro = np.all(binades.reshape(-1, 8, 2) < shared[..., None], axis=2)
    power = np.maximum(shared - np.repeat(micro, 2, axis=1) - (fmt.mantissa_bits - 1), 0)
    mantissa, rest = np.divmod(units, 2**power)
    twice = 2 * rest - 2**power
    mantissa += (twice > 0) | ((twice == 0) & (mantissa % 2 == 1))
    exponent = np.where(shared < 0, 0, shared - 32 + 127)[:, 0]
    return exponent, micro, np.minimum(mantissa, 2**fmt.mantissa_bits - 1), np.signbit(x)


VALUES = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
POWER = (VALUES.view(np.uint16) & 0x7C00).view(np.float16)  # the power of two at or below
ABOVE = (np.minimum(VALUES.view(np.uint16) & 0x7C00, 0x7400) + 0x0400).view(np.float16)
CLASSES = {
    "alone": [],
    "beside_the_smallest": [2.0**-24],
    "beside_an_equal": [VALUES],
    "beside_one": [1],
    "beside_a_larger": [ABOVE],
    "below_the_largest": [0, ABOVE, 0],
    "below_the_largest_beside_its_power": [POWER, ABOVE, 0],
    "among_many": [1, 32768, 0, 2.0**-14, -3],
}


@FORMATS
@pytest.mark.parametrize("partners", CLASSES.values(), ids=list(CLASSES))
def test_every_fp16_value_in_every_position_class(fmt, partners):
    """FP16 subnormals count in full; infinities and NaNs make NaN blocks."""
    x = np.zeros((1 << 16, 16), np.float16)
    for i, values in enumerate([VALUES, *partners]):
        x[:, i] = values
    finite = np.isfinite(x).all(axis=1)
    q = golden.quantize(x, fmt)
    expected = define_fp16_blocks(x[finite], fmt)
    for name, codes in zip(FIELDS, expected, strict=True):
        assert_same_bits(getattr(q, name)[finite, 0], codes.astype(np.uint8), name)
    assert np.all(q.exponent[~finite] == 255)
    assert not q.mantissa[~finite].any()


@FORMATS
def test_both_definitions_agree(fmt):
    x = np.random.default_rng(4).choice(VALUES[np.isfinite(VALUES)], (300, 16))
    exponent, micro, mantissa, sign = define_fp16_blocks(x, fmt)
    for i, patterns in enumerate(x.astype(np.float32).view(np.uint32).tolist()):
        expected = define_block(patterns, fmt)
        assert expected[0] == exponent[i]
        assert expected[1] == micro[i].tolist()
        assert expected[2] == mantissa[i].tolist()
        assert expected[3] == sign[i].tolist()
