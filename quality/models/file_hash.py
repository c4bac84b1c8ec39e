"""A hash of files, by which a model is known."""

import hashlib
from pathlib import Path


def hash_files(paths: list[Path]) -> str:
    """Hash names and contents of files to SHA-256, in hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        with path.open("rb") as file:
            digest.update(f"{path.name}\0".encode())
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
