"""Job descriptions, good and bad: what the check says, against the same rules in plain Python."""

import itertools

import cocotb
import numpy as np
import pytest
from cocotb.triggers import Timer

from hw.contract.config import Config
from hw.contract.job import job_layout
from hw.contract.job_codes import FORMAT_CODES, JobKind
from hw.control.job_check import JobCheck
from hw.registers.job_rules import CHECKS, USES
from hw.registers.map import JOB, JobFlag, Refusal
from sim_tests import bench, drive
from sim_tests.stimuli.job_settings import (
    CORNERS,
    OF_STAGES,
    OF_THE_MACHINE,
    SETTINGS,
    Loaded,
    draw,
    expected,
)
from sim_tests.stimuli.operands import configuration, handed_over

FP32_INFINITY = 0x7F800000


def draw_loaded(rng: np.random.Generator, config: Config, k: int) -> Loaded:
    """Draw what a table was loaded with, mostly for jobs of k channels."""
    order = rng.permutation(min(k, config.k_max)).tolist()
    if order and rng.random() < 0.3:
        order[rng.integers(len(order))] = int(rng.integers(config.k_max))
    if rng.random() < 0.2:
        order = order[: rng.integers(len(order) + 1)]
    tags = -(-k // 16) if rng.random() < 0.8 else int(rng.integers(config.k_blocks_max + 1))
    return Loaded(tuple(order), min(tags, config.k_blocks_max))


async def check(dut, config: Config, job: dict[str, int], loaded: Loaded,
                loads: bool = False) -> Refusal:
    """Compare what is said of a job; return it."""
    dut.loads.value = int(loads)
    for name, value in job.items():
        getattr(dut, f"job_{name}").value = value
    dut.loaded__channels.value = len(loaded.order)
    dut.loaded__is_whole.value = int(loaded.is_whole)
    dut.loaded__is_double.value = int(loaded.is_double)
    dut.loaded__tags.value = loaded.tags
    await Timer(1, "ns")
    refusal = Refusal(int(dut.refusal.value))
    assert refusal is expected(config, job, loaded, loads), (
        f"{refusal.name} for {job}, {loaded}, loads {loads}")
    return refusal


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def says_what_is_wrong(dut):
    rng, config = drive.rng(), configuration()
    seen = set()
    for _ in range(drive.amount(4000, 40000)):
        job = draw(rng, config)
        refusal = await check(dut, config, job, draw_loaded(rng, config, job["k"] % 4096),
                              rng.random() < 0.3)
        seen.add(refusal)
        if refusal is Refusal.NONE:
            fields = drive.unpack(job_layout(config), [int(dut.job.value)])
            assert fields["k_blocks"] == -(-job["k"] // 16)
            for name in ("kind", "m", "n", "k", "tiles", "output", "table"):
                if name != "tiles" or job["kind"] < 2:
                    if name != "table" or job["table"] < config.tables:
                        assert fields[name] == job[name], f"{name} of {job}"
    missing = set(Refusal) - seen - {*OF_THE_MACHINE, *OF_STAGES}
    assert not missing, f"never seen: {missing}"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_setting_of_every_kind_at_its_corners(dut):
    config = configuration()
    k = min(config.k_max, 60)
    loaded = Loaded(tuple(range(k)), -(-k // 16))
    good = {"m": 5, "n": 7, "k": k, "tiles": 1, "format": FORMAT_CODES[config.float_formats[0]],
            "output": 0, "table": 0, "units": 1, "threshold": 1}
    seen = set()
    for kind, flags, selection in itertools.product(range(4), range(8), range(4)):
        job = good | {"kind": kind, "flags": flags, "selection": selection}
        await check(dut, config, job, loaded)
        for name, value in itertools.product(SETTINGS, CORNERS):
            seen.add((kind, await check(dut, config, job | {name: value}, loaded)))
        for value in (*(FP32_INFINITY + 1 ^ 1 << bit for bit in range(32)), FP32_INFINITY):
            await check(dut, config, job | {"threshold": value}, loaded)
    for kind, value in itertools.product(range(4), (0, config.tables - 1, *CORNERS)):
        job = good | {"kind": kind, "flags": 0, "selection": 0, "table": value}
        for loads in (False, True):  # a table that the job does not look at
            await check(dut, config, job, loaded, loads)
    for kind in JobKind:  # each has jobs that are taken, and more sorts of those that are not
        assert len([code for other, code in seen if other == kind.value]) > 4
        assert (kind.value, Refusal.NONE) in seen


def test_the_checks_name_every_refusal_once():
    assert sorted(CHECKS) == sorted(set(Refusal) - {Refusal.NONE})


def test_the_uses_name_every_job_register_and_flag_once():
    flags = [flag.name for flag in JobFlag]
    registers = [register.name.removeprefix("JOB_") for register in JOB]
    named = [name for register in registers
             for name in (flags if register == "FLAGS" else [register]) if name != "KIND"]
    assert sorted(use.name for use in USES) == sorted(named)


@pytest.mark.parametrize("name, config", [
    ("8x8", Config(k_max=200, float_formats=("fp16", "fp32"), act_bytes=32)),
    ("3x5", Config.sized(rows=3, cols=5, k_max=60, float_formats=("bf16",), tables=1)),
])
def test_job_check(name, config):
    bench.simulate(JobCheck(config), __name__, f"job_check_{name}", parameters=handed_over(config))
