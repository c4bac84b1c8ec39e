"""One side of a GEMM: the numbers that multipliers and accumulators see of an MX matrix."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from golden.encode import NAN_EXPONENT
from golden.mx import MXTensor
from golden.residual import RESIDUAL_BITS, split


class Operand:
    """The rows of A or the columns of B, here called lines. A NaN block counts as a zero block.

    Parameters
    ----------
    tensor : MXTensor
        Of a matrix, blocked along its reduction axis.
    part : slice
        Lines to take.

    Attributes
    ----------
    lines : int
    is_mx9 : ndarray of bool, shape (lines, blocks)
    distance : ndarray of int64, shape (lines, blocks)
        Binades of a block's shared exponent below its line's anchor; 0 for zero blocks.
    anchor : ndarray of int64, shape (lines,)
        Largest biased shared exponent.
    nan : ndarray of bool, shape (lines,)
        Whether a line has a NaN block.
    """

    def __init__(self, tensor: MXTensor, part: slice = slice(None)) -> None:
        exponent = tensor.exponent[part].astype(np.int64)
        nan = exponent == NAN_EXPONENT
        exponent[nan] = 0
        self.lines = len(exponent)
        self.is_mx9 = tensor.is_mx9[part]
        self.anchor = exponent.max(axis=1)
        self.nan = nan.any(axis=1)
        self._mantissa = tensor.aligned_mantissa[part]
        # What is zero at any distance is not in the way of the exact path.
        is_zero = ~self._mantissa.any(axis=-1)
        self.distance = np.where(is_zero, 0, self.anchor[:, None] - exponent)
        # A pair with t = 0 counts twice, so the product of two elements is shifted by 2 - ta - tb.
        # The factors are 1 and 2; one 16-bit multiplication writes a pair's factor twice.
        factor = np.uint16(0x0101) * (2 - tensor.microexponent[part]).astype(np.uint16)
        self._factor = factor.view(np.int8).reshape(self._mantissa.shape)
        self._factor *= 1 - 2 * tensor.sign[part].view(np.int8)

    @property
    def reach(self) -> NDArray[np.int64]:
        """Binades of each block's lowest part below the anchor: shape (lines, blocks)."""
        return self.distance + RESIDUAL_BITS * self.is_mx9

    def part(
        self, residual: bool, block: int, lines: NDArray[np.intp] | slice
    ) -> NDArray[np.float32]:
        """Return bases or residuals of one block column, signed and doubled where t = 0.

        Integers of at most 30 in magnitude, shape (lines, 16).
        """
        parts = split(self._mantissa[lines, block], self.is_mx9[lines, block])
        return np.multiply(parts[residual], self._factor[lines, block], dtype=np.float32)

    @cached_property
    def whole(self) -> NDArray[np.float64]:
        """All bits of every element in units of a base at the anchor, shape (lines, blocks, 16).

        ``(H + L / 8) * 2**-distance``, signed and doubled where t = 0; exact.
        """
        # At most 127 * 2 in magnitude.
        codes = np.multiply(self._mantissa, self._factor, dtype=np.int16, casting="unsafe")
        values = codes.astype(np.float64)
        values *= np.ldexp(1.0, -self.reach)[..., None]
        return values

    def residual_parts(self, block: int, lines: NDArray[np.intp] | slice) -> tuple[bool, ...]:
        """Return which parts have beats: the base, and the residual if any line's block is MX9."""
        return (False, True) if self.is_mx9[lines, block].any() else (False,)
