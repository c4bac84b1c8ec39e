"""Records of a sweep in a file of JSON lines, so that nothing is computed twice or lost."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.outputs import write_text


class StoreError(ValueError):
    """The file is no store; the sentence says why."""


@dataclass(frozen=True)
class Record:
    """What became of a point.

    Attributes
    ----------
    key : str
        `Point.key` of the point and of the code's version.
    changes : mapping of str to Any
        What the point changes in its preset.
    refused : str
        Why there is no such machine; empty where there is.
    figures : mapping of str to Any
        As `perf.studies.sweep.evaluate.evaluate` gives them; empty where the point was refused.
    """

    key: str
    changes: Mapping[str, Any]
    refused: str
    figures: Mapping[str, Any]

    def line(self) -> str:
        """Give the record as one line of JSON, the same for equal records."""
        return json.dumps(vars(self), sort_keys=True) + "\n"

    def plain(self) -> dict[str, Any]:
        """Give what `line` holds, keys sorted, whether it was just made or read."""
        return json.loads(self.line())


class Store:
    """A file that grows by a line for each point; reading it again continues a sweep.

    Parameters
    ----------
    path : pathlib.Path
        Made with its folder where it does not exist. A last line without its end, as a killed run
        leaves it, is cut off.

    Attributes
    ----------
    records : dict of str to Record
        By key.

    Raises
    ------
    StoreError
        If a line is no record.
    OSError
        If the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        whole = text[:text.rfind("\n") + 1]
        if whole != text:
            write_text(path, whole)
        self.records = {record.key: record for number, line in enumerate(whole.splitlines(), 1)
                        if (record := self._parse(line, number))}

    def _parse(self, line: str, number: int) -> Record:
        try:
            return Record(**json.loads(line))
        except (TypeError, json.JSONDecodeError):
            raise StoreError(f"Line {number} of {self.path} is no record of a sweep: name another "
                             "file or delete this one.") from None

    def add(self, record: Record) -> None:
        """Append a record; it is on disk when this returns."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(record.line())
        self.records[record.key] = record
