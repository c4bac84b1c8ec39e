"""The wheel, installed by itself: it has what the command needs, and says what it does not have."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from commands.exit_codes import ExitCode
from commands.tests.test_exit_codes import ROOT
from commands.tests.waiting import HANG_SECONDS


def run(*command: object, folder: Path) -> subprocess.CompletedProcess:
    """Run a program in a folder that is not the project's."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([str(each) for each in command], cwd=folder, capture_output=True,
                          text=True, encoding="utf-8", timeout=HANG_SECONDS, check=False, env=kept)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("commands", "golden", "hw", "perf", "simulation"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    code = "from setuptools import build_meta as b; b.build_wheel('..')"
    done = run(sys.executable, "-c", code, folder=source)
    assert done.returncode == 0, done.stderr
    found, = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def program(wheel) -> Path:
    """Install the wheel in an environment of its own, beside the packages of this one."""
    place = wheel.parent / "venv"
    done = run(sys.executable, "-m", "venv", "--without-pip", place, folder=wheel.parent)
    assert done.returncode == 0, done.stderr
    packages, = place.glob("lib/python*/site-packages")
    done = run(sys.executable, "-m", "pip", "--python", place / "bin" / "python", "install",
               "--no-deps", "--no-index", "--quiet", wheel, folder=wheel.parent)
    assert done.returncode == 0, done.stderr
    # No editable installation of the project is read from there: a .pth file in it has no effect.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return place / "bin" / "mixdit"


def test_the_wheel_holds_what_users_need_and_no_tests_of_the_machine(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"golden/py.typed", "hw/py.typed", "golden/torch/__init__.py", "hw/host/c/mixdit.h",
            "hw/registers/map.py", "commands/mixdit.py", "simulation/harness/bench.h",
            "simulation/works/expected.py"} <= set(names)
    assert not [name for name in names if name.startswith("perf/") or "tests" in name]


def test_the_command_works_from_the_wheel(program, tmp_path):
    done = run(program, "--version", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert run(program, "--help", folder=tmp_path).returncode == 0
    small = ("--rows", 1, "--cols", 1, "--k-max", 16, "--act-bytes", 4)
    done = run(program, "verilog", *small, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "build" / "verilog").iterdir()) == [
        "mixdit_1x1.v", "mixdit_1x1_sram_1r1w.v"]
    code = "import golden; print(golden.__file__)"
    done = run(program.with_name("python"), "-c", code, folder=tmp_path)
    assert str(program.parents[1]) in done.stdout


@pytest.mark.parametrize("command", [("run", "demo"), ("study", "model"), ("quality", "report"),
                                     ("check", "fuzz"), ("area", "--help"),
                                     ("check", "fuzz-files"), ("dev", "registers"),
                                     ("dev", "packages"), ("check", "registers")], ids=" ".join)
def test_what_the_wheel_lacks_is_said(program, tmp_path, command):
    done = run(program, *command, folder=tmp_path)
    assert done.returncode == ExitCode.FAILED
    assert "in a clone of the project, run `pip install -e" in done.stderr
    assert len(done.stderr.splitlines()) == 1
