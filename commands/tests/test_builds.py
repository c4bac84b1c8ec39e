"""Builds that are killed, that run twice at once, and places where make cannot build."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from commands import builds
from commands.tests.test_exit_codes import ROOT
from commands.tests.waiting import HANG_SECONDS, wait_until
from commands.tools import ToolError

BUILDER = """
import sys, time
from pathlib import Path
from commands import builds, children
folder, log = Path(sys.argv[1]), Path(sys.argv[2])
with builds.building(folder) as lock:
    made = folder / "made"
    with log.open("a", encoding="utf-8") as file:
        file.write("begun " + str(made.exists()) + "\\n")
    if not made.exists():
        script = ('printf half > "$0"; while [ ! -e "$1" ]; do sleep 0.02; done;'
                  'printf -- -whole >> "$0"')
        children.run(["sh", "-c", script, str(made), str(log.with_name("go"))], pass_fds=[lock])
"""
"""Stands for make and its compiler: takes a file for made as soon as it is there."""


def start(folder: Path, log: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", BUILDER, str(folder), str(log)], cwd=ROOT,
                            start_new_session=True)


@pytest.mark.parametrize("whom", ["all", "python"])
def test_a_killed_build_is_begun_anew(tmp_path, whom):
    folder, log, go = tmp_path / "model", tmp_path / "log", tmp_path / "go"
    (folder / "run").mkdir(parents=True)
    killed = start(folder, log)
    wait_until((folder / "made").exists)
    (os.killpg if whom == "all" else os.kill)(killed.pid, signal.SIGKILL)
    killed.wait()
    assert (folder / builds.MARK).exists()
    # Where the compiler lives on, the lock is its own until it has ended.
    again = start(folder, log)
    if whom == "python":
        with pytest.raises(BlockingIOError), builds.locked(tmp_path / "model.lock", wait=False):
            pass
    go.touch()
    assert again.wait(HANG_SECONDS) == 0
    assert (folder / "made").read_text(encoding="utf-8") == "half-whole"
    assert log.read_text(encoding="utf-8") == "begun False\nbegun False\n"
    assert not (folder / builds.MARK).exists()
    assert (folder / "run").is_dir()


def test_two_at_once_build_once(tmp_path):
    folder, log, go = tmp_path / "model", tmp_path / "log", tmp_path / "go"
    both = [start(folder, log) for _ in range(2)]
    wait_until((folder / "made").exists)
    go.touch()
    assert [each.wait(HANG_SECONDS) for each in both] == [0, 0]
    assert log.read_text(encoding="utf-8") == "begun False\nbegun True\n"


def test_a_second_call_is_refused_while_one_works(tmp_path):
    what = tmp_path / "record.json"
    with builds.alone(what):
        with pytest.raises(ToolError, match=r"another call works on .*record\.json"):
            with builds.alone(what):
                pass
        with builds.alone(tmp_path / "other.json"):
            pass
    with builds.alone(what), pytest.raises(BlockingIOError):
        raise BlockingIOError  # what goes wrong inside is no other call


def test_a_build_that_failed_is_begun_anew(tmp_path):
    folder = tmp_path / "model"
    with pytest.raises(OSError, match="No space"), builds.building(folder):
        (folder / "object").touch()
        raise OSError(28, "No space left on device")
    with builds.building(folder):
        assert [path.name for path in folder.iterdir()] == [builds.MARK]
        (folder / "object").touch()
    with builds.building(folder):
        assert (folder / "object").exists()


@pytest.mark.parametrize("name", ["a b", "a#b", "a$b", "a:b", "a'b", 'a"b', "a%b", "a;b", "a,b",
                                  "a(b", "a*b", "a\\b", "a\tb", "a=b", "a~b"])
def test_places_where_make_cannot_build_are_refused(name):
    with pytest.raises(ValueError, match="nothing can be built in /projects/a"):
        builds.check_place(Path("/projects") / name / "build")


def test_plain_places_are_taken():
    builds.check_place(Path("/home/jo.doe/x_1-2+3@4"), Path("/home/é/x"))


@pytest.mark.parametrize("name", ["a b", "a#b", "a$b", "a:b"])
def test_make_itself_refuses_them(tmp_path, name):
    place = tmp_path / name
    place.mkdir()
    (place / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    done = subprocess.run(["make", "test"], cwd=place, capture_output=True, text=True,
                          encoding="utf-8", timeout=HANG_SECONDS, check=False)
    assert done.returncode == 2
    assert "make cannot build in" in done.stderr
    assert [path.name for path in place.iterdir()] == ["Makefile"]
