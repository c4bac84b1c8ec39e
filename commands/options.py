"""What options of several commands take."""

from pathlib import Path

import typer


def folder(given: str | Path) -> Path:
    """Take a folder; an empty name, such as an unset variable's, is not the current folder.

    Raises
    ------
    typer.BadParameter
        If it is empty.
    """
    if given == "":
        raise typer.BadParameter("an empty name is no folder: give '.' for the current one")
    return Path(given)
