"""Which code and data a result was computed from, as a number that changes with them."""

import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@cache
def code_version(patterns: tuple[str, ...], root: Path = ROOT) -> str:
    """Hash all files that fit, names and contents, to 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in root.glob(pattern)
                        if path.is_file()}):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
