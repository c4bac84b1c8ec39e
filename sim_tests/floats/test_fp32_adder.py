"""FP32 addition: special values, alignment, cancellation, ties, both ends of the range."""

import cocotb
import numpy as np
from amaranth import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.floats import add, flush
from hw.floats.fp32_adder import FP32Adder
from hw.parts.emit import instantiate
from sim_tests import bench, drive

LANES = 16
PATTERNS = data.ArrayLayout(32, LANES)
SIGN, INFINITY, QUIET_NAN, LEAST_NORMAL = 0x80000000, 0x7F800000, 0x7FC00000, 0x00800000

SPECIAL = np.array([magnitude | sign for sign in (0, SIGN) for magnitude in (
    0, 1, 0x400000, 0x7FFFFF, LEAST_NORMAL, LEAST_NORMAL + 1, 0xFFFFFF, 0x1000000, 0x1000001,
    0x33800000, 0x33800001, 0x34000000, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x3FFFFFFF, 0x40000000,
    0x73000000, 0x73000001, 0x737FFFFF, 0x73800000, 0x7F000000, 0x7F7FFFFE, 0x7F7FFFFF,
    INFINITY, INFINITY + 1, 0x7FBFFFFF, QUIET_NAN, QUIET_NAN + 1, 0x7FFFFFFF)], np.uint32)
"""Zeros, subnormals, ends of the range, half units in the last place of 1 and of the largest."""


class FP32Adders(wiring.Component):
    """Adders side by side, so that a cycle tests many sums."""

    a: In(PATTERNS)
    b: In(PATTERNS)
    enable: In(LANES)
    o: Out(PATTERNS)

    def elaborate(self, platform):
        m = Module()
        for lane in range(LANES):
            adder = instantiate(m, platform, FP32Adder, module="fp32_adder", name=f"adder_{lane}")
            m.d.comb += [adder.a.eq(self.a[lane]), adder.b.eq(self.b[lane]),
                         adder.enable.eq(self.enable[lane]), self.o[lane].eq(adder.o)]
        return m


def expected_sums(a, b):
    """Ask golden, by patterns."""
    return add(*(np.asarray(x, np.uint32).view(np.float32) for x in (a, b))).view(np.uint32)


async def results_of(dut, a, b, enable):
    """Add arrays of patterns in every lane and every cycle."""
    rows = -(-len(a) // LANES)
    a, b, enable = (np.resize(np.asarray(x, np.uint64), (rows, LANES)) for x in (a, b, enable))
    words = [drive.pack(PATTERNS, x) for x in (a, b)]
    enables = drive.pack(data.ArrayLayout(1, LANES), enable)
    results = []
    for cycle in range(rows + FP32Adder.latency):
        if cycle < rows:
            dut.a.value, dut.b.value = words[0][cycle], words[1][cycle]
            dut.enable.value = enables[cycle]
        else:
            dut.enable.value = 0
        await drive.ticks(dut, 1)  # what is read now was there before this edge
        if cycle >= FP32Adder.latency:
            results.append(int(dut.o.value))
    return drive.unpack(PATTERNS, results)


async def check(dut, a, b, what):
    """Compare a + b and b + a with NumPy's sums."""
    a, b = (np.asarray(x, np.uint32).ravel() for x in np.broadcast_arrays(a, b))
    a, b = np.concatenate([a, b]), np.concatenate([b, a])
    actual = (await results_of(dut, a, b, np.ones(len(a)))).ravel()[: len(a)]
    expected = expected_sums(a, b)
    wrong = np.flatnonzero(actual != expected)
    at = wrong[0] if len(wrong) else 0
    drive.compare(actual, expected, what, a=hex(a[at]), b=hex(b[at]))


def mantissas(rng, n):
    """Draw mantissas: random, with few bits set, with few bits clear."""
    random, few = rng.integers(0, 1 << 23, n), 1 << rng.integers(0, 24, n)
    sparse = few & 0x7FFFFF | 1 << rng.integers(0, 24, n) & 0x7FFFFF
    return np.choose(rng.integers(0, 4, n), [random, sparse, sparse ^ 0x7FFFFF, few - 1 & 0x7FFFFF])


def numbers(rng, exponents):
    """Draw patterns of given biased exponents, of either sign."""
    n = len(exponents)
    return (rng.integers(0, 2, n) << 31 | exponents << 23 | mantissas(rng, n)).astype(np.uint32)


@cocotb.test
async def adds_every_pair_of_special_values(dut):
    await drive.reset(dut)
    await check(dut, SPECIAL[:, None], SPECIAL, "sum of special values")


@cocotb.test
async def adds_a_special_value_to_any_number(dut):
    await drive.reset(dut)
    rng = drive.rng()
    any_number = rng.integers(0, 1 << 32, drive.amount(500, 5_000), np.uint32)
    await check(dut, SPECIAL[:, None], any_number, "sum with a special value")


@cocotb.test
async def aligns_at_every_distance(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(800, 20_000)
    distance = np.repeat(np.arange(61), n)
    exponent = rng.integers(1, 255 - distance)
    await check(dut, numbers(rng, exponent), numbers(rng, exponent + distance), "sum")


@cocotb.test
async def cancels(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(20_000, 400_000)
    a = numbers(rng, rng.integers(1, 255, n))
    near = a.astype(np.int64) + rng.choice([0, 1, 2, 3, -1, -2, 1 << 22, 1 << 23], n)
    b = np.clip(near & 0x7FFFFFFF, 0, INFINITY) | (~a & SIGN)
    await check(dut, a, b, "difference")
    drive.compare(expected_sums(a, a ^ SIGN), np.zeros(n), "x - x is +0")
    await check(dut, a, a ^ SIGN, "x - x")


@cocotb.test
async def rounds_ties_to_even(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(20_000, 400_000)
    a = numbers(rng, rng.integers(30, 254, n))
    exponent = (a >> 23 & 0xFF).astype(np.int64)
    # Half a unit of the larger number, a quarter of it, or one, and just above or below.
    exact = exponent - rng.choice([23, 24, 25], n) << 23
    b = (exact + rng.choice([-2, -1, 0, 0, 0, 1, 2], n)).astype(np.uint32)
    await check(dut, a, b | rng.integers(0, 2, n).astype(np.uint32) << 31, "sum near a tie")
    # Numbers a few places apart, with so many bits that the sum ends in 10…0.
    distance = rng.integers(1, 24, n)
    low = (exponent - distance << 23 | 1 << distance - 1) & 0x7FFFFFFF
    await check(dut, a, low.astype(np.uint32) | (a & SIGN), "sum with a tie")


@cocotb.test
@cocotb.parametrize(end=[0, 254])
async def flushes_and_overflows_at_the_ends_of_the_range(dut, end):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(20_000, 400_000)
    exponents = abs(end - rng.integers(0, rng.integers(1, 31, n), (2, n)))  # 0 are subnormals
    a, b = (numbers(rng, part) for part in exponents)
    await check(dut, a, b, "sum near a limit")
    sums = expected_sums(a, b) & 0x7FFFFFFF
    assert np.count_nonzero(sums == (INFINITY if end else 0)) > n / 50
    # Neighbours in the least binades, whose difference is at or next to the smallest normal.
    a = (rng.integers(1, 4, n) << 23 | rng.integers(0, 4, n)).astype(np.uint32)
    b = a + (LEAST_NORMAL >> rng.integers(0, 3, n)).astype(np.uint32) - 1 + rng.integers(
        0, 3, n).astype(np.uint32)
    await check(dut, a, b ^ SIGN, "difference near the smallest normal")


@cocotb.test
async def passes_results_through_without_a_bias(dut):
    await drive.reset(dut)
    rng = drive.rng()
    results = np.concatenate([SPECIAL, rng.integers(0, 1 << 32, 5_000, np.uint32)])
    results = flush(results.view(np.float32)).view(np.uint32)
    results[(results & ~np.uint32(SIGN)) > INFINITY] = QUIET_NAN
    biases = rng.choice(SPECIAL, len(results))
    enable = rng.integers(0, 2, len(results))
    actual = (await results_of(dut, results, biases, enable)).ravel()[: len(results)]
    expected = np.where(enable, expected_sums(results, biases), results)
    drive.compare(actual, expected, "sum or result")


def test_fp32_adder():
    bench.simulate(FP32Adders(), __name__, "fp32_adders")
