"""The measured units as a table, as JSON and as a picture."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from commands.outputs import whole, write_text
from reporting.claim import Claim

from .library import Library
from .measure import Measured
from .peers import PEERS

SCHEMA = 1
"""Of ``report.json``; grows when a key changes its meaning or leaves."""

COLUMNS = ("Unit", "GE", "Registers", "GE per MAC", "GE x beats per MX9 MAC", "Recipe",
           "Fastest, ns", "its GE", "SRAM, kbit")

CAPTION = (
    "GE: area in two-input NANDs at the area point, without memories, wires, clock tree and test "
    "logic. Fastest: critical path of the speed point, ideal clock, no wires.")


def cells_of(measured: Measured) -> list[str]:
    """Write one row of the table."""
    def figure(value, form="{:,.0f}"):
        return "" if value is None else form.format(value)
    speed = measured.speed
    bits = measured.memory_bits
    return [
        measured.unit.name, figure(measured.area.area), figure(measured.area.registers),
        figure(measured.per_mac, "{:,.1f}"), figure(measured.per_mx9_mac), measured.area.recipe,
        figure(speed and speed.path.nanoseconds, "{:.2f}"),
        # With memories, the speed point's area has their stand-ins in it.
        figure(None if speed is None or bits else speed.area),
        figure(bits / 1000, "{:,.1f}") if bits else ""]


def print_table(console: Console, found: Sequence[Measured], claims: Sequence[Claim]) -> None:
    """Print all rows, then the claims."""
    table = Table(caption=CAPTION, caption_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in ("Unit", "Recipe") else "right")
    was_reference = False
    for measured in found:
        if measured.unit.reference and not was_reference:
            table.add_section()
        was_reference = measured.unit.reference
        table.add_row(*cells_of(measured))
    console.print(table)
    if claims:
        goals = Table("Figure", "Value", "Target", "Met")
        for claim in claims:
            goals.add_row(*claim_cells(claim), style=None if claim.met else "bold red")
        console.print(goals)


def claim_cells(claim: Claim) -> list[str]:
    """Write one claim."""
    digits = 0 if claim.target >= 100 else 2
    return [claim.name, f"{claim.value:,.{digits}f} {claim.unit}",
            f"{claim.bound_word} {claim.target:,.{digits}f}", "yes" if claim.met else "NO"]


def write_json(path: Path, found: Sequence[Measured], claims: Sequence[Claim],
               library: Library) -> None:
    """Write every number; the same text for the same figures."""
    write_text(path, json.dumps({
        "schema": SCHEMA, "library": library.path.name,
        "units": {measured.unit.name: _unit_json(measured) for measured in found},
        "claims": [{"name": claim.name, "value": round(claim.value, 4), "unit": claim.unit,
                    "target": claim.target, "at_least": claim.at_least, "met": claim.met}
                   for claim in claims],
    }, indent=2) + "\n")


def keep_json(path: Path, units: Sequence[str], found: Sequence[Measured],
              claims: Sequence[Claim], library: Library) -> None:
    """Replace the part of the kept figures that was measured; the rest stays.

    Parameters
    ----------
    path : pathlib.Path
        What `write_json` wrote before.
    units : sequence of str
        That there are, in their order; others are dropped.
    found, claims, library
        As of `write_json`.

    Raises
    ------
    ValueError
        If the rest was measured with another library.
    """
    before = json.loads(path.read_text(encoding="utf-8"))
    if before["library"] != library.path.name:
        raise ValueError(f"{path.name} is of {before['library']}: measure all units with "
                         f"{library.path.name} to replace it")
    write_json(path, found, claims, library)
    after = json.loads(path.read_text(encoding="utf-8"))
    measured = before["units"] | after["units"]
    said = {claim["name"]: claim for claim in [*before["claims"], *after["claims"]]}
    write_text(path, json.dumps(after | {
        "units": {name: measured[name] for name in units if name in measured},
        "claims": list(said.values())}, indent=2) + "\n")


def _unit_json(measured):
    speed = measured.speed
    return {
        "configuration": measured.unit.configuration,
        "reference": measured.unit.reference,
        "gate_equivalents": round(measured.area.area, 2), "recipe": measured.area.recipe,
        "all_recipes": {name: round(area, 2) for name, area in measured.others.items()},
        "registers": measured.area.registers, "memory_bits": measured.memory_bits,
        "macs": measured.unit.macs, "mx9_beats": measured.unit.mx9_beats,
        "fastest": None if speed is None else {
            "recipe": speed.recipe, "nanoseconds": speed.path.nanoseconds,
            "start": speed.path.start, "end": speed.path.end,
            "gate_equivalents": round(speed.area, 2)},
    }


def write_markdown(path: Path, found: Sequence[Measured], claims: Sequence[Claim]) -> None:
    """Write the tables as they stand in the documentation."""
    def table(columns, rows):
        return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns),
                *(f"| {' | '.join(row)} |" for row in rows), ""]
    write_text(path, "\n".join(
        [*table(COLUMNS, [cells_of(measured) for measured in found]), CAPTION, "",
         *table(("Figure", "Value", "Target", "Met"), [claim_cells(claim) for claim in claims])]))


def draw(path: Path, found: Sequence[Measured]) -> None:
    """Draw gate equivalents per multiply-accumulate, ours beside references and peers."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    bars = [(m.unit.name, m.per_mac, "#9aa5b1" if m.unit.reference else "#1f6fb2")
            for m in found if m.per_mac is not None and "array" not in m.unit.name
            and "accelerator" not in m.unit.name]
    bars += [(peer.name, peer.per_mac, "#d9822b") for peer in PEERS]
    figure, axes = pyplot.subplots(figsize=(9, 0.38 * len(bars) + 1.2), layout="constrained")
    names, values, colours = zip(*bars, strict=True)
    axes.barh(names, values, color=colours)
    for place, value in enumerate(values):
        axes.text(value, place, f" {value:,.0f}", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(100, 1.6 * max(values))
    axes.set_xlabel("gate equivalents per multiply-accumulate and cycle (osu018, area point)")
    axes.set_title("blue: this machine; grey: references, same flow; orange: cited", fontsize=9)
    with whole(path) as file:
        figure.savefig(file, format="png", dpi=120, metadata={"Software": None})
    pyplot.close(figure)
