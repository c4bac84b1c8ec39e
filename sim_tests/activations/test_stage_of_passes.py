"""Tiles of passes between those of other jobs: their tags go another way than conversions'."""

import cocotb
import pytest

from hw.contract.config import Config
from hw.contract.job_codes import AnyKind, Selection
from sim_tests import bench, drive
from sim_tests.activations.test_tile_stage import DetectingStage, all_kinds, convert, draw
from sim_tests.stimuli.operands import configuration, handed_over

PASS = AnyKind.VECTOR_PACKED


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5], tag_stall=[0.0, 0.8])
async def matches_golden_among_all_kinds_of_jobs(dut, idle, stall, tag_stall):
    rng, config = drive.rng(), configuration()
    jobs = list(all_kinds(rng, config, drive.amount(32, 160)))
    await convert(dut, [jobs[index] for index in rng.permutation(len(jobs))], idle, stall,
                  tag_stall)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def hands_out_a_tiles_tags_while_its_blocks_stall(dut):
    rng, config = drive.rng(), configuration()
    job = draw(rng, config, PASS, 2 * config.rows, config.k_max, Selection.TOP)
    cycles = await convert(dut, [job], stall=drive.LongPause(0, 1_000))
    assert cycles["pass_tags"][config.k_blocks_max - 1] < cycles["o"][0]
    assert not cycles["tags_o"]


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def loses_no_tag_when_more_are_settled_than_can_wait(dut):
    rng, config = drive.rng(), configuration()
    jobs = [draw(rng, config, PASS, 1, k, Selection.STATIC)
            for k in [config.k_max] * 6 + [1] * config.stage_depth]
    await convert(dut, jobs, stall=drive.LongPause(0, 1_000))


@pytest.mark.parametrize("rows, cols", [(3, 4), (4, 2)])
def test_stage_of_passes(rows, cols):
    config = Config.sized(rows=rows, cols=cols, k_max=64, bus_bytes=16, vector_lanes=2)
    bench.simulate(DetectingStage(config), __name__, f"stage_of_passes_{rows}x{cols}",
                   parameters=handed_over(config))
