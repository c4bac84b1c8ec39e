"""Which code and data a result was computed from, as a number that changes with them."""

import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SOURCES = ("golden/*.py", "hw/**/*.py", "perf/*.py", "perf/presets/*.toml", "perf/schedule/*.py",
           "perf/workloads/*.py", "perf/workloads/models.json", "perf/gpu/*.py", "perf/system/*",
           "perf/ppa/*.json", "perf/sweep/evaluate.py", "perf/sweep/point.py")
"""Everything that a point's figures can depend on, and more: a change too many only costs time."""


@cache
def code_version(root: Path = ROOT) -> str:
    """Hash all files of `SOURCES`, names and contents, to 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in SOURCES for path in root.glob(pattern)
                        if path.is_file()}):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
