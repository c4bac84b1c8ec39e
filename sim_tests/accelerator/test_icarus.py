"""The accelerator in Icarus Verilog: four-state, with nothing known before the reset.

Every register and every word of a memory begins as X, and `x_watch` looks at the ports.
"""

import os
import shutil
import subprocess

import cocotb
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract.job_codes import JobKind, Selection
from hw.parts.emit import emit
from sim_tests import accelerators, drive
from sim_tests.accelerator import test_abort, test_accelerator, test_faults
from sim_tests.accelerators import start
from sim_tests.stimuli.works import run_and_check
from simulation.works.random_works import make_work


def is_set(variable: str) -> bool:
    """Tell whether an environment variable says yes."""
    return os.environ.get(variable, "0") not in ("", "0")


needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None and not is_set("MIXDIT_REQUIRE_ICARUS"),
    reason="no iverilog (Debian: iverilog); MIXDIT_REQUIRE_ICARUS=1 makes this a failure")


@cocotb.test(timeout_time=40, timeout_unit="us")
async def every_kind_an_order_and_an_abort(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    sizes = config.rows + 1, config.cols + 1, min(20, config.k_max)
    works = [make_work(config, rng, *sizes, kind=kind) for kind in JobKind]
    works.append(make_work(config, rng, *sizes, order=True, measure=True, bias=True,
                           selection=Selection.STATIC))
    await run_and_check(machine, *works)
    await machine.start(works[0])
    machine.feed(works[0])
    await machine.ticks(60)
    await test_abort.abort(machine)
    await run_and_check(machine, works[1])


class Asleep(wiring.Component):
    """A process whose inputs have had their values since before time zero."""

    i: In(2)
    o: Out(2)

    def elaborate(self, platform):
        m = Module()
        with m.Switch(self.i):
            with m.Case(0):
                m.d.comb += self.o.eq(1)
        return m


WAKES = """
module bench;
  reg [1:0] i = 0;
  wire [1:0] o;
  asleep dut(.i(i), .o(o));
  initial #1 $display("o=%b", o);
endmodule
"""


@needs_icarus
@pytest.mark.parametrize("standard", ["2005", "2012"])
def test_every_process_wakes_by_either_standard(standard, tmp_path):
    source, model = tmp_path / "asleep.v", tmp_path / "asleep.vvp"
    source.write_text(emit(Asleep(), "asleep") + WAKES)
    subprocess.run(["iverilog", f"-g{standard}", "-o", model, source], check=True)
    run = subprocess.run(["vvp", "-n", model], check=True, capture_output=True, text=True)
    assert run.stdout == "o=01\n"


@needs_icarus
def test_nothing_unknown_matters():
    accelerators.run(accelerators.build("3x5", "icarus"), __name__, "short")


BENCHES = {"accelerator": test_accelerator, "abort": test_abort, "faults": test_faults}


@needs_icarus
@pytest.mark.skipif(not is_set("MIXDIT_ICARUS"), reason="half an hour; make test-icarus runs it")
@pytest.mark.parametrize("bench", BENCHES)
@pytest.mark.parametrize("name", accelerators.QUICK)
def test_the_benches_of_the_accelerator(name, bench):
    built = accelerators.build(name, "icarus")
    accelerators.run(built, BENCHES[bench].__name__, bench)
