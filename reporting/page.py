"""A study as one HTML file that needs nothing else, not even a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reporting.style import data_uri
from reporting.table import Table


@dataclass(frozen=True)
class Picture:
    """A picture, and what it shows in words.

    Attributes
    ----------
    content : bytes
        SVG.
    description : str
        For readers who do not see it.
    """

    content: bytes
    description: str

    @property
    def source(self) -> str:
        """The picture itself, as an address."""
        return data_uri(self.content)


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it.

    Attributes
    ----------
    name : str
        Anchor.
    title : str
    text : tuple of str
        Paragraphs.
    tables : tuple of Table
    pictures : tuple of Picture
    """

    name: str
    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Tile:
    """A figure that stands at the top.

    Attributes
    ----------
    value, title, note : str
    verdict : {"met", "missed", "open"}
    """

    value: str
    title: str
    note: str
    verdict: str


def render(title: str, lead: str, tiles: Sequence[Tile], sections: Sequence[Section],
           footer: Sequence[str]) -> str:
    """Fill the page in; equal studies give equal pages.

    Parameters
    ----------
    title, lead : str
    tiles : sequence of Tile
    sections : sequence of Section
    footer : sequence of str
        Lines.
    """
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True,
                              undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("page.html").render(
        title=title, lead=lead, tiles=tiles, sections=sections, footer=footer)
