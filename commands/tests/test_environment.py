"""What the environment of another project must not change, and values of our own variables."""

import os
import subprocess
import sys

import pytest

from commands import environment
from commands.tests.test_exit_codes import ROOT
from commands.tests.waiting import HANG_SECONDS

OTHERS = ("COCOTB_TEST_FILTER", "COCOTB_TESTCASE", "COCOTB_TEST_MODULES", "COCOTB_RANDOM_SEED",
          "COCOTB_RESOLVE_X", "TOPLEVEL", "MODULE", "TESTCASE", "SIM", "GPI_EXTRA", "GPI_USERS",
          "PYGPI_PYTHON_BIN", "LIBPYTHON_LOC", "VERILATOR_ROOT", "VERILATOR_BIN", "MAKEFLAGS",
          "MAKEFILES", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "OPT", "USER_CPPFLAGS", "GUI",
          "PYTHONOPTIMIZE", "PYTHONWARNINGS", "MPLBACKEND", "VM_TRACE")


@pytest.mark.parametrize("name", OTHERS)
def test_other_projects_variables_are_cleared_for_a_while(monkeypatch, name):
    monkeypatch.setenv(name, "other")
    assert name not in environment.of_simulator()
    with environment.cleared():
        assert name not in os.environ
    assert os.environ[name] == "other"


@pytest.mark.parametrize("name", ["PATH", "HOME", "CPATH", "LIBRARY_PATH", "CCACHE_DIR", "TMPDIR",
                                  "PYTHONPATH", "MIXDIT_SEED", "CUDA_VISIBLE_DEVICES"])
def test_what_belongs_to_the_computer_stays(name):
    assert not environment.is_foreign(name)


def test_waveforms_are_for_benches_alone(monkeypatch):
    monkeypatch.setenv("WAVES", "1")
    assert environment.flag("WAVES")
    assert "WAVES" not in environment.of_simulator()


@pytest.mark.parametrize(("name", "value"), [
    ("MIXDIT_SEED", "x"), ("MIXDIT_SEED", "-1"), ("MIXDIT_SEED", ""), ("MIXDIT_SEED", "1.5"),
    ("MIXDIT_SEED", str(1 << 31)), ("MIXDIT_SEED", "9" * 5000), ("MIXDIT_SEED", "²"),
    ("MIXDIT_SEED", "0" * 20 + "9" * 11),
    ("MIXDIT_FULL", "yes"), ("MIXDIT_MATRIX", "2"), ("MIXDIT_SIMULATOR", "vcs"),
    ("MIXDIT_REQUIRE_ICARUS", "true"), ("WAVES", "banana"), ("MIXDIT_SEDE", "1")])
def test_a_wrong_value_names_its_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=name):
        environment.check()


def test_right_values_are_read(monkeypatch):
    for name, value in (("MIXDIT_SEED", "7"), ("MIXDIT_FULL", "1"), ("MIXDIT_MATRIX", ""),
                        ("MIXDIT_SIMULATOR", "icarus"), ("MIXDIT_LIBERTY", "/any")):
        monkeypatch.setenv(name, value)
    environment.check()
    assert (environment.seed(), environment.simulator()) == (7, "icarus")
    assert environment.flag("MIXDIT_FULL") and not environment.flag("MIXDIT_MATRIX")


def test_benches_without_assertions_are_refused():
    done = subprocess.run(
        [sys.executable, "-O", "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "sim_tests/tools/test_memories.py"],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8",
        timeout=HANG_SECONDS, check=False)
    assert done.returncode == 4
    assert "benches are assertions" in done.stderr
