"""The machine with memories of macros in the place of the generated module: docs/memories.md."""

import cocotb

from hw.accelerator import Accelerator
from hw.contract.job_codes import JobKind, Selection
from hw.tools.memories import memories
from sim_tests import accelerators, bench, drive
from sim_tests.accelerators import start
from sim_tests.stimuli.works import run_and_check
from simulation import emission
from simulation.machines import MATRIX
from simulation.works.random_works import make_work

EXAMPLE = bench.ROOT / "examples" / "sram_macros.v"


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def every_kind_of_job_is_right(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    works = [make_work(config, rng, 5, 20, config.k_max, kind=kind) for kind in JobKind]
    works.append(make_work(config, rng, 5, 20, config.k_max, order=True, measure=True,
                           selection=Selection.STATIC))
    await run_and_check(machine, *works)


def test_memories_of_macros():
    built = bench.build(Accelerator(MATRIX["1x1"]), "mixdit_1x1", memory=EXAMPLE,
                        emitted=emission.machine(MATRIX["1x1"], "mixdit_1x1"))
    depths = {each.depth for each in memories((built.directory / "mixdit_1x1.v").read_text())}
    assert any(depth <= 16 for depth in depths) and any(depth > 32 for depth in depths)
    accelerators.run(built, __name__)
