"""The emitted Verilog of two 4x4 machines against their documentation, and nothing else.

The bench knows the pages numerics.md, packets.md, interfaces.md, registers.md and architecture.md;
it shares no code with the generator, its golden model or its other tests.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cocotb_tools.runner import get_results, get_runner

from commands.tests.calling import MIXDIT

ROOT = Path(__file__).resolve().parents[2]

OPTIONS = ("--rows=4", "--cols=4", "--k-max=256", "--act-depth=128", "--weight-depth=32",
           "--tile-slots=16", "--drain-lanes=8", "--name=mixdit_4x4")
"""The machines that the constants in `machine` describe."""

TESTS = {
    "half_even": ("registers", "products", "conversions", "mx4", "broken_packets", "aborts"),
    "truncate": ("truncation",),
}
"""The files that hold tests, by how their machine rounds to MX."""


@pytest.mark.skipif(
    shutil.which("iverilog") is None and not os.environ.get("MIXDIT_REQUIRE_ICARUS"),
    reason="no iverilog (Debian: iverilog); MIXDIT_REQUIRE_ICARUS=1 makes this a failure")
@pytest.mark.parametrize("rounding", TESTS)
def test_verilog_from_docs(tmp_path: Path, rounding: str):
    """Make the Verilog as a user does, build it with Icarus, and run every test."""
    subprocess.run([*MIXDIT, "verilog", *OPTIONS, f"--rounding={rounding}", "--output", tmp_path],
                   cwd=ROOT, check=True, capture_output=True)
    runner = get_runner("icarus")
    runner.build(
        sources=sorted(tmp_path.glob("mixdit_4x4*.v")),
        hdl_toplevel="mixdit_4x4",
        build_dir=tmp_path,
        build_args=["-g2012", "-DSRAM_POISON"],
        timescale=("1ns", "1ps"),
    )
    results = runner.test(
        hdl_toplevel="mixdit_4x4",
        test_module=",".join(f"sim_tests.from_docs.{name}" for name in TESTS[rounding]),
        build_dir=tmp_path,
        test_dir=tmp_path,
        results_xml=str(tmp_path / "results.xml"),
        extra_env={"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )
    written = sum(Path(__file__).with_name(f"{name}.py").read_text().count("\n@cocotb_test\n")
                  for name in TESTS[rounding])
    assert get_results(results) == (written, 0), "tests that ran, and failed"
