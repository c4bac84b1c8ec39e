"""All proofs, found in this package's files."""

import importlib
import pkgutil

import formal
from formal.proof import Proof


def find_proofs() -> list[Proof]:
    """List the ``PROOFS`` of every file, by name."""
    found = []
    for module in pkgutil.walk_packages(formal.__path__, "formal."):
        if not module.name.startswith("formal.tests"):
            found += getattr(importlib.import_module(module.name), "PROOFS", ())
    return sorted(found, key=lambda proof: proof.name)
