"""What benches reach, as pages: an index, and each module's source with what is missing."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from commands.outputs import write_text
from sim_tests.bench import ROOT
from sim_tests.coverage.functional.dimensions import bins
from sim_tests.coverage.functional.trying import Tried
from sim_tests.coverage.points import KINDS, Point
from sim_tests.coverage.totals import GOALS, Total, overall


@dataclass(frozen=True)
class Line:
    """A line of a module's source.

    Attributes
    ----------
    number : int
    text : str
    state : {"", "reached", "partly", "missed", "excluded"}
        Empty where nothing can be reached.
    hits : str
        How often the point was reached that was reached least.
    missed : tuple of str
        Words of the points that were not.
    excluded : tuple of str
        Words of those that are left out, with the reasons.
    """

    number: int
    text: str
    state: str
    hits: str
    missed: tuple[str, ...]
    excluded: tuple[str, ...]


def page_name(module: str) -> str:
    """Return the file of a module's page: "control_job_check.html"."""
    return f"{module.removeprefix('hw/').removesuffix('.py').replace('/', '_')}.html"


def lines_of(module: str, counts: Counter[Point], excluded: Mapping[Point, str]) -> list[Line]:
    """Lay a module's points along its source."""
    at: dict[int, list[Point]] = defaultdict(list)
    for point in counts:
        if point.module == module:
            at[point.line].append(point)
    source = (ROOT / module).read_text(encoding="utf-8").splitlines()
    return [_line(number, text, at[number], counts, excluded)
            for number, text in enumerate(source, 1)]


def _line(number: int, text: str, points: Sequence[Point], counts: Counter[Point],
          excluded: Mapping[Point, str]) -> Line:
    wanted = [point for point in points if point not in excluded]
    missed = [point for point in wanted if not counts[point]]
    state = ""
    if points:
        state = ("excluded" if not wanted else "reached" if not missed
                 else "partly" if len(missed) < len(wanted) else "missed")
    hits = f"{min(counts[point] for point in wanted):,}" if wanted else ""
    left_out = tuple(dict.fromkeys(f"{point.what or 'statement'}: {excluded[point]}"
                                   for point in sorted(points) if point in excluded))
    return Line(number, text, state, hits,
                tuple(point.what or "statement" for point in sorted(missed)), left_out)


def write_pages(folder: Path, counts: Counter[Point], excluded: Mapping[Point, str],
                totals: Mapping[str, Mapping[str, Total]], tried: Tried | None) -> Path:
    """Write all pages; return the index."""
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"),
                              autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)
    environment.globals |= {"kinds": KINDS, "goals": GOALS, "page_name": page_name}
    per_module: dict[str, Counter[Point]] = defaultdict(Counter)
    for point, count in counts.items():
        per_module[point.module][point] = count
    for module, total in totals.items():
        write_text(folder / page_name(module), environment.get_template("module.html").render(
            module=module, total=total,
            lines=lines_of(module, per_module[module], excluded)))
    index = folder / "index.html"
    write_text(index, environment.get_template("index.html").render(
        totals=totals, all=overall(totals), groups=_groups(tried)))
    return index


def _groups(tried: Tried | None) -> dict[str, dict[str, int]]:
    """Return the combinations that jobs have tried, by what they combine."""
    groups: dict[str, dict[str, int]] = defaultdict(dict)
    for each in bins() if tried else ():
        names = " × ".join(name for name, _ in each)
        groups[names][", ".join(value for _, value in each)] = tried.counts[each]
    return groups
