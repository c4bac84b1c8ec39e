"""A table as data, drawn on a terminal or in the page."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich import box
from rich.table import Table as RichTable
from rich.text import Text


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes
    ----------
    title : str
        With its unit; may have line breaks.
    text : bool
        Words, which stand left; numbers stand right.
    """

    title: str
    text: bool = False


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes
    ----------
    cells : tuple of str
        One for each column.
    missed : frozenset of int
        Cells that miss a target.
    starts_group : bool
        A line stands above it.
    """

    cells: tuple[str, ...]
    missed: frozenset[int] = frozenset()
    starts_group: bool = False


@dataclass(frozen=True)
class Table:
    """Columns and rows, with a note below.

    Attributes
    ----------
    columns : tuple of Column
    rows : list of Row
    note : str
    title : str
    """

    columns: tuple[Column, ...]
    rows: list[Row] = field(default_factory=list)
    note: str = ""
    title: str = ""

    def add(self, *cells: str, missed: Sequence[int] = (), starts_group: bool = False) -> None:
        """Append a row.

        Raises
        ------
        ValueError
            If there is not a cell for each column.
        """
        if len(cells) != len(self.columns):
            raise ValueError(f"{len(cells)} cells do not fill {len(self.columns)} columns")
        self.rows.append(Row(cells, frozenset(missed), starts_group))

    @property
    def titles(self) -> tuple[str, ...]:
        """The columns' titles, each in one line."""
        return tuple(column.title.replace("\n", " ") for column in self.columns)

    def as_section(self) -> str:
        """Give title, table and note in Markdown."""
        return f"### {self.title}\n\n{self.for_markdown()}\n{self.note}\n"

    def for_markdown(self) -> str:
        """Give the table alone, as it stands in the documentation."""
        lines = [self.titles, ["---" if column.text else "---:" for column in self.columns],
                 *(row.cells for row in self.rows)]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)

    def for_terminal(self) -> RichTable:
        """Give what `rich` prints."""
        table = RichTable(title=self.title or None, caption=self.note or None, box=box.SIMPLE_HEAD,
                          caption_justify="left", title_justify="left", padding=(0, 1))
        for column in self.columns:
            table.add_column(column.title, justify="left" if column.text else "right",
                             no_wrap=not column.text, overflow="fold", vertical="bottom")
        for index, row in enumerate(self.rows):
            if row.starts_group and index:
                table.add_section()
            table.add_row(*(Text(cell, "bold red" if number in row.missed else "")
                            for number, cell in enumerate(row.cells)))
        return table


def figures_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], note: str = ""
                  ) -> Table:
    """Make a table whose first column is words, and whose others are figures.

    Parameters
    ----------
    title : str
    columns : sequence of str
        Their titles; units, after a comma, stand in a line of their own.
    rows : sequence of sequence of str
    note : str

    Raises
    ------
    ValueError
        If there is not a cell for each column.
    """
    table = Table(tuple(Column(each.replace(" bits", "\nbits").replace(", ", ",\n"), text=not index)
                        for index, each in enumerate(columns)), note=note, title=title)
    for row in rows:
        table.add(*row)
    return table
