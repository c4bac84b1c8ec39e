"""Energy, estimated: counts of operations and bytes times published energies of each.

These are estimates for comparing machines counted in the same way, not a prediction of watts.
Arithmetic and SRAM are of 45 nm and are not scaled to any other node; clocks, control, wires
between units and leakage are not counted; DRAM is the device, without the controller's interface.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import exp, log
from types import MappingProxyType
from typing import TypeVar

Key = TypeVar("Key")

PICO = 1e-12
LANES = 16
"""Products of one beat of a cell."""


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


@dataclass(frozen=True)
class Counts:
    """What a machine does, to be added up over layers.

    Attributes
    ----------
    operations : mapping of Operation to float
    sram_bits : mapping of int to float
        Bits read and written, by the capacity of one bank in bytes.
    dram_bytes : float
        Read and written.
    """

    operations: Mapping[Operation, float] = field(default_factory=dict)
    sram_bits: Mapping[int, float] = field(default_factory=dict)
    dram_bytes: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(_sum(self.operations, other.operations),
                      _sum(self.sram_bits, other.sram_bits), self.dram_bytes + other.dram_bytes)

    def __mul__(self, times: float) -> "Counts":
        return Counts({key: times * value for key, value in self.operations.items()},
                      {key: times * value for key, value in self.sram_bits.items()},
                      times * self.dram_bytes)


@dataclass(frozen=True)
class Estimate:
    """Joules, by where they go.

    Attributes
    ----------
    arithmetic, sram, dram : float
    """

    arithmetic: float
    sram: float
    dram: float

    @property
    def total(self) -> float:
        """All together."""
        return self.arithmetic + self.sram + self.dram

    def __str__(self) -> str:
        return f"about {self.total:.3g} J (an estimate: 45 nm arithmetic and SRAM, DRAM devices)"


def estimate(
    counts: Counts, dram: Dram, *, operations: Mapping[Operation, float] = HOROWITZ_45NM,
    sram: Mapping[int, float] = SRAM_45NM,
) -> Estimate:
    """Multiply counts by energies.

    Parameters
    ----------
    counts : Counts
    dram : Dram
    operations : mapping of Operation to float
        pJ each.
    sram : mapping of int to float
        pJ per 64 bits, by capacity in bytes.
    """
    return Estimate(
        PICO * sum(number * operations[each] for each, number in counts.operations.items()),
        PICO * sum(bits * sram_pj_per_bit(capacity, sram)
                   for capacity, bits in counts.sram_bits.items()),
        PICO * 8 * counts.dram_bytes * dram.pj_per_bit)


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


def beat_operations(beats: float) -> Counts:
    """Count the arithmetic of a cell's beats: sixteen products, their tree, one accumulation.

    Parameters
    ----------
    beats : float
        Beats times cells; a beat that is skipped does not count.

    Notes
    -----
    Shifts are not in the source; the tree is counted at 16 bits throughout, which is more than
    its 15-bit sum has, and the accumulator at 32.
    """
    return Counts({Operation.INT4_MULTIPLY: LANES * beats,
                   Operation.INT16_ADD: (LANES - 1) * beats, Operation.INT32_ADD: beats})


def mac_operations(macs: float, *, is_int8: bool = False) -> Counts:
    """Count a GPU's multiply-accumulates: FP16 into FP32, or INT8 into 32 bits.

    Parameters
    ----------
    macs : float
    is_int8 : bool
    """
    if is_int8:
        return Counts({Operation.INT8_MULTIPLY: macs, Operation.INT32_ADD: macs})
    return Counts({Operation.FP16_MULTIPLY: macs, Operation.FP32_ADD: macs})


def _sum(a: Mapping[Key, float], b: Mapping[Key, float]) -> dict[Key, float]:
    return {key: a.get(key, 0.0) + b.get(key, 0.0) for key in {**a, **b}}
