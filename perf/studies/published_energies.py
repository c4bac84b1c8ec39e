"""Published energies: of an operation, of a bit of SRAM, of a bit of DRAM, with their sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log
from types import MappingProxyType


class Operation(StrEnum):
    """What is counted, one each."""

    INT4_MULTIPLY = "4-bit multiply"
    INT8_MULTIPLY = "8-bit multiply"
    INT8_ADD = "8-bit add"
    INT16_ADD = "16-bit add"
    INT32_ADD = "32-bit add"
    FP16_MULTIPLY = "FP16 multiply"
    FP16_ADD = "FP16 add"
    FP32_MULTIPLY = "FP32 multiply"
    FP32_ADD = "FP32 add"


HOROWITZ_45NM: Mapping[Operation, float] = MappingProxyType({
    # A multiplier's energy grows with the square of its width: 0.2 pJ (4/8)^2.
    Operation.INT4_MULTIPLY: 0.05,
    Operation.INT8_MULTIPLY: 0.2,
    Operation.INT8_ADD: 0.03,
    # An adder's grows with its width: halfway between 8 bits (0.03) and 32 (0.1) by 0.1 x 16/32.
    Operation.INT16_ADD: 0.05,
    Operation.INT32_ADD: 0.1,
    Operation.FP16_MULTIPLY: 1.1,
    Operation.FP16_ADD: 0.4,
    Operation.FP32_MULTIPLY: 3.7,
    Operation.FP32_ADD: 0.9,
})
"""pJ per operation, 45 nm, 0.9 V: M. Horowitz, "Computing's energy problem (and what we can do
about it)", ISSCC 2014, figure 1.1.9. The 4-bit multiply and the 16-bit add are derived."""

SRAM_45NM: Mapping[int, float] = MappingProxyType({8 << 10: 10.0, 32 << 10: 20.0, 1 << 20: 100.0})
"""pJ per access of 64 bits, by capacity in bytes; the same figure. Writes are taken as reads."""

_SRAM_WIDTH = 64


@dataclass(frozen=True)
class Dram:
    """A kind of memory.

    Attributes
    ----------
    name : str
    pj_per_bit : float
        Reading or writing.
    source : str
    """

    name: str
    pj_per_bit: float
    source: str


_MICRON = ('Micron, "Ultra-Bandwidth Solutions" (micron.com/products/ultra-bandwidth-solutions), '
           "average device power")
GDDR6 = Dram("GDDR6", 7.5, _MICRON)
GDDR6X = Dram("GDDR6X", 7.25, _MICRON)
"""The RTX 3090's."""

HBM2E = Dram("HBM2E", 6.0, _MICRON)


def sram_pj_per_bit(capacity: int, table: Mapping[int, float] = SRAM_45NM) -> float:
    """Interpolate, straight in logarithms, the energy of a bit in a bank of some capacity.

    Parameters
    ----------
    capacity : int
        Bytes. A bank smaller than the table's smallest counts as that one, which is too much.
    table : mapping of int to float
        pJ per 64 bits.

    Raises
    ------
    ValueError
        If a bank is larger than the table's largest, or has no bytes.
    """
    sizes = sorted(table)
    if not 0 < capacity <= sizes[-1]:
        raise ValueError(f"a bank must have 1 to {sizes[-1]} bytes, not {capacity}: larger "
                         "memories are made of banks")
    above = next(each for each in sizes if each >= capacity)
    below = max((each for each in sizes if each <= capacity), default=above)
    if above == below:
        return table[above] / _SRAM_WIDTH
    share = log(capacity / below) / log(above / below)
    return exp((1 - share) * log(table[below]) + share * log(table[above])) / _SRAM_WIDTH
