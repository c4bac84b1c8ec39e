"""Job descriptions, good and bad: what the check says, against the same rules in plain Python."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import Timer

from hw.config import Config
from hw.job import JobKind, Output, job_layout
from hw.job_check import JobCheck
from hw.outlier_policy import Selection
from hw.registers import Refusal
from hw.widen import FORMAT_CODES
from sim_tests import bench, drive
from sim_tests.operands import configuration, handed_over

SETTINGS = ("kind", "m", "n", "k", "tiles", "format", "output", "flags", "table", "selection",
            "units", "threshold")


def draw(rng: np.random.Generator, config: Config) -> dict[str, int]:
    """Draw registers that mostly hold something sensible, often at a border."""
    def at_border(limit: int) -> int:
        return int(rng.choice([0, 1, limit - 1, limit, limit + 1, 1 << 16, limit | 1 << 20]))

    k = int(rng.integers(1, config.k_max + 1)) if rng.random() < 0.8 else at_border(config.k_max)
    blocks = -(-k // 16)
    most = max(1, min(config.tile_slots, config.act_depth // max(1, blocks)))
    values = {
        "kind": int(rng.integers(4)), "m": int(rng.integers(1, 100)),
        "n": int(rng.integers(1, 100)), "k": k,
        "tiles": int(rng.integers(1, most + 1)) if rng.random() < 0.7 else at_border(most),
        "format": int(rng.integers(3)), "output": int(rng.integers(5)) * int(rng.integers(2)),
        "flags": int(rng.integers(8)) * int(rng.integers(2)),
        "table": int(rng.integers(config.tables)), "selection": int(rng.integers(4)),
        "units": int(rng.integers(2)) if rng.random() < 0.7 else at_border(blocks),
        "threshold": int(rng.integers(1 << 31)),
    }
    if rng.random() < 0.5:
        name = str(rng.choice(SETTINGS))
        values[name] = int(rng.choice([0, 4, 5, 8, config.tables, values[name] | 1 << 31,
                                       values[name] | 1 << 8, values[name] | 1 << 16]))
    return values


def expected(config: Config, job: dict[str, int]) -> Refusal:
    """Say why a job is refused: the first rule of the register documentation that it breaks."""
    kinds = {kind.value: kind for kind in JobKind}
    if job["kind"] not in kinds:
        return Refusal.UNKNOWN_KIND
    kind = kinds[job["kind"]]
    converts = kind in (JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED)
    packed = kind is JobKind.GEMM_PACKED
    blocks = -(-job["k"] // 16)
    bias, reorder, measure = (bool(job["flags"] >> bit & 1) for bit in range(3))
    if 0 in (job["n"], job["k"]) or (not converts and job["m"] == 0):
        return Refusal.ZERO_SIZE
    if job["k"] > config.k_max:
        return Refusal.K_TOO_LARGE
    if not converts and (not 1 <= job["tiles"] <= config.tile_slots
                         or job["tiles"] * blocks > config.act_depth):
        return Refusal.TILES_OUT_OF_RANGE
    formats = [FORMAT_CODES[name] for name in config.float_formats]
    if not packed and job["format"] not in formats:
        return Refusal.UNKNOWN_FORMAT
    packs = 16 % config.cols == 0 or config.cols % 16 == 0
    if job["output"] not in range(5 if packs else 3):
        return Refusal.UNKNOWN_OUTPUT
    if not packed:
        if job["selection"] not in range(4):
            return Refusal.UNKNOWN_SELECTION
        most = 1 if job["selection"] == Selection.HEAD.value else blocks
        if job["units"] > most:
            return Refusal.TOO_MANY_UNITS
        if job["threshold"] >> 31:
            return Refusal.NEGATIVE_THRESHOLD
    reads_table = reorder or (not packed and job["selection"] == Selection.STATIC.value)
    if reads_table and job["table"] >= config.tables:
        return Refusal.UNKNOWN_TABLE
    if (job["flags"] >= 8 or (converts and (bias or job["output"] != Output.FP32.value))
            or (kind in (JobKind.GEMM_PACKED, JobKind.CONVERT_TRANSPOSED)
                and (reorder or measure))):
        return Refusal.BAD_COMBINATION
    return Refusal.NONE


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def says_what_is_wrong(dut):
    rng, config = drive.rng(), configuration()
    seen = set()
    for _ in range(drive.amount(3000, 30000)):
        job = draw(rng, config)
        for name, value in job.items():
            getattr(dut, f"job_{name}").value = value
        await Timer(1, "ns")
        refusal = Refusal(int(dut.refusal.value))
        assert refusal is expected(config, job), f"{refusal.name} for {job}"
        seen.add(refusal)
        if refusal is Refusal.NONE:
            fields = drive.unpack(job_layout(config), [int(dut.job.value)])
            assert fields["k_blocks"] == -(-job["k"] // 16)
            for name in ("kind", "m", "n", "k", "tiles", "output", "table"):
                if name != "tiles" or job["kind"] < 2:
                    if name != "table" or job["table"] < config.tables:
                        assert fields[name] == job[name], f"{name} of {job}"
    missing = set(Refusal) - seen - {Refusal.QUEUE_FULL, Refusal.DRAINING}
    assert not missing, f"never seen: {missing}"


@pytest.mark.parametrize("name, config", [
    ("8x8", Config(k_max=200, float_formats=("fp16", "fp32"), act_bytes=32)),
    ("3x5", Config.sized(rows=3, cols=5, k_max=60, float_formats=("bf16",), tables=1)),
])
def test_job_check(name, config):
    bench.simulate(JobCheck(config), __name__, f"job_check_{name}", parameters=handed_over(config))
