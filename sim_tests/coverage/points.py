"""What can be reached, and how often it was: points of coverage at lines of the Python source."""

import re
from collections import Counter
from dataclasses import dataclass

from sim_tests.coverage.constants import Constants
from sim_tests.coverage.places import Places, plain

KINDS = ("line", "branch", "toggle")

_ENTRY = re.compile(r"^C '(.*)' (\d+)$")
_TURNS = {"0->1": "rises", "1->0": "falls"}
_INVENTED = re.compile(r"_\d*|port_\d+_\d+|clk|rst|wake")
"""Names that no source has: of expressions, and of ports for them; and the clock's."""


@dataclass(frozen=True, order=True)
class Point:
    """Something that a bench should reach.

    Attributes
    ----------
    module : str
        File of the component, such as "hw/control/scoreboard.py".
    line : int
        The line that it is shown at.
    kind : {"line", "branch", "toggle"}
        A statement under a condition is executed; a condition goes one way; a bit rises or falls.
    what : str
        Which, in words; empty of a statement.
    """

    module: str
    line: int
    kind: str
    what: str = ""

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.what or 'statement'}"


def read_counts(text: str, places: Places, constants: Constants) -> Counter[Point]:
    """Read what Verilator counted; what several instances have is added up.

    A signal that another component of the same design declares is left to that: the wire to a port
    and the port are one.

    Parameters
    ----------
    text : str
        A ``coverage.dat``.
    places : Places
        Of the Verilog that was simulated.
    constants : Constants
        Bits of it that cannot change, and are no points.

    Returns
    -------
    Counter of Point
        Points that were not reached are there, with a count of zero.
    """
    counts: Counter[Point] = Counter()
    components = {module.place[0] for module in places.modules.values() if module.place}
    for line in text.splitlines():
        if found := _ENTRY.match(line):
            fields = dict(part.split("\x02", 1) for part in found[1].split("\x01") if part)
            number, what = int(fields["l"]), fields["o"]
            kind = fields["page"].partition("/")[0].removeprefix("v_")
            module = places.modules[number]
            if module.place is None:
                continue
            points = (_toggle(number, what, places, components, constants) if kind == "toggle"
                      else _ways(number, what, places))
            for point in points:
                counts[point] += int(found[2])
    return counts


def _ways(number: int, what: str, places: Places) -> list[Point]:
    """Say which branch was taken, and which statements were executed."""
    module = places.modules[number]
    target = plain(places.targets.get(number, ""), module)
    name = "" if _INVENTED.fullmatch(target) else f"{target}: "
    if what in ("cond_then", "cond_else"):
        place = places.muxes.get(number)
        way = "chooses the first" if what == "cond_then" else "chooses the second"
        return [Point(*place, "branch", f"{name}Mux {way}")] if place else []
    if number not in places.arms:
        return []
    condition, arm = places.arms[number]
    if condition.place is None:
        return []
    if what == "else":
        has_arm = arm + 1 < len(condition.arms)
        statements = condition.arms[arm + 1] if has_arm else []
        way = _way(arm + 1, statements) if has_arm else "no arm is taken"
    else:
        statements = condition.arms[arm] if arm < len(condition.arms) else []
        way = _way(arm, statements)
    return [Point(*condition.place, "branch", f"{name}{way}"),
            *(Point(*place, "line") for place in dict.fromkeys(statements))]


def _way(arm: int, statements: list) -> str:
    return f"takes the arm of line {statements[0][1]}" if statements else f"takes arm {arm + 1}"


def _toggle(number: int, what: str, places: Places, components: set[str], constants: Constants
            ) -> list[Point]:
    """Say which bit turned."""
    module, name = places.modules[number], places.declared.get(number, "")
    if not name or _INVENTED.fullmatch(name):
        return []
    signal, _, turn = what.rpartition(":")
    index = re.search(r"\[(\d+)\]$", signal)
    if int(index[1] if index else 0) in constants.get((module.name, name), ()):
        return []
    place = module.signals.get(name)
    if place is None or place[0] not in components:
        place = module.place
    if place[0] != module.place[0]:
        return []
    bit = index[0] if index else ""
    return [Point(*place, "toggle", f"{plain(name, module)}{bit} {_TURNS[turn]}")]
