"""Write what follows from the register map: ``mixdit dev registers``.

The documentation and the C header stand in the repository, the SystemRDL under ``build/``.
"""

from pathlib import Path

from commands.checkout import require_checkout
from commands.exit_codes import ExitCode
from commands.outputs import check_file, write_if_changed
from commands.running import sentences
from commands.terminal import complain, make_console

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
    """Write what follows from the register map.

    That is the page in the docs, the C header, and SystemRDL under build/. The files that changed
    are named.

    Example: mixdit dev registers
    """
    with sentences():
        require_checkout()
        for name in FILES:
            check_file(ROOT / name)
        for written in write():
            make_console().print(written)


def check():
    """See whether the files made from the register map are up to date.

    Example: mixdit check registers
    """
    with sentences():
        require_checkout()
        old = stale()
    for name in old:
        complain(f"{name} is not what the register map says: run `mixdit dev registers`")
    return ExitCode.DIFFERENT if old else ExitCode.DONE
