"""Passes of a machine with a vector unit: what the check says, beside plain rules and golden."""

import itertools
from dataclasses import replace

import cocotb
import numpy as np
import pytest
from cocotb.triggers import Timer

from golden.memory.checks import check_job, check_table
from golden.memory.descriptor import JobFlag
from golden.memory.faults import CommandError
from golden.memory.tables import Table
from hw.contract.config import Config
from hw.contract.job import asked_stages_layout, job_layout
from hw.contract.job_codes import FORMAT_CODES, AnyKind, Output, Selection
from hw.control.job_check import JobCheck
from hw.registers.codes import Refusal
from sim_tests import bench, drive
from sim_tests.control.test_job_check import draw_loaded
from sim_tests.memory.lists import machine_of
from sim_tests.stimuli.job_settings import (
    CORNERS,
    OF_THE_MACHINE,
    SETTINGS,
    Loaded,
    draw,
    expected,
)
from sim_tests.stimuli.operands import configuration, handed_over
from sim_tests.stimuli.pass_settings import (
    FLAGS,
    NOTHING,
    PASS,
    SCALARS,
    STAGE_FLAGS,
    WORST,
    Asked,
    command_of,
    draw_asked,
    make_pass,
    make_staged,
    ways,
)

OF_CHOICES = {Refusal.UNKNOWN_SELECTION, Refusal.TOO_MANY_UNITS, Refusal.BAD_THRESHOLD,
              Refusal.TAGS_INCOMPLETE}
"""Refusals of passes that choose blocks for MX9."""

PACKS = (Output.MX6.value, Output.MX9.value)


def golden_says(machine, command, loaded):
    """Return the name of golden's refusal of a command, "NONE" if it takes it."""
    table = Table(np.array(loaded.order, np.int64), np.ones(loaded.tags, bool))
    try:
        check_job(machine, command)
        check_table(command, table)
    except CommandError as error:
        return error.detail
    return "NONE"


async def check(dut, config, job, loaded, loads=False, asked=NOTHING):
    """Compare what is said of a job with the rules and with golden; return it."""
    dut.loads.value = int(loads)
    for name, value in job.items():
        getattr(dut, f"job_{name}").value = value
    dut.loaded__channels.value = len(loaded.order)
    dut.loaded__is_whole.value = int(loaded.is_whole)
    dut.loaded__is_double.value = int(loaded.is_double)
    dut.loaded__tags.value = loaded.tags
    fields = asked.fields(job["flags"])
    dut.stages.value, = drive.pack(
        asked_stages_layout(), {name: [value] for name, value in fields.items()})
    await Timer(1, "ns")
    refusal = Refusal(int(dut.refusal.value))
    what = f"{refusal.name} for {job}, {asked}, {loaded}, loads {loads}"
    assert refusal is expected(config, job, loaded, loads, asked), what
    command = command_of(job, asked, loads)
    if command is not None:
        said = golden_says(machine_of(config), command, loaded)
        assert said == refusal.name, f"{what}; golden says {said}"
    if refusal is Refusal.NONE:
        check_fields(dut, config, job, fields | ways(job, asked))
    return refusal


def check_fields(dut, config, job, stages):
    """Compare the job that is handed over."""
    fields = drive.unpack(job_layout(config), [int(dut.job.value)])
    is_pass, output = job["kind"] == PASS, job["output"]
    kind = AnyKind.VECTOR_PACKED.value if is_pass and output in PACKS else job["kind"]
    wanted = {"kind": kind, "k_blocks": -(-job["k"] // 16), "has_bias": job["flags"] & 1,
              **{name: job[name] for name in ("m", "n", "k", "output")}}
    for name, value in wanted.items():
        assert fields[name] == value, f"{name} of {job}"
    given = {name: int(fields["stages"][name][0]) for name in stages}
    assert given == stages, "stages"
    if not is_pass:
        return
    assert not fields["reorder"] and not fields["measure"]
    policy = {name: int(value[0]) for name, value in fields["policy"].items()}
    if output != Output.MX6.value:  # all blocks are MX9, or there are none
        assert (policy["selection"], policy["units"]) == (Selection.HEAD.value, 1)
        return
    assert policy["selection"] == job["selection"]
    for name, selections in (("units", (Selection.TOP, Selection.HEAD)),
                             ("threshold", (Selection.THRESHOLD,))):
        if job["selection"] in [selection.value for selection in selections]:
            assert policy[name] == job[name], name


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def says_what_is_wrong_with_passes_and_others(dut):
    rng, config = drive.rng(), configuration()
    seen = set()
    for _ in range(drive.amount(4_000, 60_000)):
        job, asked = draw(rng, config), NOTHING
        if rng.random() < 0.7:
            job, asked = make_pass(rng, job), draw_asked(rng)
        elif rng.random() < 0.7:
            job, asked = make_staged(rng, job), draw_asked(rng)
        of_tags = job["n"] if job["flags"] & JobFlag.TAGGED else job["k"]
        refusal = await check(dut, config, job, draw_loaded(rng, config, of_tags % 4096),
                              rng.random() < 0.3, asked)
        seen.add((job["kind"] == PASS, refusal))
    of_others = {Refusal.UNKNOWN_KIND, Refusal.TILES_OUT_OF_RANGE, Refusal.ORDER_DOUBLE,
                 Refusal.ORDER_INCOMPLETE}
    wanted = set(Refusal) - set(OF_THE_MACHINE)
    if Output.MX6 not in config.outputs:  # then no pass chooses
        of_others |= OF_CHOICES
    missing = {(True, code) for code in wanted - of_others} - seen
    missing |= {(False, code) for code in (
        Refusal.NONE, Refusal.UNKNOWN_KIND, Refusal.UNKNOWN_FUNCTION, Refusal.UNKNOWN_ROWS,
        Refusal.BAD_COMBINATION)} - seen
    assert not missing, f"never seen: {missing}"


def good_pass(config):
    """Return registers of a pass, and what its table holds."""
    n = min(config.k_max, 60)
    return {"kind": PASS, "m": 5, "n": n, "k": n, "tiles": 0, "flags": 0,
            "format": FORMAT_CODES[config.float_formats[0]], "output": Output.FP32.value,
            "table": 0, "selection": 0, "units": 1, "threshold": 1}, Loaded(
                tuple(range(n)), -(-n // 16))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_setting_of_a_pass_at_its_corners(dut):
    config = configuration()
    good, loaded = good_pass(config)
    for output, selection in [*((output, 0) for output in Output),
                              *((Output.MX6, selection) for selection in range(1, 5))]:
        job = good | {"output": output.value, "selection": selection}
        taken = output in config.outputs and (output is not Output.MX6 or selection < 4)
        assert (await check(dut, config, job, loaded) is Refusal.NONE) == taken
        for name, value in itertools.product(SETTINGS, CORNERS):
            await check(dut, config, job | {name: value}, loaded)
        for value in CORNERS:
            await check(dut, config, job | {"n": value, "k": value}, loaded)
        for loads, tags in itertools.product((False, True), (0, 3, loaded.tags)):
            for table in (0, config.tables):
                await check(dut, config, job | {"table": table},
                            replace(loaded, tags=tags), loads)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_choice_of_stages_and_flags(dut):
    config = configuration()
    good, loaded = good_pass(config)
    for function, rows in itertools.product((*range(4), *WORST), (*range(5), *WORST)):
        asked = Asked(function, rows, 0x3F800000)
        for kind in (PASS, 0, 1, 2):
            for flags in (0, *map(int, STAGE_FLAGS)):
                for output in (Output.FP32, Output.MX6):
                    await check(dut, config, good | {
                        "kind": kind, "tiles": 1, "flags": flags, "output": output.value}, loaded,
                        asked=asked)
        for some in itertools.product((0, 1), repeat=len(FLAGS)):
            flags = sum(flag.value * chosen for flag, chosen in zip(FLAGS, some, strict=True))
            await check(dut, config, good | {"flags": flags}, loaded, asked=asked)
    for bit in range(32):
        refusal = await check(dut, config, good | {"flags": 1 << bit}, loaded)
        assert (refusal is Refusal.NONE) == (1 << bit in list(map(int, FLAGS)))
    for rows, scalar in itertools.product(range(5), (
            *SCALARS, *(0x7F800000 ^ 1 << bit for bit in range(32)))):
        await check(dut, config, good, loaded, asked=Asked(0, rows, scalar))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_pass_is_the_kind_four_alone(dut):
    """In its full width; that what packs is told apart is the machine's own."""
    config = configuration()
    good, loaded = good_pass(config)
    for kind in (*range(4, 40), *(PASS | 1 << bit for bit in range(3, 32))):
        refusal = await check(dut, config, good | {"kind": kind, "tiles": 1}, loaded)
        assert refusal is (Refusal.NONE if kind == PASS else Refusal.UNKNOWN_KIND)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def looks_at_mistakes_in_the_order_of_golden(dut):
    """Every two mistakes of a pass together: the first of the table is told."""
    config = configuration()
    good, loaded = good_pass(config)
    good |= {"output": Output.MX6.value, "flags": int(JobFlag.BIAS)}
    asked, selection = Asked(0, 0, 0x3F800000), Selection.TOP.value
    mistakes = {
        Refusal.UNKNOWN_FUNCTION: ({}, {"function": 4}),
        Refusal.UNKNOWN_ROWS: ({}, {"rows": 5}),
        Refusal.BAD_COMBINATION: ({"flags": 8}, {}), Refusal.ZERO_SIZE: ({"m": 0}, {}),
        Refusal.K_TOO_LARGE: (dict.fromkeys(("n", "k"), config.k_max + 1), {}),
        Refusal.UNKNOWN_FORMAT: ({"format": 7}, {}), Refusal.UNKNOWN_OUTPUT: ({"output": 9}, {}),
        Refusal.UNKNOWN_SELECTION: ({"selection": 9}, {}),
        Refusal.TOO_MANY_UNITS: ({"selection": selection, "units": 60_000}, {}),
        Refusal.UNKNOWN_TABLE: ({"selection": Selection.STATIC.value, "table": 99}, {})}
    if Output.MX6 not in config.outputs:
        good |= {"output": Output.FP32.value}
        mistakes = {code: each for code, each in mistakes.items() if code not in
                    {*OF_CHOICES, Refusal.UNKNOWN_TABLE}}
    for one, (job, more) in mistakes.items():
        assert await check(dut, config, good | job, loaded, asked=replace(asked, **more)) is one
        for other_job, other_more in mistakes.values():
            await check(dut, config, good | other_job | job, loaded,
                        asked=replace(asked, **other_more | more))


@pytest.mark.parametrize("name, config", [
    ("4x4", Config.sized(rows=4, cols=4, k_max=200, float_formats=("fp16", "fp32"), act_bytes=32,
                         bus_bytes=32, vector_lanes=4)),
    ("3x5", Config.sized(rows=3, cols=5, k_max=60, float_formats=("fp32",), tables=1,
                         bus_bytes=8, vector_lanes=1)),
])
def test_pass_check(name, config):
    bench.simulate(JobCheck(config), __name__, f"pass_check_{name}",
                   parameters=handed_over(config))
