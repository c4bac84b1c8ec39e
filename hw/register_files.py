"""Write what follows from the register map: ``python -m hw.register_files``.

The documentation and the C header stand in the repository, the SystemRDL under ``build/``.
"""

from pathlib import Path

from .register_header import header
from .register_page import page
from .register_rdl import rdl

ROOT = Path(__file__).resolve().parent.parent

COMMITTED = {"docs/registers.md": page, "hw/c/mixdit_registers.h": header}
"""Files that belong to the sources, and what writes them."""

FILES = COMMITTED | {"build/registers/mixdit.rdl": rdl}


def write(root=ROOT):
    """Write every file whose text has changed, and return their names."""
    changed = []
    for name, make in FILES.items():
        path, text = root / name, make()
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            changed.append(name)
    return changed


def stale(root=ROOT):
    """Name the committed files that are not what the register map says."""
    return [name for name, make in COMMITTED.items()
            if not (root / name).exists() or (root / name).read_text() != make()]


if __name__ == "__main__":
    for written in write():
        print(written)
