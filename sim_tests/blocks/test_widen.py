"""Widening to FP32: every FP16 and BF16 pattern, and FP32 untouched."""

import cocotb
import numpy as np
import pytest

from golden.floats import widen
from golden.formats import FLOAT_FORMATS, FP32
from hw.blocks.widen import Elements, Widen
from hw.contract.job_codes import FORMAT_CODES
from sim_tests import bench, drive


async def check(dut, float_format, patterns):
    """Compare the component with golden on patterns of shape (n, 16)."""
    junk = drive.rng().integers(0, 1 << 32, patterns.shape, dtype=np.uint64)
    junk = junk >> float_format.width << float_format.width
    dut.format.value = FORMAT_CODES[float_format.name]
    outputs = []
    for word in drive.pack(Elements, patterns | junk):
        dut.i.value = word
        await drive.settle(dut)
        outputs.append(int(dut.o.value))
    narrow = patterns.astype(np.uint32 if float_format is FP32 else np.uint16)
    expected = widen(narrow, float_format).view(np.uint32)
    drive.compare(drive.unpack(Elements, outputs), expected, float_format.name)


@cocotb.test
@cocotb.parametrize(name=["fp16", "bf16"])
async def widens_every_16_bit_pattern(dut, name):
    if name not in drive.parameters()["float_formats"]:
        return
    await drive.reset(dut)
    # Each vector puts 16 patterns far apart side by side; all vectors show all patterns, under
    # MIXDIT_FULL in every lane. Each lane sees every value of the lowest bits.
    step = drive.amount(16, 1)
    first = np.arange(0, 1 << 16, step, dtype=np.uint64)
    first += first // step % step
    lanes = np.arange(16, dtype=np.uint64) * 4097
    await check(dut, FLOAT_FORMATS[name], (first[:, None] + lanes) % (1 << 16))


@cocotb.test
async def leaves_fp32_alone(dut):
    await drive.reset(dut)
    corners = [0, 1, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FC00000]
    corners = np.array([corners, corners]).reshape(1, 16) | np.repeat([0, 1 << 31], 8)
    random = drive.rng().integers(0, 1 << 32, (200, 16))
    await check(dut, FP32, np.concatenate([corners, random]).astype(np.uint64))


@pytest.mark.parametrize("names", [("fp32", "fp16", "bf16"), ("fp32", "fp16"), ("fp32",)])
def test_widen(names):
    bench.simulate(
        Widen(float_formats=names), __name__, "widen_" + "_".join(names),
        parameters={"float_formats": names},
    )


@pytest.mark.parametrize("names", [(), ("fp8",)])
def test_refuses_unknown_formats(names):
    with pytest.raises(ValueError, match="float formats must be one or more of fp32, fp16, bf16"):
        Widen(float_formats=names)
