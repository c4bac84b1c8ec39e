"""Several processes of a launcher share the images and leave what one process leaves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands.tests.calling import MIXDIT
from commands.tests.waiting import HANG_SECONDS
from quality.harness.ranks import Rank

pytest.importorskip("torch")
pytest.importorskip("diffusers")

ROOT = Path(__file__).resolve().parents[2]


def launch(checkpoint: Path, out: Path, *launcher: str) -> str:
    """Run `evaluate` under a launcher and return what it printed."""
    options = ["--policy", "mx6", "--images", "5", "--batch", "2", "--probe", "2", "--steps", "2"]
    command = [*launcher, *MIXDIT, "quality", "evaluate", "--model", str(checkpoint)]
    finished = subprocess.run(
        [*command, *options, "--seeds", "0", "--jobs", "1", "--out", str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def records(out: Path) -> dict[str, dict]:
    """Return all records but the time they took and the hashes of the code, by their files."""
    found = {path.relative_to(out).as_posix(): json.loads(path.read_text())
             for path in out.rglob("*.json")}  # fmt: skip
    for record in found.values():
        for name in ("seconds", "sampling_code", "quantizing_code", "key"):
            record.pop(name, None)
    return found


def test_two_processes_of_torchrun_write_the_records_of_one(checkpoint: Path, tmp_path: Path):
    launch(checkpoint, tmp_path / "one")
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--no-python", "--standalone",
                "--nproc-per-node", "2")  # fmt: skip
    printed = launch(checkpoint, tmp_path / "two", *torchrun)
    assert printed.count("2 records") == 1  # the first process speaks, and it alone
    assert len(records(tmp_path / "one")) == 2
    assert records(tmp_path / "two") == records(tmp_path / "one")


def test_every_item_falls_to_one_process():
    work = list(range(11))
    shares = [Rank(index, 3).share(work) for index in range(3)]
    assert sorted(item for share in shares for item in share) == work
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_launcher_says_which_process_this_is(monkeypatch: pytest.MonkeyPatch):
    assert Rank.here() == Rank(0, 1, 0)
    for name, value in {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert Rank.here() == Rank(5, 8, 1)
    assert not Rank.here().leads
