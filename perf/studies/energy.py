"""Energy, estimated: counts of operations and bytes times published energies of each.

These are estimates for comparing machines counted in the same way, not a prediction of watts.
Arithmetic and SRAM are of 45 nm and are not scaled to any other node; clocks, control, wires
between units and leakage are not counted; DRAM is the device, without the controller's interface.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from perf.studies.published_energies import (
    HOROWITZ_45NM,
    SRAM_45NM,
    Dram,
    Operation,
    sram_pj_per_bit,
)

Key = TypeVar("Key")

PICO = 1e-12
LANES = 16
"""Products of one beat of a cell."""


@dataclass(frozen=True)
class ActionCounts:
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

    def __add__(self, other: "ActionCounts") -> "ActionCounts":
        return ActionCounts(_sum(self.operations, other.operations),
                      _sum(self.sram_bits, other.sram_bits), self.dram_bytes + other.dram_bytes)

    def __mul__(self, times: float) -> "ActionCounts":
        return ActionCounts({key: times * value for key, value in self.operations.items()},
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
    counts: ActionCounts, dram: Dram, *, operations: Mapping[Operation, float] = HOROWITZ_45NM,
    sram: Mapping[int, float] = SRAM_45NM,
) -> Estimate:
    """Multiply counts by energies.

    Parameters
    ----------
    counts : ActionCounts
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


def beat_operations(beats: float) -> ActionCounts:
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
    return ActionCounts({Operation.INT4_MULTIPLY: LANES * beats,
                   Operation.INT16_ADD: (LANES - 1) * beats, Operation.INT32_ADD: beats})


def mac_operations(macs: float, *, is_int8: bool = False) -> ActionCounts:
    """Count a GPU's multiply-accumulates: FP16 into FP32, or INT8 into 32 bits.

    Parameters
    ----------
    macs : float
    is_int8 : bool
    """
    if is_int8:
        return ActionCounts({Operation.INT8_MULTIPLY: macs, Operation.INT32_ADD: macs})
    return ActionCounts({Operation.FP16_MULTIPLY: macs, Operation.FP32_ADD: macs})


def _sum(a: Mapping[Key, float], b: Mapping[Key, float]) -> dict[Key, float]:
    return {key: a.get(key, 0.0) + b.get(key, 0.0) for key in {**a, **b}}
