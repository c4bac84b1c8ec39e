"""One machine of a sweep: a preset, what is changed in it, and what runs on it."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from perf.studies.system import Preset

Value = int | float | str | bool

DRAIN_ROWS = "drain_rows"
"""An axis that sets ``drain_lanes`` to so many rows of results per cycle, whatever ``cols`` is."""

AXES = (*(field.name for field in fields(Preset) if field.name not in ("name", "title")),
        DRAIN_ROWS)
"""What a sweep can vary."""

BESIDE = ("clock_hz", "dram_bytes_per_s", "vector_lanes", "turnaround_s", "network_bytes_per_s",
          "multicast", "job_s")
"""Those of them that leave the cycles of a core's jobs as they are."""

WORDS = ("split",)
"""Those of them that are words."""

FLAGS = ("multicast",)
"""Those of them that are true or false."""


def check_value(name: str, value: Value) -> None:
    """Refuse words for numbers and flags; what number a machine can have is for it to say.

    Raises
    ------
    TypeError
    """
    if name in FLAGS:
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be true or false, not {value!r}")
    elif name not in WORDS and value != "auto" and not isinstance(value, int | float):
        raise TypeError(f'{name} must be a number or "auto", not {value!r}')


@dataclass(frozen=True)
class Point:
    """A point of a grid; nothing is checked before there is to be a machine.

    Attributes
    ----------
    preset : Preset
        What the machine starts from.
    changes : tuple of (str, Value)
        Some of `AXES` and their values here; "auto" leaves a choice open.
    models : tuple of str
        Short names.
    policy : str
    """

    preset: Preset
    changes: tuple[tuple[str, Value], ...]
    models: tuple[str, ...]
    policy: str

    @property
    def schedule(self) -> tuple[tuple[str, Value], ...]:
        """The changes that the cycles of a core's jobs depend on."""
        return tuple((name, value) for name, value in self.changes if name not in BESIDE)

    def machine(self) -> Preset:
        """Make the machine.

        Raises
        ------
        TypeError, ValueError
            If there is none with these parameters; the sentence says why.
        """
        for name, value in self.changes:
            check_value(name, value)
        changes: dict[str, Any] = {name: None if value == "auto" and name not in WORDS else value
                                   for name, value in self.changes}
        drain_rows = changes.pop(DRAIN_ROWS, None)
        if drain_rows is not None:
            if "drain_lanes" in changes:
                raise ValueError(f"{DRAIN_ROWS} and drain_lanes say the same thing")
            changes["drain_lanes"] = drain_rows * changes.get("cols", self.preset.cols)
        return replace(self.preset, **changes)

    def key(self, version: str) -> str:
        """Hash all that its figures depend on, whatever order the changes are listed in.

        Parameters
        ----------
        version : str
            Of the code, as `perf.studies.sweep.version.figures_version` gives it.
        """
        content = [asdict(self.preset), dict(self.changes), self.models, self.policy, version]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
