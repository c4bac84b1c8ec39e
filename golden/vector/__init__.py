"""Bit-exact model of the vector unit: what a diffusion transformer needs between its GEMMs.

docs/vector.md is the specification in words.
"""

from golden.vector.combination import linear_combination
from golden.vector.exponential import exp2, exp2_saturates
from golden.vector.formats import V24
from golden.vector.gate import gelu, silu
from golden.vector.lane import multiply, to_lane
from golden.vector.norms import layer_norm, rms_norm
from golden.vector.pipe import Outcome, pipe
from golden.vector.reciprocal import reciprocal, reciprocal_root
from golden.vector.softmax import Softmax, row_factors, softmax
from golden.vector.statistics import (
    RowStatistics,
    row_maximum,
    row_mean,
    row_scale,
    row_scale_of,
    row_statistics,
)
from golden.vector.sums import row_sums

__all__ = [
    "V24",
    "Outcome",
    "RowStatistics",
    "Softmax",
    "exp2",
    "exp2_saturates",
    "gelu",
    "layer_norm",
    "linear_combination",
    "multiply",
    "pipe",
    "reciprocal",
    "reciprocal_root",
    "rms_norm",
    "row_factors",
    "row_maximum",
    "row_mean",
    "row_scale",
    "row_scale_of",
    "row_statistics",
    "row_sums",
    "silu",
    "softmax",
    "to_lane",
]
