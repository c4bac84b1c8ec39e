"""Passes from memory to memory, and jobs between them: every byte against golden's ring."""

import itertools

import cocotb
import numpy as np

from golden.memory.jobs import Function, JobKind, Output, Rows, Selection
from sim_tests import drive
from sim_tests.memory.lists import Lists
from sim_tests.memory.machines import every_vector_machine, simulate
from sim_tests.memory.runs import GENTLE, HOSTILE, run

NUMBERS = (Output.FP32, Output.FP16, Output.BF16)


def outputs_of(config):
    """List the formats in which results of a machine may leave."""
    return [*NUMBERS, *([Output.MX6, Output.MX9] if config.packs_results else [])]


def size(lists):
    """Draw rows and columns."""
    rng, config = lists.rng, lists.config
    return int(rng.integers(1, 4 * config.rows)), int(rng.integers(1, 70))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def one_pass(dut):
    lists = Lists(drive.rng())
    lists.vector_pass(2 * lists.config.rows + 1, 2 * lists.config.cols + 1, interrupt=1)
    await run(dut, lists)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def passes_of_every_format_and_shape(dut, manners):
    """Whatever lies beside the rows, or nothing."""
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    for float_format, output in itertools.product(config.float_formats, outputs_of(config)):
        lists.vector_pass(*size(lists), output=output, float_format=float_format,
                          has_bias=bool(rng.integers(2)), has_channel=bool(rng.integers(2)),
                          residual=str(rng.choice(["none", "rows", "shift"])))
    await run(dut, lists, manners)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def all_that_may_lie_beside_rows(dut, manners):
    """Every choice of the three; rows of one number, of a beat, of a word, and of one more."""
    lists = Lists(drive.rng())
    config = lists.config
    widths = itertools.cycle((1, config.vector_lanes, config.vector_lanes + 1, config.cols,
                              config.bus_bytes // 4, config.bus_bytes // 4 + 1))
    for bias, channel, residual in itertools.product(
            (False, True), (False, True), ("none", "rows", "shift")):
        lists.vector_pass(config.rows + 1, next(widths), has_bias=bias, has_channel=channel,
                          residual=residual)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(rows=[Rows.LAYER_NORM, Rows.RMS_NORM], manners=[GENTLE, HOSTILE])
async def norms_with_modulation(dut, rows, manners):
    lists = Lists(drive.rng())
    for output, float_format in itertools.product(outputs_of(lists.config), ("fp32", "fp16")):
        lists.vector_pass(*size(lists), rows=rows, output=output, float_format=float_format,
                          has_channel=True, residual="shift")
    lists.vector_pass(3, lists.config.k_max, rows=rows)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def powers_below_the_maximum_of_their_row(dut, manners):
    lists = Lists(drive.rng())
    for output in outputs_of(lists.config):
        m, n = size(lists)
        lists.vector_pass(m, n, rows=Rows.MAXIMUM, function=Function.EXP2, output=output,
                          x=20 * lists.rng.standard_normal((m, n)).astype(np.float32))
    await run(dut, lists, manners)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(function=[Function.GELU, Function.SILU], manners=[GENTLE, HOSTILE])
async def gates(dut, function, manners):
    lists = Lists(drive.rng())
    for output in outputs_of(lists.config):
        lists.vector_pass(*size(lists), function=function, output=output,
                          has_bias=bool(lists.rng.integers(2)),
                          residual=str(lists.rng.choice(["none", "rows"])))
    await run(dut, lists, manners)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def a_linear_combination_is_a_pass_for_each_term(dut, manners):
    """Each adds to what the one before has written, and waits for it."""
    lists = Lists(drive.rng())
    m, n = 2 * lists.config.rows + 1, 45
    so_far = {}
    for scalar in (1.5, -0.25, 3.0, 0.125):
        lists.vector_pass(m, n, scalar=scalar, residual="rows")
        command = lists.change(**so_far)
        so_far = {"residual": command.c, "residual_stride": command.c_stride, "wait_residual": 1}
    await run(dut, lists, manners)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def passes_wait_for_what_they_read(dut, manners):
    """A row of biases, of factors or of a shift that the pass before has made."""
    lists = Lists(drive.rng())
    m, n = lists.config.rows + 1, 33
    for name, chosen, wait in (("bias", {"has_bias": True}, "wait_side"),
                               ("channel", {"has_channel": True}, "wait_side"),
                               ("residual", {"residual": "shift"}, "wait_residual")):
        row = lists.vector_pass(1, n, scalar=2.0)
        lists.vector_pass(m, n, **chosen)
        lists.change(**{name: row.c, wait: 1})
    await run(dut, lists, manners)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(batch=[(3, 1), (1, 3), (2, 3)], manners=[GENTLE, HOSTILE])
async def iterations_have_operands_of_their_own(dut, batch, manners):
    """Or share what has no step."""
    lists = Lists(drive.rng())
    config = lists.config
    for output in (Output.FP32, outputs_of(config)[-1]):
        for residual in ("rows", "shift"):
            lists.vector_pass(config.rows + 1, 21, batch=batch, output=output, has_bias=True,
                              has_channel=True, residual=residual)
            shared = {f"{name}_step_{level}": 0 for name in ("channel", "residual")
                      for level in (0, 1)}
            lists.vector_pass(config.rows + 1, 21, batch=batch, output=output, has_channel=True,
                              residual=residual, **shared)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def every_choice_of_blocks(dut, manners):
    """Static tags are those of a row's N numbers; a table serves the passes that follow."""
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    if not config.packs_results:
        return
    n = 70
    tags = rng.integers(0, 2, -(-n // 16))
    fields = lists.tables(n, tags=tags, table=1)
    lists.vector_pass(config.rows + 1, n, output=Output.MX6, **fields)
    lists.vector_pass(2 * config.rows, n, output=Output.MX6, **fields | {
        "loads_tags": 0, "tags": 0})
    for chosen in ({"selection": Selection.TOP, "units": 2},
                   {"selection": Selection.THRESHOLD, "threshold": 0x3F000000},
                   {"selection": Selection.HEAD, "units": 0},
                   {"selection": Selection.HEAD, "units": 1}):
        lists.vector_pass(2 * config.rows + 1, n, output=Output.MX6, **chosen)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def jobs_and_passes_take_turns(dut, manners):
    """Attention's softmax in three commands, with the product that reads it packed."""
    lists = Lists(drive.rng())
    config = lists.config
    m, n = 2 * config.rows, 40
    for _ in range(2):
        scores = lists.gemm(m, n, 30)
        lists.convert(config.cols + 1, 20)
        packed = Output.MX6 if config.packs_results else Output.FP32
        weights = lists.vector_pass(m, n, rows=Rows.MAXIMUM, function=Function.EXP2, output=packed,
                                    a=scores.c, a_stride=scores.c_stride, wait_a=2)
        if config.packs_results:
            lists.gemm(m, 5, n, kind=JobKind.GEMM_PACKED, a=weights.c, a_stride=weights.c_stride,
                       wait_a=1)
        lists.vector_pass(m, n, rows=Rows.RMS_NORM, a=scores.c, a_stride=scores.c_stride,
                          wait_a=255)
    await run(dut, lists, manners)


@every_vector_machine
def test_vector_machine(name):
    simulate(name, __name__)
