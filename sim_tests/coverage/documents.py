"""The records in docs/verification, and the tables of docs/coverage.md that are made of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from commands import kept
from commands.outputs import write_if_changed
from reporting.table import Column, Table
from sim_tests.bench import ROOT
from sim_tests.coverage.totals import Total

FOLDER = ROOT / "docs" / "verification"

COVERAGE, GATES = FOLDER / "coverage.json", FOLDER / "gates.json"

PAGE = ROOT / "docs" / "coverage.md"

END = "<!-- end -->\n"


def marker(record: Path) -> str:
    """Return the line above the table that is made of a record."""
    command = f"mixdit check {record.stem} --keep"
    return f"<!-- {record.relative_to(ROOT).as_posix()}: `{command}` -->\n"


def coverage_table(record: Mapping[str, Any]) -> Table:
    """Sum the modules of each folder up, and all of them."""
    kinds = list(record["all"])
    folders: dict[str, dict[str, Total]] = {}
    for module, totals in record["modules"].items():
        name = module.removeprefix("hw/").rpartition("/")[0] or "the machine's top"
        folder = folders.setdefault(name, dict.fromkeys(kinds, Total()))
        for kind in kinds:
            folder[kind] += Total(*totals[kind])
    folders["all"] = {kind: Total(*record["all"][kind]) for kind in kinds}
    table = Table((Column("modules", text=True), *(
        column for kind in kinds for column in (Column(f"{kind}, %"), Column("of"))),
        Column("left out")))
    for name, totals in folders.items():
        table.add(name, *(cell for kind in kinds for cell in (
            totals[kind].percent, f"{totals[kind].points:,}")),
            f"{sum(each.excluded for each in totals.values()):,}")
    return table


def gates_table(record: Mapping[str, Any]) -> Table:
    """List the netlists."""
    table = Table((Column("netlist", text=True), Column("recipe", text=True), Column("cells"),
                   Column("registers"), Column("tests"), Column("result", text=True)))
    for name, each in record["netlists"].items():
        table.add(f"`{name}`", each["recipe"], f"{each['cells']:,}", f"{each['registers']:,}",
                  str(sum(each["passed"].values())), "failed" if each["fault"] else "passed")
    return table


TABLES = {COVERAGE: coverage_table, GATES: gates_table}


def check_others(record: Path) -> None:
    """See that the other records, whose tables are on the same page, can be read.

    Raises
    ------
    ValueError
        If one cannot.
    """
    for each in TABLES.keys() - {record}:
        kept.record(each)


def keep(found: Path, record: Path) -> None:
    """Make what a command found the record, and its table that of the page."""
    write_if_changed(record, found.read_text(encoding="utf-8"))
    write_if_changed(PAGE, page(PAGE.read_text(encoding="utf-8")))


def page(text: str) -> str:
    """Put the tables of the records between the markers of the page.

    Raises
    ------
    ValueError
        If the page lacks a marker.
    """
    for record, table_of in TABLES.items():
        head, begin, rest = text.partition(marker(record))
        _, end, tail = rest.partition(END)
        if not (begin and end):
            raise ValueError(f"{PAGE.name} lacks the markers of {record.name}")
        table = table_of(kept.record(record))
        text = f"{head}{begin}\n{table.for_markdown()}\n{end}{tail}"
    return text
