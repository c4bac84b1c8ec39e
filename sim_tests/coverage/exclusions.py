"""Points that are left out of the figures, each with the reason why nothing can reach it."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sim_tests.coverage.points import KINDS, Point

FILE = Path(__file__).with_name("exclusions.toml")

MOST = 0.02
"""The largest share of all points that may be left out."""


@dataclass(frozen=True)
class Exclusion:
    """Some points of a module.

    Attributes
    ----------
    module : str
        Its file.
    kind : str
        Of `KINDS`.
    what : str
        Regular expression that fits the whole of a point's words; empty fits a statement.
    reason : str
        Why no input reaches them.
    line : int, optional
        The one line that they are at; of any line without.
    """

    module: str
    kind: str
    what: str
    reason: str
    line: int | None = None

    def fits(self, point: Point) -> bool:
        """Tell whether a point is meant."""
        return (point.module == self.module and point.kind == self.kind
                and self.line in (None, point.line)
                and re.fullmatch(self.what, point.what) is not None)


def read(path: Path = FILE) -> list[Exclusion]:
    """Read the exclusions.

    Raises
    ------
    ValueError
        If one is not as it should be, naming it.
    """
    found = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("exclusion", ()):
        try:
            each = Exclusion(**entry)
        except TypeError as error:
            raise ValueError(f"{path.name}: {entry}: {error}") from None
        if each.kind not in KINDS or not each.reason.strip():
            raise ValueError(f"{path.name}: {entry} needs a reason, and a kind of "
                             f"{', '.join(KINDS)}")
        found.append(each)
    return found


def excluded(counts: Counter[Point], exclusions: Iterable[Exclusion]) -> dict[Point, str]:
    """Return the points that are left out, with the reasons: none that was reached."""
    by_module: dict[str, list[Exclusion]] = {}
    for each in exclusions:
        by_module.setdefault(each.module, []).append(each)
    found = {}
    for point, count in counts.items():
        if not count:
            for each in by_module.get(point.module, ()):
                if each.fits(point):
                    found[point] = each.reason
                    break
    return found


def idle(left_out: Iterable[Point], exclusions: Sequence[Exclusion]) -> list[Exclusion]:
    """List the exclusions that leave nothing out: what they name is reached, or gone."""
    left_out = list(left_out)
    return [each for each in exclusions if not any(each.fits(point) for point in left_out)]
