"""Gate equivalents of a core and of its vector unit, from synthesis of this project's units.

What is measured of the core: the array with its operand registers, a normalizer, and the whole
accelerator of 4x4 cells. What that accelerator has besides the two is taken apart by what it must
grow with: a part per result lane, a part per row and per column, a part per byte of its streams,
and a rest that every core has once.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from hw.contract.config import Config

FIGURES = Path(__file__).parents[2] / "rtl" / "ppa" / "figures.json"
"""Written by ``mixdit area --keep``."""

ARRAY, NORMALIZER, WHOLE, CELL = (
    "mac_array 8x8", "normalizer", "accelerator 4x4", "cell, cell_stages=1")

VECTOR, LANE, EXP2, ROW_SUM, RECIPROCAL, WRITER, WRITER_WITHOUT = (
    "vector_unit", "lane", "functions, exp2", "row_sum", "reciprocal", "result_writer, vector",
    "result_writer, plain")

_MEASURED_LANES = 2

_WHOLE_CONFIG = Config.sized(rows=4, cols=4)
_REGISTER = 5.3
"""Gate equivalents of a flip-flop: DFFPOSX1 of osu018, 96 units, over NAND2X1's 24, and a third
for its share of the multiplexer in front."""

FP32_ADDER = 2_596.0
"""An FP32 adder of DaCapo's generator, synthesised in the same way."""

_ALIGNED_LANE = 2 * 2 * 72
"""Flip-flops of a row or column between its operand memory and the array, and before the
memory: twice a base block's elements and its precision."""

_STREAM_STAGES = 6
"""Registers that a stream's beat passes, counted from `hw.accelerator`: two at the boundary, two
in the unpacker or packer, and a queue's two."""


@cache
def measured(path: Path = FIGURES) -> Mapping[str, float]:
    """Read gate equivalents (osu018, area point, no memories) by unit."""
    units = json.loads(path.read_text(encoding="utf-8"))["units"]
    return MappingProxyType({name: unit["gate_equivalents"] for name, unit in units.items()})


@cache
def speed_factor(path: Path = FIGURES) -> float:
    """Read the gates of the pipelined cell at the speed point over those at the area point."""
    cell = json.loads(path.read_text(encoding="utf-8"))["units"][CELL]
    return cell["fastest"]["gate_equivalents"] / cell["gate_equivalents"]


def core_gates(config: Config, figures: Mapping[str, float] | None = None) -> dict[str, float]:
    """Estimate the gate equivalents of a core, without memories, by part.

    Parameters
    ----------
    config : Config
    figures : mapping of str to float, optional
        Gate equivalents of measured units; `measured` by default.
    """
    units = measured() if figures is None else figures
    parts = _growing(config, units)
    small = _growing(_WHOLE_CONFIG, units)
    return {**parts, "control and conversion": units[WHOLE] - sum(small.values())}


def vector_gates(config: Config, lanes: int, figures: Mapping[str, float] | None = None) -> float:
    """Estimate what a vector unit adds to a core: full lanes, and an exponential per result lane.

    Measured are the unit of an 8x8 core with two full lanes, a full lane, exp2, the sum of a row,
    and what the rest of that core has more. The rest is taken as it is for a core of any size.

    Parameters
    ----------
    config : Config
    lanes : int
        Full ones.
    figures : mapping of str to float, optional
        As in `core_gates`.
    """
    units = measured() if figures is None else figures
    rest = units[WRITER] - units[WRITER_WITHOUT]
    return (units[VECTOR] + (lanes - _MEASURED_LANES) * units[LANE] + rest
            + config.drain_lanes * units[EXP2] + config.rows * units[ROW_SUM]
            + config.drain_rows * units[RECIPROCAL])


def _growing(config: Config, units: Mapping[str, float]) -> dict[str, float]:
    stream_bytes = config.act_bytes + config.weight_bytes + config.result_bytes
    return {
        "array": units[ARRAY] / 64 * config.rows * config.cols,
        "result lanes": (units[NORMALIZER] + FP32_ADDER) * config.drain_lanes,
        "operand lanes": _REGISTER * _ALIGNED_LANE * (config.rows + config.cols),
        "streams": _REGISTER * 8 * _STREAM_STAGES * stream_bytes,
    }
