"""Write what follows from the register map: ``python -m hw.registers.files``.

The documentation and the C header stand in the repository, the SystemRDL under ``build/``.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

from commands.outputs import check_file, write_if_changed
from commands.running import sentences, start
from commands.terminal import make_console

from .header import header
from .page import page
from .rdl import rdl

ROOT = Path(__file__).resolve().parents[2]

COMMITTED = {"docs/registers.md": page, "hw/host/c/mixdit_registers.h": header}
"""Files that belong to the sources, and what writes them."""

FILES = COMMITTED | {"build/registers/mixdit.rdl": rdl}


def write(root=ROOT):
    """Write every file whose text has changed, and return their names."""
    changed = []
    for name, make in FILES.items():
        if write_if_changed(root / name, make()):
            changed.append(name)
    return changed


def stale(root=ROOT):
    """Name the committed files that are not what the register map says."""
    return [name for name, make in COMMITTED.items()
            if not (root / name).exists() or (root / name).read_text(encoding="utf-8") != make()]


def main():
    """Write what has changed, and say what that was."""
    ArgumentParser(prog="python -m hw.registers.files", description=__doc__,
                   formatter_class=RawDescriptionHelpFormatter).parse_args()
    with sentences():
        for name in FILES:
            check_file(ROOT / name)
        for written in write():
            make_console().print(written)


if __name__ == "__main__":
    start(main)
