"""Commands whose modules are imported when they are called, and not for a list of commands."""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext, redirect_stdout
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from commands.figures import Figures
from commands.running import sentences

JSON = inspect.Parameter(
    "json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, typer.Option(
        "--json", help="Print the figures as JSON, and all else on standard error.")])
"""The option of all commands that return `Figures`."""


def found_at(place: str) -> Any:
    """Import something by its place, as in "golden:__version__".

    Raises
    ------
    SystemExit
        With a sentence, where a package or a folder that it needs is not here.
    """
    module, _, name = place.partition(":")
    with sentences():
        return getattr(import_module(module), name)


class Deferred(TyperCommand):
    """A command of which only name and purpose are known before it is called.

    Parameters
    ----------
    name : str
    place : str
        Module and function, as in "hw.command:verilog". Its parameters are the options, its
        docstring the help. It returns None, an exit code, or `Figures`.
    summary : str
        First line of that docstring.
    **more
        Of `typer.core.TyperCommand`.
    """

    def __init__(self, name: str, place: str, summary: str, **more: Any):
        super().__init__(name, help=summary, **more)
        self.place = place

    def load(self) -> TyperCommand:
        """Return the command with all its options."""
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(self.name)(_ending(found_at(self.place)))
        return typer.main.get_command(app)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None,
                     **extra: Any) -> Any:
        """Parse arguments with the command itself, which thereby takes this one's place."""
        return self.load().make_context(info_name, args, parent=parent, **extra)


def group(name: str, summary: str, members: Mapping[str, tuple[str, str]], **more: Any
          ) -> TyperGroup:
    """Make a group of deferred commands.

    Parameters
    ----------
    name, summary : str
    members : mapping of str to tuple of str
        Place and summary of each by its name.
    **more
        Of `typer.core.TyperGroup`.
    """
    return TyperGroup(name=name, help=summary, no_args_is_help=True, commands={
        each: Deferred(each, *what) for each, what in members.items()}, **more)


def _ending(function: Callable[..., object]) -> Callable[..., None]:
    """Wrap a command: figures go to standard output where they are asked for, then it ends."""
    signature = inspect.signature(function, eval_str=True)
    has_figures = signature.return_annotation is Figures

    @functools.wraps(function)
    def command(*arguments: Any, json: bool = False, **options: Any) -> None:
        with redirect_stdout(sys.stderr) if json else nullcontext():
            found = function(*arguments, **options)
        if json:
            sys.stdout.write(found.text())
        code = found.code if isinstance(found, Figures) else found
        if code:
            raise typer.Exit(int(code))

    if has_figures:
        command.__signature__ = signature.replace(parameters=[*signature.parameters.values(), JSON])
    return command
