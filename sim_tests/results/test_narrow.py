"""Rounding of FP32 to FP16 and BF16: every result, its neighbours, ties, NaN, FP32 untouched."""

import cocotb
import numpy as np
from amaranth import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.floats import narrow, widen
from golden.formats import BF16, FP16
from hw.contract.job_codes import Output
from hw.parts.emit import instantiate
from hw.results.narrow import Narrow
from sim_tests import bench, drive

LANES = 16
PATTERNS = data.ArrayLayout(32, LANES)
NARROW = {"fp16": (FP16, Output.FP16, 0x7E00), "bf16": (BF16, Output.BF16, 0x7FC0)}


class Narrows(wiring.Component):
    """`Narrow`s side by side, so that a cycle tests many numbers."""

    load: In(1)
    is_there: In(1)
    to: In(Output)
    i: In(PATTERNS)
    o: Out(PATTERNS)

    def elaborate(self, platform):
        m = Module()
        for lane in range(LANES):
            narrow_lane = instantiate(m, platform, Narrow, module="narrow", name=f"narrow_{lane}")
            m.d.comb += [narrow_lane.load.eq(self.load), narrow_lane.to.eq(self.to),
                         narrow_lane.is_there.eq(self.is_there), narrow_lane.i.eq(self.i[lane]),
                         self.o[lane].eq(narrow_lane.o)]
        return m


def expected_patterns(patterns, float_format, nan):
    """Ask golden; subnormals count as zero of their sign, and every NaN is the same."""
    patterns = np.asarray(patterns, np.uint32)
    is_nan = (patterns & 0x7FFFFFFF) > 0x7F800000
    patterns = np.where(patterns & 0x7F800000, patterns, patterns & 0x80000000)
    return np.where(is_nan, nan, narrow(patterns.astype(np.uint32).view(np.float32), float_format))


async def check(dut, name, patterns):
    """Narrow patterns of either sign, one in every lane and cycle."""
    await drive.reset(dut)
    float_format, output, nan = NARROW[name]
    patterns = np.asarray(patterns, np.uint32).ravel()
    patterns = np.concatenate([patterns, patterns ^ 0x80000000])
    patterns = np.resize(patterns, (-(-len(patterns) // LANES), LANES))
    results = []
    dut.load.value, dut.is_there.value, dut.to.value = 1, 1, output.value
    for word in [*drive.pack(PATTERNS, patterns), 0]:
        dut.i.value = word
        await drive.ticks(dut, 1)  # what is read now was there before this edge
        results.append(int(dut.o.value))
    drive.compare(drive.unpack(PATTERNS, results[1:]),
                  expected_patterns(patterns, float_format, nan), name)


@cocotb.test
@cocotb.parametrize(name=list(NARROW))
async def rounds_the_neighbourhood_of_every_tie(dut, name):
    float_format, _, _ = NARROW[name]
    largest = (1 << float_format.exponent_bits) - 1 << float_format.mantissa_bits
    results = np.arange(largest, dtype=np.uint16)
    wide = widen(results, float_format).view(np.uint32).astype(np.int64)
    # The tie above each number: half a unit, which FP16's subnormals have in common.
    above = np.append(wide[1:], wide[-1] + (1 << 23 - float_format.mantissa_bits))
    ties = (wide.astype(np.uint32).view(np.float32).astype(np.float64)
            + above.astype(np.uint32).view(np.float32)) / 2
    ties = ties.astype(np.float32).view(np.uint32).astype(np.int64)
    near = np.concatenate([base + offset for base in (wide, ties) for offset in (-1, 0, 1)])
    await check(dut, name, np.clip(near, 0, 0x7F800000))


@cocotb.test
@cocotb.parametrize(name=list(NARROW))
async def rounds_every_upper_half(dut, name):
    upper = np.arange(1 << 15)
    lower = np.array([0, 1, 0x1000, 0x7FFF, 0x8000, 0x8001, 0xFFFF])
    await check(dut, name, upper[:, None] << 16 | lower)


@cocotb.test
@cocotb.parametrize(name=list(NARROW))
async def matches_golden_on_random_numbers(dut, name):
    rng, n = drive.rng(), drive.amount(50_000, 1_000_000)
    exponent = rng.integers(95, 150, n) if name == "fp16" else rng.integers(0, 256, n)
    await check(dut, name, exponent << 23 | rng.integers(0, 1 << 23, n))


@cocotb.test
async def leaves_fp32_and_holds_what_it_has(dut):
    await drive.reset(dut)
    dut.is_there.value = 1
    rng = drive.rng()
    held = None
    for word in drive.pack(PATTERNS, rng.integers(0, 1 << 32, (500, LANES))):
        load = int(rng.integers(0, 2))
        dut.load.value, dut.to.value, dut.i.value = load, Output.FP32.value, word
        await drive.ticks(dut, 1)
        assert held is None or int(dut.o.value) == held, "a number changed"
        held = word if load else held


@cocotb.test
async def what_is_not_there_becomes_zero(dut):
    await drive.reset(dut)
    rng, outputs = drive.rng(), (Output.FP32, Output.FP16, Output.BF16)
    dut.load.value = 1
    for word in drive.pack(PATTERNS, rng.integers(0, 1 << 32, (100, LANES))):
        is_there, output = rng.random() < 0.5, outputs[rng.integers(len(outputs))]
        dut.is_there.value, dut.to.value, dut.i.value = int(is_there), output.value, word
        await drive.ticks(dut, 2)
        assert bool(int(dut.o.value)) == is_there


def test_narrow():
    bench.simulate(Narrows(), __name__, "narrows")
