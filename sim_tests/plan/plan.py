"""What the plan claims: features with their tests, and what carries each module of ``hw/``."""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import kept
from formal.proofs import find_proofs
from sim_tests.bench import ROOT
from sim_tests.mutants import benches
from sim_tests.mutants.trial import FUZZ

PLAN = Path(__file__).resolve().parent / "plan.toml"

RECORDS = ROOT / "docs" / "verification"

KILLED, REACHED = 0.95, {"line": 1.0, "branch": 0.98, "toggle": 0.98}
"""Least shares for a module to be closed: of its mutants that are not equivalent, and of its
points."""


@dataclass(frozen=True)
class Feature:
    """What is claimed, and the tests that carry it.

    Attributes
    ----------
    says : str
    file : str
        Path in the repository.
    tests : sequence of str
        Functions in it.
    """

    says: str
    file: str
    tests: Sequence[str]


@dataclass(frozen=True)
class Section:
    """Features of one kind.

    Attributes
    ----------
    title : str
    folder : str
        What the files' paths are shown relative to, with a slash at the end; "" for none.
    text : str
        Markdown above the table.
    features : sequence of Feature
    """

    title: str
    folder: str
    text: str
    features: Sequence[Feature]


@dataclass(frozen=True)
class Module:
    """What carries one module.

    Attributes
    ----------
    name : str
        File in ``hw/`` without its suffix.
    files : sequence of str
        Its benches, or "random jobs".
    proofs : sequence of str
    fates : Counter
        Of its mutants.
    points : mapping of str to (int, int)
        Reached points and all, by kind.
    """

    name: str
    files: Sequence[str]
    proofs: Sequence[str]
    fates: Counter
    points: Mapping[str, tuple[int, int]]

    @property
    def killed(self) -> tuple[int, int]:
        """Mutants that were killed, and those that are not proven equivalent."""
        return self.fates["killed"], self.fates.total() - self.fates["equivalent"]

    def lacks(self) -> list[str]:
        """List what is missing to its goals; nothing if it is closed."""
        killed, different = self.killed
        missing = [] if different and killed >= KILLED * different else ["mutants"]
        for kind, share in REACHED.items():
            reached, points = self.points.get(kind, (-1, 0))
            if reached < share * points:
                missing.append(f"{kind} coverage")
        return missing


def sections() -> list[Section]:
    """Read the features.

    Raises
    ------
    ValueError
        If no test carries one, or a test is not there.
    """
    data = tomllib.loads(PLAN.read_text(encoding="utf-8"))
    found = []
    for each in data["section"]:
        folder = each.get("folder", "")
        features = [Feature(feature["says"], folder + feature["file"], feature["tests"])
                    for feature in each.get("feature", ())]
        found.append(Section(each["title"], folder, each.get("text", "").strip(), features))
    missing = [fault for section in found for feature in section.features
               for fault in _faults(feature)]
    if missing:
        raise ValueError("the plan claims what no test carries: " + "; ".join(missing))
    return found


def _faults(feature: Feature) -> list[str]:
    """Say what a feature's tests lack."""
    path = ROOT / feature.file
    if not feature.tests:
        return [f"{feature.says!r} has no test"]
    if not path.is_file():
        return [f"there is no {feature.file}"]
    text = path.read_text(encoding="utf-8")
    return [f"{feature.file} has no {name}" for name in feature.tests
            if not re.search(rf"^(async )?def {re.escape(name)}\(", text, re.MULTILINE)]


def record(name: str) -> dict[str, Any]:
    """Read one of the committed records; {} if there is none."""
    path = RECORDS / f"{name}.json"
    return kept.record(path) if path.exists() else {}


def modules() -> list[Module]:
    """Put together what carries each module, from proofs, benches and records."""
    also = tomllib.loads(PLAN.read_text(encoding="utf-8"))["proofs_of_parts"]
    proofs: dict[str, list[str]] = {}
    names = []
    for proof in find_proofs():
        names.append(proof.name)
        proofs.setdefault(_subject(proof.make), []).append(proof.name)
    for module, more in also.items():
        if unknown := set(more) - set(names):
            raise ValueError(f"there is no proof {', '.join(sorted(unknown))} of {module}")
        proofs[module] = list(dict.fromkeys([*proofs.get(module, []), *more]))
    mutants = record("mutants").get("modules", {})
    points = record("coverage").get("modules", {})
    found = []
    for name, each in sorted(benches.read().items()):
        files = dict.fromkeys("random jobs" if node.startswith(FUZZ) else node.partition("::")[0]
                              for node in each.own)
        fates = Counter({fate: count for fate, count in mutants.get(name, {}).items()
                         if isinstance(count, int)})
        reached = {kind: (counts[0], counts[1])
                   for kind, counts in points.get(f"hw/{name}.py", points.get(name, {})).items()}
        found.append(Module(name, list(files), proofs.get(name, []), fates, reached))
    return found


def _subject(make: Any) -> str:
    """Name the module that a proof lies beside: ``formal/`` has the folders of ``hw/``."""
    while hasattr(make, "func"):
        make = make.func
    return make.__module__.removeprefix("formal.").replace(".", "/")
