"""Which benches see the mutants of a module, as data in ``benches.toml``."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Benches:
    """The benches of a module.

    Attributes
    ----------
    module : str
        File in ``hw/`` without its suffix.
    own : sequence of str
        Tests of its own bench, or of a bench that it is a part of. Mutants are drawn from what the
        first builds; the others have siblings of what it leaves.
    whole : sequence of str
        Tests of the accelerator, or of the machine around it whose part it is, for what is left.
    """

    module: str
    own: Sequence[str]
    whole: Sequence[str]


def read() -> dict[str, Benches]:
    """Return the benches of every module."""
    data = tomllib.loads((HERE / "benches.toml").read_text(encoding="utf-8"))
    whole, machines = data["whole"], data["machine"]
    return {module: Benches(module, own, [
                each for each in whole[machines.get(module) or _machine(module)]
                if each not in own])
            for module, own in data["own"].items()}


def _machine(module: str) -> str:
    return {"memory": "memory_machine", "memory_machine": "memory_machine",
            "vector": "vector_machine"}.get(module.partition("/")[0], "accelerator")


def reasons() -> dict[tuple[str, str], str]:
    """Return why a mutant needs no test, by its module and place."""
    data = tomllib.loads((HERE / "reasons.toml").read_text(encoding="utf-8"))
    return {(module, place): reason["because"] for module, listed in data.items()
            for reason in listed for place in reason["places"]}
