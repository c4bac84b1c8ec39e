"""Conversion of FP32 blocks to MX9 and MX6: shared exponents, rounding, saturation, NaN, stalls."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from golden import MX6, MX9, quantize
from golden.mx import saturated_count
from golden.policy import unit_magnitudes
from hw.blocks.block_aligner import BlockAligner
from hw.blocks.block_rounder import BlockRounding
from hw.blocks.mx_converter import MXConverter
from hw.contract.block_bits import NAN_EXPONENT
from sim_tests import bench, drive

CONVERTER_I = MXConverter().i.payload.shape()
CONVERTER_O = MXConverter().o.payload.shape()
ALIGNER_I = BlockAligner().i.payload.shape()
ALIGNER_O = BlockAligner().o.payload.shape()


def corner_blocks():
    """Write down blocks that each have a reason; shape (n, 16), FP32 patterns."""
    one, largest = 0x3F800000, 0x7F7FFFFF
    lane = np.arange(16)
    sign = 0x80000000
    spread = (127 - lane << 23) | 0x7FFFFF  # each element one binade below the one before
    rows = [
        np.zeros(16), np.full(16, sign), sign * (lane % 2),
        np.full(16, largest), np.full(16, largest | sign), largest | sign * (lane % 2),
        np.full(16, 1), np.full(16, 0x007FFFFF), np.full(16, 0x00800000),  # about the normals
        np.where(lane % 2, 0x007FFFFF | sign, 0x00800000),
        np.where(lane == 5, 0x02000000, 0x007FFFFF),  # subnormals that no shift would drop
        spread, spread[::-1], np.where(lane < 2, one, 0), np.where(lane % 2, one, one - 1),
        *[np.where(lane == hot, one | 0x7F0000, 0) for hot in range(16)],
        *[np.where(lane == hot, bad, one) for hot in (0, 7, 15)
          for bad in (0x7F800000, 0xFF800000, 0x7F800001, 0xFFC00000)],
    ]
    # Every 8-bit significand, with and without a bit below it, some places down: all ties, all
    # saturations. Two ones hold the shared exponent. Each element has each bit below in turn.
    below = np.stack([np.zeros(256, int), 1 << np.arange(256) % 15])
    significands = (one | np.arange(256) << 15 | below).ravel()
    for places in (0, 1, 2, 3, 4, 7, 8, 9):
        lowered = np.resize(significands - (places << 23), (37, 14))
        rows += [np.concatenate([[one, one], block]) for block in lowered]
    return np.array(rows, np.uint64).astype(np.uint32)


def random_blocks(rng, n):
    """Draw blocks whose exponents lie close together, and a few of any 512 bits."""
    exponent = rng.integers(0, 250, (n, 1)) - np.minimum(rng.geometric(0.3, (n, 16)), 12)
    mantissa = rng.integers(0, 1 << 23, (n, 16))
    cut = rng.integers(0, 24, (n, 16))
    mantissa = np.where(rng.random((n, 16)) < 0.5, mantissa >> cut << cut, mantissa)
    patterns = np.clip(exponent, 0, 254) << 23 | mantissa | rng.integers(0, 2, (n, 16)) << 31
    patterns[rng.random((n, 16)) < 0.05] &= 1 << 31
    patterns[::10] = rng.integers(0, 1 << 32, patterns[::10].shape)
    patterns[5::50, 3] |= 0x7F800000
    return patterns.astype(np.uint32)


def expected_blocks(patterns, is_mx9, rounding):
    """Ask golden for every field of the converter's output."""
    x = patterns.view(np.float32)
    mx9, mx6 = (quantize(x, fmt, rounding=rounding) for fmt in (MX9, MX6))
    saturated = np.zeros(len(x), np.int64)
    if rounding == "half_even":
        for row in range(len(x)):
            block = quantize(x[row], MX9 if is_mx9[row] else MX6)
            saturated[row] = saturated_count(x[row], block)
    residual = np.where(is_mx9[:, None], mx9.residual[:, 0], 0)
    return {
        "block": {
            "exponent": mx9.exponent[:, 0],
            "microexponent": bits(mx9.microexponent[:, 0]),
            "sign": bits(mx9.sign[:, 0]),
            "base": np.where(is_mx9[:, None], mx9.base[:, 0], mx6.base[:, 0]),
            "residual": residual,
        },
        "is_mx9": is_mx9,
        "saturated": saturated,
        "has_residual": residual.any(axis=1),
        "has_nan": mx9.exponent[:, 0] == NAN_EXPONENT,
    }


def bits(flags):
    """Gather flags into integers, element 0 lowest."""
    return (flags.astype(np.int64) << np.arange(flags.shape[1])).sum(axis=1)


async def convert(dut, patterns, is_mx9, idle=0.0, stall=0.0):
    """Send blocks through the converter, compare all that comes out, return the cycles it took."""
    beside = drive.rng("beside").integers(0, 2, len(patterns))
    words = drive.pack(CONVERTER_I, {"elements": patterns, "is_mx9": is_mx9, "beside": beside})
    start = drive.cycle()
    _, received = await gather(
        drive.send(dut, "i", words, idle), drive.receive(dut, "o", len(words), stall)
    )
    cycles = drive.cycle() - start
    expected = expected_blocks(patterns, is_mx9, drive.parameters()["rounding"])
    drive.compare(drive.unpack(CONVERTER_O, received), {"rounded": expected, "beside": beside},
                  "o", idle=idle, stall=stall)
    return cycles


@cocotb.test
@cocotb.parametrize(is_mx9=[False, True])
async def converter_rounds_corner_blocks(dut, is_mx9):
    await drive.reset(dut)
    patterns = corner_blocks()
    await convert(dut, patterns, np.full(len(patterns), is_mx9))


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def converter_matches_golden(dut, idle, stall):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(500, 10_000)
    await convert(dut, random_blocks(rng, n), rng.random(n) < 0.5, idle, stall)


@cocotb.test
async def converter_keeps_blocks_through_a_long_stall(dut):
    await drive.reset(dut)
    rng = drive.rng()
    await convert(
        dut, random_blocks(rng, 40), rng.random(40) < 0.5, stall=drive.LongPause(10, 500)
    )


@cocotb.test
async def converter_takes_a_block_each_cycle(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), 100
    cycles = await convert(dut, random_blocks(rng, n), rng.random(n) < 0.5)
    assert cycles == n + drive.parameters()["latency"]


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def aligner_matches_golden(dut, idle, stall):
    await drive.reset(dut)
    patterns = random_blocks(drive.rng(), drive.amount(300, 5_000))
    patterns = np.concatenate([corner_blocks(), patterns])
    magnitudes = (patterns & 0x7FFFFFFF).reshape(-1, 4, 4)
    words = drive.pack(ALIGNER_I, {"elements": patterns, "largest_at": magnitudes.argmax(axis=2)})
    _, received = await gather(
        drive.send(dut, "i", words, idle), drive.receive(dut, "o", len(words), stall)
    )
    x = patterns.view(np.float32)
    truncated = quantize(x, MX9, rounding="truncate")
    actual = drive.unpack(ALIGNER_O, received)
    actual["mantissa"] = actual["block"].pop("magnitude") >> 2  # without guard and sticky bits
    expected = {
        "block": {
            "exponent": truncated.exponent[:, 0],
            "microexponent": bits(truncated.microexponent[:, 0]),
            "sign": bits(truncated.sign[:, 0]),
        },
        "mantissa": truncated.mantissa[:, 0],
        "largest": unit_magnitudes(x, "block")[:, 0],
    }
    drive.compare(actual, expected, "o", idle=idle, stall=stall)


@pytest.mark.parametrize("rounding, stages", [("half_even", 2), ("half_even", 1), ("truncate", 2)])
def test_mx_converter(rounding, stages):
    converter = MXConverter(rounding=rounding, stages=stages)
    bench.simulate(
        converter, __name__, f"mx_converter_{rounding}_{stages}", only=r"\.converter_",
        parameters={"rounding": rounding, "latency": converter.latency},
    )


def test_block_aligner():
    bench.simulate(BlockAligner(), __name__, "block_aligner", only=r"\.aligner_")


@pytest.mark.parametrize("component", [BlockRounding, MXConverter])
def test_refuses_an_unknown_rounding(component):
    with pytest.raises(ValueError, match="half_even, truncate, not 'stochastic'"):
        component(rounding="stochastic")


def test_refuses_an_unknown_number_of_stages():
    with pytest.raises(ValueError, match="0, 1 or 2 pipeline stages, not 3"):
        MXConverter(stages=3)
