"""The tables of the page about models, between marks that say where they are."""

from collections.abc import Mapping

from quality.zoo.examine import Row
from quality.zoo.rule import Rule


def results_table(rows: Mapping[str, Row]) -> str:
    """Lay out what was found, a model in each line."""
    head = (
        "model", "linear layers", "products of attention", "in floating point", "each runs once",
        "MX9 (dB)", "exact = golden", "saved, loaded", "compiled",
    )  # fmt: skip
    lines = [
        (name, row.linear, row.attention, row.floating, row.once, row.fake, row.exact, row.saved,
         row.compiled)
        for name, row in rows.items()
    ]  # fmt: skip
    return _table(head, lines)


def layers_table(rules: Mapping[str, Rule]) -> str:
    """Lay out where the blocks are, and which linear layers are left out."""
    head = ("model", "blocks", "quantized in each", "left out in each", "left out outside")
    lines = [
        (name, *map(_code, (rule.blocks, rule.quantized, rule.left, rule.outside)))
        for name, rule in rules.items()
    ]
    return _table(head, lines)


def written(page: str, tables: Mapping[str, str]) -> str:
    """Put tables between their marks.

    Raises
    ------
    ValueError
        If the page has no such marks.
    """
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"the page has no marks {begin.strip()} and {end}")
        page = f"{before}{begin}{table}\n{end}{after}"
    return page


def _table(head: tuple[str, ...], lines: list[tuple[object, ...]]) -> str:
    rows = [head, ("---",) * len(head), *lines]
    texts = [" | ".join(str(cell) for cell in row) for row in rows]
    return "\n".join(f"| {text} |".replace("  ", " ") for text in texts)


def _code(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
