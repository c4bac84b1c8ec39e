"""All proofs, found in this package's files."""

import importlib
import itertools
import pkgutil
from collections.abc import Iterable

import formal
from commands.names import resolve
from formal.proof import Proof


def by_module() -> dict[str, list[Proof]]:
    """Group the ``PROOFS`` of every file by its place, such as ``streams/skid_buffer``."""
    found = {}
    for module in pkgutil.walk_packages(formal.__path__, "formal."):
        if not module.name.startswith("formal.tests"):
            if proofs := getattr(importlib.import_module(module.name), "PROOFS", ()):
                found[module.name.removeprefix("formal.").replace(".", "/")] = list(proofs)
    return found


def find_proofs() -> list[Proof]:
    """List all proofs, by name."""
    return sorted(itertools.chain(*by_module().values()), key=lambda proof: proof.name)


def choose(names: Iterable[str]) -> list[Proof]:
    """Choose proofs by their names and those of modules; all if there are none.

    Raises
    ------
    ValueError
        If nothing has such a name.
    """
    proofs = find_proofs()
    known = {proof.name: [proof] for proof in proofs} | by_module()
    chosen = [proof for name in names for proof in known[resolve(name, known, "proof")]]
    return list({proof.name: proof for proof in chosen or proofs}.values())
