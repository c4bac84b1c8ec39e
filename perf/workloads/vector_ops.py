"""What the array does not do: operations on elements and rows, for a vector unit.

A kind says what one element costs: how many operations on a lane, how many values come in and
go out. What is constant over tokens (a channel's scale and shift, a gate, the affine of a norm) is
read once and not counted per element.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Cost(NamedTuple):
    """Per element.

    Attributes
    ----------
    operations : int
        Slots of a lane that does one addition, multiplication, comparison or table look-up per
        cycle: a fused multiply-add takes one, and an exponential, a reciprocal, a tanh or a
        sigmoid takes one as a look-up with linear interpolation.
    reads, writes : int
        Values.
    passes : int
        How often a row is gone through; 2 where something about the whole row has to be known
        before the first result. Rows wait on chip in between.
    lane_slots : int
        Slots of a full lane of `hw.vector`, which takes a number through all of its stages: none
        where another operation's number goes through already, or narrow lanes make it.
    """

    operations: int
    reads: int
    writes: int
    passes: int = 1
    lane_slots: int = 1


class VectorKind(StrEnum):
    """What is done to each element."""

    SOFTMAX = "softmax"
    LAYER_NORM = "layer_norm"
    RMS_NORM = "rms_norm"
    GELU = "gelu"
    SILU = "silu"
    MODULATE = "modulate"
    GATE_ADD = "gate_add"
    ADD = "add"
    EMBED = "embed"


COSTS: dict[VectorKind, Cost] = {
    # Pass 1: running maximum and sum of exponentials (compare, subtract, look up, fused add).
    # Pass 2: subtract, look up, multiply by the reciprocal of the sum. (Milakov and Gimelshein,
    # "Online normalizer calculation for softmax", arXiv 1805.02867.) The scale 1/sqrt(d) and a
    # mask ride on the subtraction.
    # The machine makes powers of two where scores leave the array, in narrow lanes, and sums beside
    # the array; what is divided by them are the results of P V.
    VectorKind.SOFTMAX: Cost(operations=7, reads=1, writes=1, passes=2, lane_slots=0),
    # Pass 1: sum and sum of squares. Pass 2: (x - mean) * reciprocal of the deviation, one fused
    # multiply-add with two constants of the row.
    VectorKind.LAYER_NORM: Cost(operations=3, reads=1, writes=1, passes=2),
    # Pass 1: sum of squares. Pass 2: one multiplication.
    VectorKind.RMS_NORM: Cost(operations=2, reads=1, writes=1, passes=2),
    # x/2 (1 + tanh(x (a + b x^2))): x^2, fused, product, look-up, fused with x/2, x/2 itself.
    VectorKind.GELU: Cost(operations=6, reads=1, writes=1),
    # x sigmoid(x).
    VectorKind.SILU: Cost(operations=2, reads=1, writes=1),
    # x (1 + scale) + shift, one fused multiply-add; in the slot of the norm before it.
    VectorKind.MODULATE: Cost(operations=1, reads=1, writes=1, lane_slots=0),
    # residual + gate x, one fused multiply-add of two streams.
    VectorKind.GATE_ADD: Cost(operations=1, reads=2, writes=1),
    VectorKind.ADD: Cost(operations=1, reads=2, writes=1),
    # Sine or cosine of a time step by look-up, or a row of a table: the host's.
    VectorKind.EMBED: Cost(operations=1, reads=1, writes=1, lane_slots=0),
}


@dataclass(frozen=True)
class VectorOp:
    """One operation on all elements of a tensor.

    Attributes
    ----------
    name : str
        Of the module inside its block that does it; empty for the block itself.
    kind : VectorKind
    elements : int
        Results, all samples and heads together.
    row : int
        Elements that a softmax or a norm looks at together; else elements of the last axis.
    after : int
        GEMMs of the block that run before it, in the order in which they are listed.
    """

    name: str
    kind: VectorKind
    elements: int
    row: int
    after: int = 0

    def __post_init__(self) -> None:
        if self.row < 1 or self.elements < 1 or self.elements % self.row:
            raise ValueError(f"{self.name or self.kind}: {self.elements} elements are not rows of "
                             f"{self.row}")

    @property
    def operations(self) -> int:
        """Slots of a lane, see `Cost`."""
        return self.elements * COSTS[self.kind].operations

    @property
    def lane_numbers(self) -> int:
        """Numbers that go through full lanes, see `Cost`."""
        return self.elements * COSTS[self.kind].lane_slots

    @property
    def values_moved(self) -> int:
        """Values that come in and go out where nothing is fused with a neighbour."""
        cost = COSTS[self.kind]
        return self.elements * (cost.reads + cost.writes)
