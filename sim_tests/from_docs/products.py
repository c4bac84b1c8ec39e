"""GEMMs: formats, selections, rounding, extremes."""

from dataclasses import replace
from fractions import Fraction

from sim_tests.from_docs.jobs import (
    plan_gemm,
    quantize_tile,
    random_matrix,
    random_number,
    random_weights,
    select_above,
    select_all,
    select_static,
    select_top,
    with_specials,
)
from sim_tests.from_docs.machine import Machine
from sim_tests.from_docs.numerics import (
    BF16,
    FP16,
    FP32,
    INFINITY,
    Block,
    quantize,
)
from sim_tests.from_docs.runs import cocotb_test, run_conversion, run_gemm


@cocotb_test
async def gemm_formats(dut):
    """All formats of activations and floating-point results, ragged sizes, every selection."""
    machine = await Machine.begin(dut, 5)
    rng = machine.rng
    machine.act.pause_chance = machine.wgt.pause_chance = 0.1
    machine.out.pause_chance = 0.3
    tags = [True, False, True]
    await machine.load_table(1, tags=tags)
    ranges = ((FP32, None), (FP16, 9), (BF16, None))
    cases = (
        (7, 6, 40, FP32, FP32, 2, select_top(1), False),
        (5, 4, 41, FP16, FP16, 1, select_above(0x37000000), True),
        (9, 3, 35, BF16, BF16, 2, select_static(tags), False),
        (3, 9, 17, FP16, BF16, 1, select_all(True), True),
        (13, 5, 16, BF16, FP16, 4, select_all(False), True),
        (10, 1, 33, FP32, FP16, 3, select_top(3), True),
    )
    for m, n, k, source, target, group_tiles, selection, has_bias in cases:
        center = dict(ranges)[source]
        rows = random_matrix(rng, m, k, source, center)
        weights = random_weights(rng, n, k)
        biases = [x[0] for x in random_matrix(rng, n, 1)] if has_bias else None
        plan = plan_gemm(
            rows,
            weights,
            source=source,
            target=target,
            group_tiles=group_tiles,
            selection=selection,
            biases=biases,
            table=1,
        )
        await run_gemm(machine, plan)


def with_precision(block: Block, is_mx9: bool) -> Block:
    """The same H, with an L of ones if it is to be MX9."""
    return replace(block, low=(1,) * 16 if is_mx9 else None)


@cocotb_test
async def gemm_extremes(dut):
    """Overflow, underflow, NaN blocks on both sides, biases of every class, ties and zeros."""
    machine = await Machine.begin(dut, 6)
    rng = machine.rng
    k = 24
    scales = (12, 60, 120, 190, 240)
    rows = [random_matrix(rng, 1, k, center=x)[0] for x in scales] + [[1 << 31] * k]
    columns = [x for center in (15, 64, 127, 200) for x in random_weights(rng, 1, k, center)[0]]
    columns = [[with_precision(x, i == 1) for i, x in enumerate(column)] for column in columns]
    plain = plan_gemm(rows, [columns], selection=select_top(1), group_tiles=2)
    await run_gemm(machine, plain)
    for target in (FP16, BF16):
        await run_gemm(
            machine,
            plan_gemm(rows, [columns], selection=select_top(1), target=target, group_tiles=2),
        )
    for biases in (
        [INFINITY, INFINITY | 1 << 31, INFINITY | 5, 1 << 31],
        [0x00000001, 0x807FFFFF, 0x7F7FFFFF, 0xFF7FFFFF],
        [0x00800000, 0x80800000, 0x3F800000, 0x00800001],
    ):
        await run_gemm(machine, plan_gemm(rows, [columns], selection=select_top(1), biases=biases))
    cancelling = [[0x40000000 if i % 2 else 0xC0000000 for i in range(k)]]
    ones = [[quantize_tile([[0x3F800000] * k], [False, False])[0][0]] * 2]
    await run_gemm(
        machine,
        plan_gemm(cancelling, ones, selection=select_all(False), biases=[1 << 31, 1]),
    )
    for source in (FP32, FP16, BF16):
        special = with_specials(rng, random_matrix(rng, 6, k, source), source, 3)
        weights = random_weights(rng, 5, k)
        weights[1][0][0] = quantize([INFINITY] * 16, weights[1][0][0].low is not None).block
        await run_gemm(
            machine,
            plan_gemm(special, weights, source=source, target=source, selection=select_top(1)),
        )


@cocotb_test
async def gemm_rounding(dut):
    """What lies so far below the anchors that it is rounded, and results that are subnormal."""
    machine = await Machine.begin(dut, 18)
    rng = machine.rng
    one = FP32.encode(0, Fraction(1))
    minus_one = one | 1 << 31
    columns = [[one] * 16 + x[16:] for x in random_matrix(rng, 4, 48)]
    weights = [quantize_tile(columns, [True] * 3)[0]]
    for below in (14, 17, 19, 20, 22, 24, 26, 28, 40):
        # The first block sets the anchor and adds up to nothing.
        rows = [
            [one, minus_one] * 8
            + [random_number(rng, FP32, 127 - below + rng.randint(-3, 0), 1) for _ in range(32)]
            for _ in range(4)
        ]
        await run_gemm(machine, plan_gemm(rows, weights, selection=select_top(rng.randint(0, 3))))
    rows = [random_matrix(rng, 1, 48, center=x)[0] for x in range(100, 127, 3)]
    await run_gemm(
        machine,
        plan_gemm(rows, weights, target=FP16, selection=select_all(True), group_tiles=3),
    )


@cocotb_test
async def choices_at_the_edge(dut):
    """Equal magnitudes go to the lower K-block; a threshold must be exceeded; NaNs rank first."""
    machine = await Machine.begin(dut, 19)
    one = FP32.encode(0, Fraction(1))
    nan, infinity = INFINITY | 1 << 31 | 1, INFINITY
    rows = [[x] * 16 + [one | 1 << 31] * 16 + [x + 1] * 16 + [one] * 16 for x in (one - 1, one - 2)]
    special = [[one] * 16 + [infinity] * 16 + [nan] * 16 + [one + 1] * 16]
    for matrix in (rows, special):
        for units in range(5):
            await run_conversion(machine, matrix, selection=select_top(units))
        for threshold in (one - 2, one - 1, one, infinity):
            await run_conversion(machine, matrix, selection=select_above(threshold))
