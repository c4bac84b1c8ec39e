"""What GEMMs go through on their way out: every byte against golden's ring."""

import itertools

import cocotb

from golden.memory.jobs import Function, JobKind, Output, Rows
from sim_tests import drive
from sim_tests.memory.lists import Lists
from sim_tests.memory.machines import every_vector_machine, simulate
from sim_tests.memory.runs import GENTLE, HOSTILE, run
from sim_tests.memory.test_vector_machine import outputs_of


def draw_gemm(lists, output, kind=JobKind.GEMM, most_k=70):
    """Add a GEMM of any shape."""
    rng, config = lists.rng, lists.config
    lists.gemm(int(rng.integers(1, 4 * config.rows)), int(rng.integers(1, 5 * config.cols)),
               int(rng.integers(1, most_k)), kind=kind, output=output,
               has_bias=bool(rng.integers(2)), tiles=int(rng.integers(1, 4)))


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def results_meet_factors_and_residuals(dut, manners):
    lists = Lists(drive.rng())
    outputs = itertools.cycle(outputs_of(lists.config))
    for has_channel, residual, scalar in itertools.product(
            (False, True), ("none", "rows", "shift"), (None, 0.7)):
        draw_gemm(lists, next(outputs))
        lists.staged(has_channel=has_channel, residual=residual, scalar=scalar)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def functions_of_results(dut, manners):
    """exp2 alone where they drain; all with something else in the lanes."""
    lists = Lists(drive.rng())
    for function, output in itertools.product(
            (Function.EXP2, Function.GELU, Function.SILU), outputs_of(lists.config)):
        draw_gemm(lists, output, most_k=40)
        lists.staged(function=function)
        draw_gemm(lists, output, most_k=40)
        lists.staged(function=function, residual="rows")
    await run(dut, lists, manners)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def rows_are_divided_by_their_sums(dut, manners):
    lists = Lists(drive.rng())
    for output in outputs_of(lists.config):
        for k in (1, 15, 16, 17, 64, int(lists.rng.integers(1, 200))):
            lists.gemm(int(lists.rng.integers(1, 3 * lists.config.rows)), 11, k, output=output,
                       kind=JobKind.GEMM_PACKED, tiles=int(lists.rng.integers(1, 4)))
            lists.staged(rows=Rows.SUM)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def jobs_and_passes_share_the_lanes(dut, manners):
    """Attention in two commands, then its projection with gate and residual, then a norm."""
    lists = Lists(drive.rng())
    config = lists.config
    if not config.packs_results:
        return
    m, n = 2 * config.rows + 1, 40
    for output in (Output.MX6, Output.MX9):
        weights = lists.gemm(m, n, 30, output=output)
        lists.staged(function=Function.EXP2)
        lists.gemm(m, 21, n, kind=JobKind.GEMM_PACKED, a=weights.c, a_stride=weights.c_stride,
                   wait_a=1)
        lists.staged(rows=Rows.SUM, residual="rows")
        lists.gemm(m, 33, 24, has_bias=True)
        x = lists.staged(has_channel=True, residual="rows")
        lists.vector_pass(m, 33, rows=Rows.LAYER_NORM, output=Output.MX6, has_channel=True,
                          residual="shift", a=x.c, a_stride=x.c_stride, wait_a=1)
        lists.gemm(m, 12, 24)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def tables_say_which_blocks_are_mx9(dut, manners):
    """Of a GEMM's results, alone and behind exp2; the product behind it reads them."""
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    if not config.packs_results:
        return
    for m, n in ((1, 1), (config.rows, 16), (2 * config.rows + 1, 33), (1, 200), (7, 250),
                 (int(rng.integers(1, 40)), int(rng.integers(1, 250)))):
        for tiles, function in ((1, Function.NONE), (3, Function.EXP2), (2, Function.GELU)):
            tags = rng.random(-(-n // 16)) < rng.choice([0.2, 0.5, 0.9])
            weights = lists.gemm(m, n, int(rng.integers(1, 40)), output=Output.MX6, tiles=tiles)
            lists.staged(function=function, tags=tags, table=int(rng.integers(2)))
            lists.gemm(m, 5, n, kind=JobKind.GEMM_PACKED, a=weights.c, a_stride=weights.c_stride,
                       wait_a=1)
            if rng.random() < 0.5:
                lists.vector_pass(3, 40, output=Output.MX6)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def passes_and_tables_take_turns_with_tags(dut, manners):
    """Whichever is early waits: tags belong to the job whose blocks are packed."""
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    if not config.packs_results:
        return
    for _ in range(4):
        for output in (Output.MX6, Output.FP32, Output.MX9):
            lists.vector_pass(int(rng.integers(1, 3 * config.rows)), int(rng.integers(1, 60)),
                              output=output)
        lists.gemm(int(rng.integers(1, 3 * config.rows)), 33, 5, kind=JobKind.GEMM_PACKED,
                   output=Output.MX6)
        lists.staged(tags=rng.random(3) < 0.5, table=int(rng.integers(2)))
        lists.vector_pass(int(rng.integers(1, 3 * config.rows)), 20, output=Output.MX9)
    await run(dut, lists, manners)


@every_vector_machine
def test_vector_results(name):
    simulate(name, __name__)
