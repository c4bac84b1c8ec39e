"""The cache of libraries: whole or absent, whoever builds and whoever is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from commands.checkout import ROOT
from commands.tools import ToolError
from hw.contract.config import Config
from hw.host.carrier import ACTIVATIONS
from simulation.build import LIBRARY, Flags, build, compile_verilog
from simulation.machine import SimulatedMachine
from simulation.tests.machines import FAULTY

VERILOG = FAULTY.read_text(encoding="utf-8")
QUICK = Flags(optimise="-O1")
PROGRAM = """
import sys
from pathlib import Path
from simulation.build import Flags, compile_verilog
from simulation.tests.machines import FAULTY
print(compile_verilog(FAULTY.read_text(encoding="utf-8"), flags=Flags(optimise="-O1"),
                      place=Path(sys.argv[1])))
"""


def test_a_bus_with_a_clock_of_its_own_is_refused(tmp_path):
    config = Config.sized(rows=2, cols=2, k_max=64, bus_bytes=8, bus_clock=1)
    with pytest.raises(ValueError, match="bus_clock=1 cannot be simulated here"):
        build(config, place=tmp_path)
    assert not list(tmp_path.iterdir())


def start(place) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(place)], cwd=ROOT,
                            stdout=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(pattern, place) -> None:
    latest = time.monotonic() + 60
    while not list(place.glob(pattern)):
        assert time.monotonic() < latest
        time.sleep(0.02)


def test_a_killed_build_poisons_nothing_and_two_at_once_share_one(tmp_path):
    killed = start(tmp_path)
    wait_for("*/unfinished/model/*.o", tmp_path)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not list(tmp_path.glob(f"*/{LIBRARY}"))

    both = [start(tmp_path) for _ in range(2)]
    paths = {process.communicate(timeout=120)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(paths) == 1
    library = compile_verilog(VERILOG, flags=QUICK, place=tmp_path)
    assert {str(library)} == paths
    assert not list(tmp_path.glob("*/unfinished"))
    with SimulatedMachine(library) as machine:
        machine.send(ACTIVATIONS, [b"abc"])
        assert machine.take(1) == [b"abc"]
    before = library.stat().st_mtime_ns
    assert compile_verilog(VERILOG, flags=QUICK, place=tmp_path) == library
    assert library.stat().st_mtime_ns == before


def test_what_does_not_build_says_why_and_where(tmp_path):
    with pytest.raises(ToolError, match=r"could not be built: .*syntax error.*\nThe log is .*log"):
        compile_verilog("module machine(\n", place=tmp_path)
    assert not list(tmp_path.glob(f"*/{LIBRARY}"))


def test_what_all_models_share_is_not_compiled_again(tmp_path):
    library = compile_verilog(VERILOG, flags=QUICK, place=tmp_path)
    log = (library.parent / "build.log").read_text()
    assert "harness.cpp" in log and "verilated.cpp" not in log
    assert log.count("-include") > 1 and "[-Winvalid-pch]" not in log


def test_a_place_that_make_cannot_build_in_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nothing can be built in"):
        compile_verilog(VERILOG, place=tmp_path / "a b")


def test_waveforms_are_written_where_asked_for(tmp_path):
    library = compile_verilog(VERILOG, flags=Flags(optimise="-O1", waves=True), place=tmp_path)
    dump = tmp_path / "dump.vcd"
    with SimulatedMachine(library) as machine:
        machine.trace(dump)
        machine.send(ACTIVATIONS, [b"abc"])
        machine.take(1)
        machine.trace(None)
        size = dump.stat().st_size
        machine.advance(10)
        assert dump.stat().st_size == size
    assert "m_axis_out_tvalid" in dump.read_text(encoding="utf-8")


@pytest.mark.parametrize(("place", "words"), [
    (1, "float16 (10, 8) True "), (2, "(16, 8) Counts(cycle=")])
def test_the_examples_in_the_docs_run(place, words):
    text = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")
    program = text.split("```python\n")[place].partition("```")[0]
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(words)
