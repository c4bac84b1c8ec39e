"""Options of commands for the parameters of a machine, made from `PARAMETERS`."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import typer

from .contract.config import PARAMETERS
from .contract.parameter import Parameter


def machine_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command options for a machine.

    The command is called with what was given as its first argument, a mapping for
    `Config.sized`; so that it checks the values where it says its sentences.

    Parameters
    ----------
    *names : str
        Names in `PARAMETERS`; all without.
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
    """Make an option of each parameter."""
    return [inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=_default(each),
        annotation=Annotated[_kind(each), typer.Option(
            help=f"{each.doc} {_allowed(each)}".strip(), show_default=each.chosen or True)])
        for name, each in PARAMETERS.items() if not names or name in names]


def _kind(parameter: Parameter) -> Any:
    if _is_list(parameter):
        return str
    return int | None if parameter.is_number else Literal[parameter.choices]


def _allowed(parameter: Parameter) -> str:
    """Say what a value may be, as a sentence, where its type does not."""
    text = parameter.range_text() if parameter.is_number else (
        f"some of {','.join(parameter.choices)}" if _is_list(parameter) else "")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _default(parameter: Parameter) -> Any:
    """Return what the command line has where nothing is given; None is left to `Config.sized`."""
    if parameter.chosen:
        return None
    return parameter.default if not _is_list(parameter) else ",".join(parameter.default)


def _is_list(parameter: Parameter) -> bool:
    return isinstance(parameter.default, tuple)


def _parsed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Split the values that are lists."""
    return {name: tuple(value.split(",")) if _is_list(PARAMETERS[name]) else value
            for name, value in given.items()}
