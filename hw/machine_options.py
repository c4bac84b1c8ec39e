"""Options of commands for the parameters of a machine, made from the fields of `Config`."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Annotated, Any

import typer

from .contract.config import Config

CHOSEN = {
    "weight_bytes": "4 x cols, to a power of two",
    "act_depth": "3 x k_max / 16",
    "weight_depth": "2 x k_max / 16",
    "stage_depth": "the larger of rows and cols x k_max / 16, and some",
    "drain_lanes": "cols",
}
"""What `Config.sized` chooses where nothing is given."""


def sentences_of(documented: type) -> dict[str, str]:
    """Return what a class's docstring says of each attribute, as plain text."""
    section = inspect.cleandoc(documented.__doc__ or "").partition("Attributes\n----------\n")[2]
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in section.splitlines():
        if line.startswith(" "):
            for name in names:
                found[name].append(line.strip().replace("`", ""))
        else:
            names = line.partition(" : ")[0].split(", ")
            found |= {name: [] for name in names}
    return {name: " ".join(lines) for name, lines in found.items()}


def machine_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command options for a machine.

    The command is called with what was given as its first argument, a mapping for
    `Config.sized`; so that it checks the values where it says its sentences.

    Parameters
    ----------
    *names : str
        Fields of `Config`; all without.
    """
    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(command, eval_str=True)
        own = list(signature.parameters.values())[1:]
        options = [each.replace(kind=each.KEYWORD_ONLY) for each in _options(names)]

        @functools.wraps(command)
        def wrapped(**given: Any) -> Any:
            machine = {option.name: given.pop(option.name) for option in options}
            return command(_parsed(machine), **given)

        own = [each.replace(kind=each.KEYWORD_ONLY) for each in own]
        wrapped.__signature__ = signature.replace(parameters=[*own, *options])
        return wrapped

    return decorate


def _options(names: tuple[str, ...]) -> list[inspect.Parameter]:
    """Make an option of each field."""
    sentences = sentences_of(Config)
    made = []
    for field in fields(Config):
        if names and field.name not in names:
            continue
        kind, default = (int, field.default) if field.type is int else (str, field.default)
        if isinstance(default, tuple):
            default = ",".join(default)
        is_chosen = field.name in CHOSEN
        option = typer.Option(help=sentences[field.name],
                              show_default=CHOSEN[field.name] if is_chosen else True)
        made.append(inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=None if is_chosen else default,
            annotation=Annotated[kind | None if is_chosen else kind, option]))
    return made


def _parsed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Split the values that are lists."""
    lists = {field.name for field in fields(Config) if isinstance(field.default, tuple)}
    return {name: tuple(value.split(",")) if name in lists else value
            for name, value in given.items()}
