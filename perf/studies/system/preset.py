"""A machine as parameters: its cores, what they share, and how they divide the work."""

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, make_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hw.contract.config import BUS_PARAMETERS, PARAMETERS, VECTOR_PARAMETERS, Config
from perf.studies.system.bound import Bound

PRESETS = Path(__file__).parents[1] / "presets"

_CORE = {name: each for name, each in PARAMETERS.items()
         if each.is_number and name not in (*BUS_PARAMETERS, *VECTOR_PARAMETERS)}
"""Fields that are the core's; what brings its streams, and what is behind it, is assumed."""

_OTHERS = ("cores", "clock_hz", "dram_bytes_per_s", "vector_lanes", "shared_bytes", "score_bytes",
           "turnaround_s", "job_s")

_NUMBERS = (*(name for name, each in _CORE.items() if not each.chosen), *_OTHERS)
"""Fields that have no "auto"."""

_MAY_BE_ZERO = ("cell_stages", "shared_bytes", "score_bytes", "turnaround_s", "job_s")

MOST_CORES = 1 << 20
"""More than any work of the models can be divided among; finding that out would take hours."""

SPLITS = ("auto", "tokens", "columns")


_Core = make_dataclass(
    "_Core", [(name, int | None, None if each.chosen else each.default)
              for name, each in _CORE.items()], frozen=True, kw_only=True)


@dataclass(frozen=True, kw_only=True)
class Preset(_Core):
    """A machine of equal cores; `dataclasses.replace` makes its neighbours in a design space.

    Attributes
    ----------
    name, title : str
    rows, cols, ... : int or None
        Of every core: the numbers among `hw.contract.config.PARAMETERS` but a bus's. None is what
        `hw.contract.config.Config.sized` chooses.
    cores : int
    clock_hz : float
        Of cores and vector unit.
    dram_bytes_per_s : float
    vector_lanes : int
        Full lanes of each core: 1, 2, 4 or 8, which divide its columns.
    tiles : int or None
        Token tiles resident while weights stream by; None lets each layer choose.
    split : str
        How a linear layer is divided over cores: "tokens" gives each all columns of some token
        tiles, "columns" all tokens of some column tiles, "auto" the fastest grid of both. What
        several cores need is read from DRAM once and passed to all of them.
    shared_bytes : int
        On-chip memory of all cores. Half of it holds K and V of the heads that are worked on and
        of the next ones, if they fit; else these stream from DRAM once per group of resident
        tiles. The other half holds what passes from layer to layer, if it fits; else that passes
        through DRAM.
    score_bytes : int
        Per core, for P on its way from Q·Kᵀ to P·V, packed: two groups of resident token tiles must
        fit, or P passes through DRAM.
    turnaround_s : float
        From the last results of a job until a job that needs them gets its first: vector unit,
        memory and back.
    network_bytes_per_s : float or None
        That the memories which all cores share send to them and take from them, together; None
        is as much as the cores' streams take.
    multicast : bool
        Bytes that several cores need pass the network once; else once for each of them.
    job_s : float
        That the host, which serves one core at a time, takes to start a job.
    """

    name: str
    title: str = ""
    cores: int = 1
    clock_hz: float = 1e9
    dram_bytes_per_s: float = 100e9
    vector_lanes: int = 2
    tiles: int | None = None
    split: str = "auto"
    shared_bytes: int = 0
    score_bytes: int = 0
    turnaround_s: float = 1e-6
    network_bytes_per_s: float | None = None
    multicast: bool = True
    job_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("name", "title"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} must be text, not {getattr(self, name)!r}")
        for name in _NUMBERS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{name} must be a number, not {value!r}")
            if not _is_finite(value):
                raise ValueError(f"{name} must be finite, not {value}")
            if not (value >= 0 if name in _MAY_BE_ZERO else value > 0):
                bound = "must not be below" if name in _MAY_BE_ZERO else "must be above"
                raise ValueError(f"{name} {bound} 0, not {value}")
        for name in (*_CORE, "cores", "vector_lanes", "shared_bytes", "score_bytes", "tiles"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | None):
                raise ValueError(f"{name} must be a whole number, not {value!r}")
        if self.vector_lanes not in (1, 2, 4, 8) or self.cols % self.vector_lanes:
            raise ValueError("vector_lanes must be 1, 2, 4 or 8, and divide "
                             f"cols={self.cols}, not {self.vector_lanes}")
        if self.cores > MOST_CORES:
            raise ValueError(f"cores must be at most {MOST_CORES}, not {self.cores}")
        if self.tiles is not None and not 1 <= self.tiles <= self.tile_slots:
            raise ValueError(f"tiles must be 1 to tile_slots={self.tile_slots}, or \"auto\", not "
                             f"{self.tiles!r}")
        network = self.network_bytes_per_s
        if network is not None and (
                isinstance(network, bool) or not isinstance(network, int | float)
                or not _is_finite(network) or network <= 0):
            raise ValueError("network_bytes_per_s must be a finite number above 0, or \"auto\", "
                             f"not {network!r}")
        if not isinstance(self.multicast, bool):
            raise ValueError(f"multicast must be true or false, not {self.multicast!r}")
        if self.split not in SPLITS:
            raise ValueError(f"split must be {' or '.join(SPLITS)}, not {self.split!r}")
        _ = self.config

    @cached_property
    def config(self) -> Config:
        """The core, checked."""
        return Config.sized(float_formats=("fp16",),
                            **{name: getattr(self, name) for name in _CORE})

    @property
    def multipliers(self) -> int:
        """4x4-bit multipliers of all arrays."""
        return 16 * self.rows * self.cols * self.cores

    @property
    def bounds(self) -> list[Bound]:
        """What layers may wait for on this machine."""
        absent = {Bound.NETWORK} if self.network_bytes_per_s is None else set()
        return [bound for bound in Bound
                if bound not in absent | ({Bound.HOST} if not self.job_s else set())]

    @property
    def peak_macs_per_s(self) -> float:
        """MX6 multiply-accumulates per second with all arrays busy."""
        return self.multipliers * self.clock_hz


def _is_finite(value: float) -> bool:
    """Tell whether a number is one that floats can be computed with: no NaN, not beyond them."""
    return abs(value) <= sys.float_info.max


def preset_names() -> list[str]:
    """List the machines that come with the generator."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_preset(name_or_path: str | Path) -> Preset:
    """Read a machine.

    Parameters
    ----------
    name_or_path : str or Path
        One of `preset_names`, or a TOML file.

    Raises
    ------
    ValueError
        If there is no such file, or it is not a machine; a sentence says why.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = PRESETS / f"{name_or_path}.toml"
    if not path.is_file():
        raise ValueError(f"there is no preset {str(name_or_path)!r}: give a TOML file, or one of "
                         f"{', '.join(preset_names())}")
    try:
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is not TOML: {error}") from error
    try:
        return make_preset({"name": path.stem, **facts})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def make_preset(facts: Mapping[str, Any]) -> Preset:
    """Make a machine of a mapping, where "auto" leaves a choice open.

    Raises
    ------
    ValueError
        If a name is unknown or missing, or a value is impossible.
    """
    known = {field.name for field in fields(Preset)}
    unknown = sorted(set(facts) - known)
    if unknown:
        raise ValueError(f"a machine has no {', '.join(unknown)}, but only "
                         f"{', '.join(sorted(known))}")
    if "name" not in facts:
        raise ValueError("a machine needs a name")
    return Preset(**{name: None if value == "auto" and name != "split" else value
                     for name, value in facts.items()})
