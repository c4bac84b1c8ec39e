"""One over the deviation of rows, with answers that take any time."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden.floats import add, from_integer
from golden.vector import RowStatistics, multiply, reciprocal_root, row_scale, row_statistics
from golden.vector.formats import MOST_COLUMNS, SQUARE_BITS
from golden.vector.statistics import scaled_epsilon
from hw.vector.row_scale import FAST, SPREAD_BITS, RowScale
from hw.vector.row_totals import COARSE_WIDTH, COLUMN_BITS
from sim_tests import bench, drive
from sim_tests.stimuli.number_rows import corner_rows, longest_rows, random_rows

QUIET_NAN = 0x7FC00000


def bits(number):
    """Return the pattern of an FP32 number."""
    return int(np.asarray(number, np.float32).view(np.uint32))


def number(pattern):
    """Return the FP32 number of a pattern."""
    return np.uint32(pattern).view(np.float32)


def steps(value, width):
    """Count the cycles that normalize a value: eight places each, then one."""
    zeros = width - value.bit_length() if value else 0
    return zeros // FAST + zeros % FAST


def expected_latency(row, is_centred, waits):
    """Count cycles as the hardware should; of waits those for the sum, the root, the product."""
    spread = row.columns * int(row.squares) - (int(row.coarse_total) ** 2 if is_centred else 0)
    beside = max(0, steps(row.columns, COLUMN_BITS) - waits[1] - 1)
    return COARSE_WIDTH + 5 + steps(spread, SPREAD_BITS) + beside + sum(waits)


UNITS = {"sum": (add, "ab"), "reciprocal_root": (reciprocal_root, "x"), "product": (multiply, "ab")}


async def answer(dut, name, waits, asked):
    """Answer questions as golden does, each after some cycles.

    The cycles are added to ``waits``, operands to ``asked``.
    """
    function, operands = UNITS[name]
    ports = [getattr(dut, f"{name}__{operand}") for operand in operands]
    ask, answered, result = (getattr(dut, f"{name}__{port}")
                             for port in ("ask", "answered", "answer"))
    rng, edge = drive.rng(name), RisingEdge(dut.clk)
    while True:
        await edge
        result.value = int(rng.integers(0, 1 << 32))
        if not int(ask.value):
            continue
        patterns = [int(port.value) for port in ports]
        wait = int(rng.choice([0, 1, 4, 20]))
        for _ in range(wait):
            await edge
            assert not int(ask.value), f"{name}: asked twice"
        answered.value = 1
        result.value = bits(function(*(number(pattern) for pattern in patterns)))
        await edge
        assert [int(port.value) for port in ports] == patterns, f"{name}: an operand changed"
        answered.value = 0
        waits.append(wait + 1)
        asked += patterns


def expected_operands(row, is_centred, offset):
    """Say what the sum, the root and the product are asked for, as patterns."""
    spread = row.columns * int(row.squares) - (int(row.coarse_total) ** 2 if is_centred else 0)
    exact = from_integer(spread, 2 * (int(row.exponent) - 127 - (SQUARE_BITS - 1)))
    under = add(exact, number(offset))
    root = bits(reciprocal_root(under))
    is_unseen = not np.isfinite(under) or row.exponent == 255
    return [bits(exact), offset, bits(under), QUIET_NAN if is_unseen else root, bits(row.columns)]


async def check(dut, statistics, epsilons, what, is_centred=None):
    """Scale rows, one behind the other, and compare with golden; also what is asked on the way."""
    waits, asked, actual, expected = [], [], [], []
    tasks = [cocotb.start_soon(answer(dut, name, waits, asked)) for name in UNITS]
    rng = drive.rng("schedule")
    chosen = is_centred
    for row, epsilon in zip(statistics, np.broadcast_to(epsilons, len(statistics)), strict=True):
        is_centred = int(rng.integers(0, 2)) if chosen is None else chosen
        given = {"squares": row.squares, "coarse_total": row.coarse_total,
                 "exponent": row.exponent, "columns": row.columns, "is_centred": is_centred,
                 "offset": bits(scaled_epsilon(row.columns, float(epsilon)))}
        for port, value in given.items():
            getattr(dut, port).value = int(value)
        dut.start.value = 1
        waits.clear()
        asked.clear()
        await drive.ticks(dut, 1)
        dut.start.value = 0
        latency = 0
        while not int(dut.done.value) or not latency:
            await drive.ticks(dut, 1)
            latency += 1
            assert latency < 300, "no scale"
        assert len(waits) == len(UNITS)
        assert latency == expected_latency(row, is_centred, waits), f"{latency} cycles, {waits}"
        with np.errstate(all="ignore"):
            drive.compare(asked, expected_operands(row, is_centred, given["offset"]),
                          f"operands, {what}", row=row)
        actual.append(int(dut.scale.value))
        with np.errstate(all="ignore"):
            expected.append(bits(row_scale(row, float(epsilon), is_centred=bool(is_centred))))
    for task in tasks:
        task.cancel()
    drive.compare(actual, expected, f"scale, {what}")
    return actual


@cocotb.test
async def scales_corner_rows(dut):
    await drive.reset(dut)
    statistics = [row_statistics(row.view(np.float32)) for row in [*corner_rows(), *longest_rows()]]
    actual = await check(dut, statistics, 1e-6, "corner row")
    assert QUIET_NAN in actual


@cocotb.test
async def scales_random_rows(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(80, 4_000)
    statistics = [row_statistics(row.view(np.float32)) for row in random_rows(rng, n)]
    await check(dut, statistics, 2.0 ** rng.integers(-100, 60, n), "random row")


@cocotb.test
async def scales_random_sums(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(120, 10_000)
    statistics = []
    for _ in range(n):
        columns = int(rng.choice([rng.integers(1, MOST_COLUMNS + 1), 1 << rng.integers(0, 17)]))
        coarse = int(rng.integers(-(columns << SQUARE_BITS), (columns << SQUARE_BITS) + 1))
        coarse >>= int(rng.integers(0, 30))
        # The least squares that this sum can have, or more.
        least = -(-coarse**2 // columns)
        most = columns << 2 * SQUARE_BITS
        squares = least + (int(rng.integers(0, most - least + 1)) >> int(rng.integers(0, 43)))
        statistics.append(RowStatistics(columns, np.array(int(rng.integers(1, 255))), np.array(0),
                                        np.array(coarse), np.array(squares)))
    await check(dut, statistics, 2.0 ** rng.integers(-90, 30, n), "random sums")


@cocotb.test
async def rounds_ties_to_even(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(80, 5_000)
    statistics = []
    for _ in range(n):
        power = int(rng.integers(0, 17))
        doubled = int(rng.integers(1 << 24, 1 << 25)) | 1  # 24 bits and a half
        squares = (doubled << int(rng.integers(0, power + 2))) + int(rng.choice([-1, 0, 0, 1]))
        statistics.append(RowStatistics(1 << power, np.array(127), np.array(0), np.array(7),
                                        np.array(squares)))
    await check(dut, statistics, 2.0**-60, "tie", is_centred=0)


@cocotb.test
async def beyond_fp32_it_is_the_nan(dut):
    await drive.reset(dut)
    rows = [np.array([scale, -scale], np.float32) for scale in 2.0 ** np.arange(60, 67)]
    actual = await check(dut, [row_statistics(row) for row in rows], 1e-6, "large row")
    assert actual[-1] == QUIET_NAN != actual[0]


def test_row_scale():
    bench.simulate(RowScale(), __name__, "row_scale")
