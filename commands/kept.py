"""JSON files from before: results that earlier calls have kept, and committed records."""

import json
from pathlib import Path
from typing import Any


def result(path: Path) -> dict[str, Any]:
    """Read what an earlier call has kept; nothing, if it has not or it cannot be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def record(path: Path, *keys: str) -> dict[str, Any]:
    """Read a committed record.

    Parameters
    ----------
    path : pathlib.Path
    *keys : str
        What it has to hold.

    Raises
    ------
    ValueError
        If it cannot be read or lacks a key, with a sentence that names the file.
    """
    found = result(path)
    if not found or any(key not in found for key in keys):
        raise ValueError(f"the record {path} is missing or broken: take it from git again")
    return found
