"""How far the sweeps are, in a file: what was interrupted goes on from there."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from commands.outputs import write_text

FOLDER = Path(__file__).resolve().parents[2]


_REPORTS = {"command.py", "page.py", "progress.py", "table.py"}
"""Beside the sweeps: what runs and records them, and changes none."""


def code() -> str:
    """Digest golden, its vector unit, its torch twins and the sweeps."""
    found = hashlib.sha256()
    for folder in (FOLDER, FOLDER / "vector", FOLDER / "torch", Path(__file__).parent):
        for path in sorted(folder.glob("*.py")):
            if folder == Path(__file__).parent and path.name in _REPORTS:
                continue
            found.update(f"{path.relative_to(FOLDER)} ".encode() + path.read_bytes())
    return found.hexdigest()[:16]


@dataclass
class Done:
    """What has been done of a sweep.

    Attributes
    ----------
    chunks, cases : int
        The first so many chunks, and the cases in them.
    seconds : float
    """

    chunks: int = 0
    cases: int = 0
    seconds: float = 0.0


class Progress:
    """What has been done of every sweep, by its name.

    Parameters
    ----------
    path : pathlib.Path
        What it says of other code is dropped.

    Raises
    ------
    ValueError
        If the file holds something else.
    """

    def __init__(self, path: Path):
        self.path, self.code = path, code()
        self.sweeps: dict[str, Done] = {}
        if not path.exists():
            return
        if not path.is_file():
            raise ValueError(f"{path} is no plain file: give another one as the record")
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            sweeps = {name: Done(**done) for name, done in found["sweeps"].items()}
            if found["code"] == self.code:
                self.sweeps = sweeps
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(f"{path} is no record of sweeps: give another file") from None

    def of(self, name: str) -> Done:
        """Return what has been done of a sweep."""
        return self.sweeps.setdefault(name, Done())

    def save(self) -> None:
        """Write the file."""
        write_text(self.path, json.dumps(self.as_json(), indent=1) + "\n")

    def as_json(self) -> dict[str, Any]:
        """Return what the file holds."""
        rounded = {name: asdict(done) | {"seconds": round(done.seconds, 1)}
                   for name, done in self.sweeps.items()}  # fmt: skip
        return {"code": self.code, "cases": sum(done.cases for done in self.sweeps.values()),
                "sweeps": rounded}  # fmt: skip
