"""Totals of coverage by module and kind."""

from collections import Counter, defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass

from sim_tests.coverage.points import KINDS, Point

GOALS = {"line": 1.0, "branch": 0.98, "toggle": 0.98}
"""Shares of the points, left out aside, that are to be reached."""


@dataclass(frozen=True)
class Total:
    """Points of one kind.

    Attributes
    ----------
    reached, points, excluded : int
        Those that are excluded are not among the points.
    """

    reached: int = 0
    points: int = 0
    excluded: int = 0

    def __add__(self, other: "Total") -> "Total":
        return Total(self.reached + other.reached, self.points + other.points,
                     self.excluded + other.excluded)

    @property
    def share(self) -> float:
        """What is reached of the points; all of none."""
        return self.reached / self.points if self.points else 1.0

    @property
    def percent(self) -> str:
        """The share in words; never rounded up to 100."""
        return f"{int(self.share * 1000) / 10:.1f}"


def by_module(counts: Counter[Point], excluded: Container[Point]) -> dict[str, dict[str, Total]]:
    """Sum up the points of each module by their kinds; modules in order."""
    found: dict[str, dict[str, Total]] = defaultdict(lambda: dict.fromkeys(KINDS, Total()))
    for point, count in counts.items():
        out = point in excluded
        found[point.module][point.kind] += Total(int(count > 0), int(not out), int(out))
    return {module: found[module] for module in sorted(found)}


def overall(totals: Mapping[str, Mapping[str, Total]]) -> dict[str, Total]:
    """Sum up all modules."""
    return {kind: sum((total[kind] for total in totals.values()), Total()) for kind in KINDS}
