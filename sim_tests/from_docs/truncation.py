"""A machine that truncates to MX, where others round half to even."""

from fractions import Fraction
from math import floor

from sim_tests.from_docs import pins
from sim_tests.from_docs.jobs import (
    plan_gemm,
    random_matrix,
    random_weights,
    select_above,
    select_all,
    select_top,
    with_specials,
)
from sim_tests.from_docs.machine import Machine
from sim_tests.from_docs.numerics import BF16, FP16, FP32
from sim_tests.from_docs.pins import MX6, MX9
from sim_tests.from_docs.runs import cocotb_test, run_conversion, run_gemm


@cocotb_test
async def truncated_activations(dut):
    """Activations of every format lose what lies below their step; results round as ever."""
    machine = await Machine.begin(dut, 21)
    rng = machine.rng
    assert await machine.read(pins.CONSTANTS["ROUNDING"]) == 1
    for source, target, selection in (
        (FP32, FP32, select_top(1)),
        (FP16, BF16, select_above(0x37000000)),
        (BF16, FP16, select_all(True)),
        (FP32, FP16, select_all(False)),
    ):
        center = 9 if source is FP16 else None
        rows = with_specials(rng, random_matrix(rng, 7, 41, source, center), source, 1)
        plan = plan_gemm(
            rows,
            random_weights(rng, 5, 41),
            source=source,
            target=target,
            group_tiles=2,
            selection=selection,
            biases=[x[0] for x in random_matrix(rng, 5, 1)],
            rounding=floor,
        )
        assert plan.counters["SATURATED"] == 0, "nothing is rounded up"
        await run_gemm(machine, plan)


@cocotb_test
async def truncated_conversions(dut):
    """Conversions truncate too, straight and transposed; a hair below a power of two stays so."""
    machine = await Machine.begin(dut, 22)
    rng = machine.rng
    for source, is_transposed, selection in (
        (FP32, False, select_top(1)),
        (BF16, True, select_all(True)),
        (FP16, True, select_all(False)),
    ):
        await run_conversion(
            machine,
            random_matrix(rng, 6, 35, source),
            source=source,
            selection=selection,
            is_transposed=is_transposed,
            rounding=floor,
        )
    one = FP32.encode(0, Fraction(1))
    hairs = [[one - 1 | i % 2 << 31 for i in range(16)], [one - 1] * 15 + [2 * one]]
    for is_mx9 in (False, True):
        await run_conversion(machine, hairs, selection=select_all(is_mx9), rounding=floor)


@cocotb_test
async def truncated_results(dut):
    """So do results in MX, after the FP32 result was rounded half to even."""
    machine = await Machine.begin(dut, 23)
    rng = machine.rng
    for target, m, n, group_tiles in ((MX6, 6, 21, 2), (MX9, 9, 17, 1)):
        plan = plan_gemm(
            random_matrix(rng, m, 19),
            random_weights(rng, n, 19),
            target=target,
            group_tiles=group_tiles,
            selection=select_top(1),
            biases=[x[0] for x in random_matrix(rng, n, 1)],
            rounding=floor,
        )
        await run_gemm(machine, plan)
