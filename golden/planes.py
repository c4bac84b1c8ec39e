"""Bytes of MX blocks, and of MX tensors as they lie in memory.

All little-endian. A block's base is 12 bytes: biased exponent; microexponents, bit j for pair j; 16
signs, bit i for element i; 16 high parts of 4 bits, the even element in the low nibble. An MX9
block's residual is 6 bytes: 16 low parts of 3 bits, element 0 lowest.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from golden.formats import BLOCK_SIZE, MX6, MX9, PAIRS, MXFormat
from golden.mx import MXTensor, check_axis
from golden.residual import RESIDUAL_BITS, join

BASE_BYTES = 12
RESIDUAL_BYTES = BLOCK_SIZE * RESIDUAL_BITS // 8


def pack(tensor: MXTensor) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pack a tensor into its base plane and its residual plane.

    Returns
    -------
    base : ndarray of uint8, shape (blocks, 12)
        All blocks in order, whatever their precision.
    residual : ndarray of uint8, shape (MX9 blocks, 6)
        In block order.
    """
    base = pack_base(tensor).reshape(-1, BASE_BYTES)
    residual = pack_residual(tensor.residual[tensor.is_mx9])
    return base, residual


def pack_base(tensor: MXTensor) -> NDArray[np.uint8]:
    """Pack every block's base: shape (..., blocks, 12)."""
    packed = np.empty((*tensor.exponent.shape, BASE_BYTES), np.uint8)
    packed[..., 0] = tensor.exponent
    packed[..., 1:2] = np.packbits(tensor.microexponent, axis=-1, bitorder="little")
    packed[..., 2:4] = np.packbits(tensor.sign, axis=-1, bitorder="little")
    high = tensor.base
    packed[..., 4:] = high[..., 0::2] | (high[..., 1::2] << 4)
    return packed


def pack_residual(residual: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pack low parts: shape (..., 16) to (..., 6)."""
    bits = np.unpackbits(residual[..., None], axis=-1, count=RESIDUAL_BITS, bitorder="little")
    flat = bits.reshape(*residual.shape[:-1], BLOCK_SIZE * RESIDUAL_BITS)
    return np.packbits(flat, axis=-1, bitorder="little")


def unpack(
    base: NDArray[np.uint8],
    residual: NDArray[np.uint8],
    is_mx9: NDArray[np.bool_],
    fmt: MXFormat | Literal["mixed"],
    shape: tuple[int, ...],
    axis: int = -1,
) -> MXTensor:
    """Rebuild a tensor from its planes.

    Parameters
    ----------
    base, residual : ndarray of uint8
        As from `pack`, of any shape with the right number of bytes.
    is_mx9 : ndarray of bool
        Precision per block, in block order.
    fmt : MXFormat or "mixed"
    shape, axis
        Of the tensor before it was quantized.

    Raises
    ------
    ValueError
        If the planes do not have the bytes that the shape and the precisions ask for, or hold bits
        that the format does not have.
    """
    axis = check_axis(axis, len(shape))
    lead = (*shape[:axis], *shape[axis + 1 :], -(-shape[axis] // BLOCK_SIZE))
    count = math.prod(lead)
    for name, size, expected in (
        ("base plane", base.size, count * BASE_BYTES),
        ("residual plane", residual.size, int(np.count_nonzero(is_mx9)) * RESIDUAL_BYTES),
        ("precision per block", is_mx9.size, count),
    ):
        if size != expected:
            raise ValueError(f"the {name} of shape {shape} needs {expected} entries, not {size}")
    if fmt != "mixed" and not np.all(is_mx9 == (fmt == MX9)):
        raise ValueError(f"a tensor in {fmt.name} cannot have blocks of another precision")

    base = base.reshape(*lead, BASE_BYTES)
    high = np.empty((*lead, BLOCK_SIZE), np.uint8)
    high[..., 0::2] = base[..., 4:] & 0xF
    high[..., 1::2] = base[..., 4:] >> 4
    is_mx9 = is_mx9.reshape(lead)
    low = np.zeros_like(high)
    bits = np.unpackbits(residual.reshape(-1, RESIDUAL_BYTES), axis=-1, bitorder="little")
    low[is_mx9] = np.packbits(
        bits.reshape(-1, BLOCK_SIZE, RESIDUAL_BITS), axis=-1, bitorder="little"
    )[..., 0]
    mantissa = join(high, low, is_mx9)
    if isinstance(fmt, MXFormat) and fmt.mantissa_bits < MX6.mantissa_bits:
        unused = MX6.mantissa_bits - fmt.mantissa_bits
        if np.any(mantissa & ((1 << unused) - 1)):
            raise ValueError(f"the base plane has bits below the mantissas of {fmt.name}")
        mantissa >>= unused
    return MXTensor(
        format=fmt,
        shape=tuple(shape),
        axis=axis,
        exponent=base[..., 0].copy(),
        microexponent=np.unpackbits(base[..., 1:2], axis=-1, count=PAIRS, bitorder="little"),
        mantissa=mantissa,
        sign=np.unpackbits(base[..., 2:4], axis=-1, bitorder="little"),
        is_mx9=is_mx9,
    )
