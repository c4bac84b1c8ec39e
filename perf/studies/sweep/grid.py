"""A grid of machines, from a TOML file or from options."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from perf.studies.sweep.point import AXES, Point, Value, check_value
from perf.studies.system import POLICIES, load_preset
from perf.workloads import load_models

DEFAULT = Path(__file__).with_name("default.toml")
_KEYS = ("preset", "policy", "models", "axes")


class GridError(ValueError):
    """There is no such grid; the sentence says what to change."""


@dataclass(frozen=True)
class Grid:
    """Every combination of the axes' values.

    Attributes
    ----------
    preset : str
        Name of a preset, or path of a TOML file.
    policy : str
    models : tuple of str
    axes : mapping of str to tuple of Value
        Fields of a preset and the values that they take.
    """

    preset: str
    policy: str
    models: tuple[str, ...]
    axes: Mapping[str, tuple[Value, ...]]

    def __post_init__(self) -> None:
        known = {"policy": (POLICIES, [self.policy]), "model": (load_models(), self.models),
                 "axis": (AXES, self.axes)}
        for what, (names, given) in known.items():
            for name in given:
                if name not in names:
                    raise GridError(f"There is no {what} {name!r}. There are: {', '.join(names)}.")
        if not self.axes or not self.models:
            raise GridError("A grid needs at least one axis and one model.")
        for name, values in self.axes.items():
            if not values or len(set(values)) < len(values):
                raise GridError(f"The axis {name} needs values, each of them once.")
            try:
                for value in values:
                    check_value(name, value)
            except TypeError as error:
                raise GridError(f"On an axis, {error}.") from None

    def points(self) -> list[Point]:
        """List all points; the last axis changes fastest.

        Raises
        ------
        ValueError
            If there is no such preset.
        """
        preset = load_preset(self.preset)
        return [Point(preset, tuple(zip(self.axes, values, strict=True)), self.models, self.policy)
                for values in product(*self.axes.values())]

    def changed(
        self, axes: Mapping[str, tuple[Value, ...]] | None = None, *, instead: bool = False,
        preset: str | None = None, policy: str | None = None, models: Sequence[str] | None = None,
    ) -> "Grid":
        """Give the grid with other values; what is left out stays.

        Parameters
        ----------
        axes : mapping of str to tuple of Value, optional
            In addition to those that the grid has.
        instead : bool
            Instead of them.
        preset, policy : str, optional
        models : sequence of str, optional
        """
        return Grid(preset or self.preset, policy or self.policy, tuple(models or self.models),
                    {**({} if instead else self.axes), **(axes or {})})


def read_grid(path: Path = DEFAULT) -> Grid:
    """Read a grid.

    Parameters
    ----------
    path : pathlib.Path
        A TOML file: ``preset``, ``policy``, ``models`` (all without) and a table ``axes`` of lists.

    Raises
    ------
    GridError
        If it cannot be read, is not TOML, or describes no grid.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GridError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GridError(f"{path} is not TOML: {error}.") from None
    for key in document:
        if key not in _KEYS:
            raise GridError(f"{path} has a key {key!r}; a grid has {', '.join(_KEYS)}.")
    return _grid(path, document)


def _grid(path: Path, document: Mapping[str, Any]) -> Grid:
    preset, policy = document.get("preset", "server"), document.get("policy", "mixdit")
    models, axes = document.get("models", list(load_models())), document.get("axes", {})
    if not isinstance(preset, str) or not isinstance(policy, str):
        raise GridError(f"{path}: preset and policy must be names.")
    if not isinstance(models, list) or not all(isinstance(each, str) for each in models):
        raise GridError(f"{path}: models must be a list of names.")
    if not isinstance(axes, dict):
        raise GridError(f"{path}: axes must be a table of lists.")
    for name, values in axes.items():
        if not isinstance(values, list) or not all(isinstance(each, Value) for each in values):
            raise GridError(f"{path}: the axis {name} must be a list of numbers or words.")
    return Grid(preset, policy, tuple(models),
                {name: tuple(values) for name, values in axes.items()})


def parse_axis(text: str) -> tuple[str, tuple[Value, ...]]:
    """Read an axis as ``name=value,value,…``.

    Parameters
    ----------
    text : str
        Values as in TOML; words need no quotes.

    Raises
    ------
    GridError
        If it is none.
    """
    name, equals, values = text.partition("=")
    if not name or not equals or not values:
        raise GridError(f"An axis is written name=value,value,… and not {text!r}.")
    return name.strip(), tuple(_value(each.strip()) for each in values.split(","))


def parse_axes(texts: Sequence[str]) -> dict[str, tuple[Value, ...]]:
    """Read axes, each as `parse_axis` does.

    Raises
    ------
    GridError
        If one is none, or two have one name.
    """
    axes: dict[str, tuple[Value, ...]] = {}
    for name, values in map(parse_axis, texts):
        if name in axes:
            raise GridError(f"The axis {name} is given twice: name all its values in one.")
        axes[name] = values
    return axes


def _value(text: str) -> Value:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, Value) else text
