"""What the machine's cell is compared with: other cells, built in the same way for the same flow.

All of them add up without stalls or enables and hand their sums to a register that shifts out.
"""

from functools import partial

from golden.formats import BLOCK_SIZE
from hw.contract.config import Config

from ..unit import Unit
from .block_cell import mixed_cell, mx6_cell, mx9_cell
from .fp16_cell import WINDOW, FP16Cell
from .fp32_cell import FP32Cell
from .int8_cell import Int8Cell

DEFAULT = Config()
"""The machine whose cell they are compared with."""

_MACHINE = f"k_max={DEFAULT.k_max} fraction_bits={DEFAULT.fraction_bits}"


def _units(name, make, mx9_beats, configuration, cell_stages=(0, 1)):
    return (Unit(f"{name}, cell_stages={stages}", partial(make, cell_stages=stages), BLOCK_SIZE,
                 mx9_beats, reference=True, configuration=f"{configuration} cell_stages={stages}")
            for stages in cell_stages)


REFERENCES = (
    *_units("MX6 cell", partial(mx6_cell, DEFAULT), None, _MACHINE),
    *_units("MX9 cell", partial(mx9_cell, DEFAULT), 1, _MACHINE),
    *_units("7x4 cell", partial(mixed_cell, DEFAULT), 2, _MACHINE),
    *_units("FP32 accumulator cell", FP32Cell, 4, "accumulate=fp32"),
    *_units("int8 cell", Int8Cell, None, "int32 sum"),
    # Ten times as much logic as the others: one of it will do.
    *_units("FP16 cell", FP16Cell, None, f"window={WINDOW} FP32 sum", cell_stages=(1,)),
)
"""Rows of the table."""
