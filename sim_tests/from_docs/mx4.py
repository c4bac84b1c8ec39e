"""Packed operands in MX4: blocks like those of MX6 whose magnitudes are multiples of four."""

from collections.abc import Sequence
from fractions import Fraction

from sim_tests.from_docs.jobs import (
    Blocks,
    Gemm,
    Matrix,
    float_packets,
    plan_gemm,
    plan_packed_gemm,
    quantize_tile,
    random_matrix,
    select_all,
    select_top,
)
from sim_tests.from_docs.machine import Machine
from sim_tests.from_docs.numerics import (
    EXPONENT_BIAS,
    FP32,
    INFINITY,
    Block,
    blocks_of,
    in_chunks,
    mx4_values,
    quantize_mx4,
)
from sim_tests.from_docs.pins import COLS, FRACTION_BITS, ROWS
from sim_tests.from_docs.runs import cocotb_test, run_gemm


def mx4_tile(rows: Matrix) -> Blocks:
    """Rows of FP32 in MX4."""
    return [[quantize_mx4(x) for x in blocks_of(row)] for row in rows]


def mx_values(block: Block) -> list[Fraction]:
    """The numbers that an MX6 or MX9 block stands for."""
    low = block.low
    codes = block.high if low is None else [8 * h + x for h, x in zip(block.high, low, strict=True)]
    step = block.exponent - EXPONENT_BIAS - (3 if low is None else 6)
    return [
        (-1) ** block.signs[i] * codes[i] * Fraction(2) ** (step - block.micro[i // 2])
        for i in range(16)
    ]


def exact(rows: Sequence[Sequence[Fraction]], columns: Sequence[Sequence[Fraction]]) -> Matrix:
    """The product of what the blocks stand for, rounded to FP32 once."""
    sums = [[sum(map(Fraction.__mul__, a, b), Fraction(0)) for b in columns] for a in rows]
    return [[FP32.encode(int(x < 0), abs(x)) for x in row] for row in sums]


def all_values(lines: Blocks, of) -> list[list[Fraction]]:
    """Whole rows or columns of numbers."""
    return [[x for block in line for x in of(block)] for line in lines]


def narrow_matrix(rng, rows: int, k: int) -> Matrix:
    """Numbers so near each other that no sum of theirs loses a bit."""
    assert FRACTION_BITS >= 2 * 2 + 6
    return [
        [rng.getrandbits(1) << 31 | rng.randint(126, 128) << 23 | rng.getrandbits(23)
         for _ in range(k)]
        for _ in range(rows)
    ]


def check_results(plan: Gemm, rows, columns):
    """What the numbers say is what the beats of H and L say."""
    assert plan.results == float_packets(exact(rows, columns), FP32, plan.job["TILES"])


@cocotb_test
async def mx4_weights(dut):
    """Weights in MX4 meet activations in MX6 and MX9."""
    machine = await Machine.begin(dut, 24)
    rng = machine.rng
    for m, n, k, units in ((5, 6, 40, 1), (6, 3, 16, 0), (9, 9, 33, 3)):
        rows, columns = narrow_matrix(rng, m, k), mx4_tile(narrow_matrix(rng, n, k))
        plan = plan_gemm(rows, in_chunks(columns, COLS), selection=select_top(units), group_tiles=2)
        if units in (0, 3):
            tags = [units == 3] * len(columns[0])
            lines = quantize_tile(rows, tags)[0]
            check_results(plan, all_values(lines, mx_values), all_values(columns, mx4_values))
        assert plan.counters["SKIPPED"] == 0
        await run_gemm(machine, plan)


@cocotb_test
async def mx4_both(dut):
    """Both operands in MX4; activations in MX4 and weights in MX9; NaN blocks and far exponents."""
    machine = await Machine.begin(dut, 25)
    rng = machine.rng
    for m, n, k in ((5, 6, 40), (7, 5, 17)):
        lines, columns = mx4_tile(narrow_matrix(rng, m, k)), narrow_matrix(rng, n, k)
        for made, of in (
            (mx4_tile(columns), mx4_values),
            (quantize_tile(columns, [True] * len(lines[0]))[0], mx_values),
        ):
            plan = plan_packed_gemm(
                in_chunks(lines, ROWS), k, in_chunks(made, COLS), group_tiles=2)
            check_results(plan, all_values(lines, mx4_values), all_values(made, of))
            await run_gemm(machine, plan)
    rows, columns = random_matrix(rng, 6, 50), random_matrix(rng, 5, 50)
    rows[1][3], columns[4][49] = INFINITY, INFINITY | 1
    plan = plan_packed_gemm(
        in_chunks(mx4_tile(rows), ROWS), 50, in_chunks(mx4_tile(columns), COLS))
    await run_gemm(machine, plan)
    await run_gemm(machine, plan_gemm(
        rows, in_chunks(mx4_tile(columns), COLS), selection=select_all(True)))
