"""Good and bad jobs, broken packets and aborts at random; ``mixdit check fuzz`` runs many more."""

import json
from pathlib import Path

import cocotb
import pytest

from sim_tests import accelerators, drive
from sim_tests.accelerators import start
from sim_tests.fuzz import command as fuzz
from sim_tests.fuzz.jobs import Fuzzer


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def any_jobs_in_any_state(dut):
    fuzzer = Fuzzer(await start(dut), drive.rng())
    try:
        await fuzzer.run(drive.parameters()["jobs"])
    finally:
        found = {**fuzzer.tally, "cycles": drive.cycle()}
        Path(fuzz.SUMMARY).write_text(json.dumps(found))


@pytest.mark.parametrize("name", accelerators.NAMES)
def test_fuzz(name):
    found = fuzz.simulate(accelerators.build(name), drive.amount(60, 300))
    assert found["good"] and found["broken"] and found["flags"], found
