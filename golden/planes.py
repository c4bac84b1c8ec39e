"""Bytes of MX blocks, and of MX tensors as they lie in memory.

All little-endian. A block's base is 12 bytes: biased exponent; microexponents, bit j for pair j; 16
signs, bit i for element i; 16 high parts of 4 bits, the even element in the low nibble. An MX9
block's residual is 6 bytes: 16 low parts of 3 bits, element 0 lowest.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from golden.arguments import whole
from golden.formats import BLOCK_SIZE, MX6, MX9, PAIRS, MXFormat
from golden.mx import MXTensor, check_axis, mx_format
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

    Raises
    ------
    TypeError
        If `tensor` is no MXTensor.
    ValueError
        If its arrays do not have the shapes or the codes of its format.
    """
    check_codes(tensor)
    base = pack_base(tensor).reshape(tensor.exponent.size, BASE_BYTES)
    residual = pack_residual(tensor.residual[tensor.is_mx9])
    return base, residual


def check_codes(tensor: MXTensor) -> None:
    """Raise a ValueError unless a tensor's arrays are such as `golden.quantize` makes them."""
    if not isinstance(tensor, MXTensor):
        raise TypeError(f"expected an MXTensor, not a {type(tensor).__name__}: quantize it")
    shape, axis = tensor.shape, tensor.axis
    lead = (*shape[:axis], *shape[axis + 1 :], -(-shape[axis] // BLOCK_SIZE))
    fmt = tensor.format
    if fmt != "mixed":
        largest = mx_format(fmt).largest_mantissa
        if not np.all(tensor.is_mx9 == (fmt == MX9)):
            raise ValueError(f"a tensor in {tensor.format_name} has is_mx9 of another format")
    else:
        largest = np.where(tensor.is_mx9, MX9.largest_mantissa, MX6.largest_mantissa)[..., None]
    for name, parts, most in (
        ("exponent", (), 255),
        ("microexponent", (PAIRS,), 1),
        ("mantissa", (BLOCK_SIZE,), largest),
        ("sign", (BLOCK_SIZE,), 1),
        ("is_mx9", (), 1),
    ):
        codes = getattr(tensor, name)
        if codes.shape != (*lead, *parts):
            raise ValueError(f"{name} must have the shape {(*lead, *parts)}, not {codes.shape}")
        if codes.dtype != (np.bool_ if name == "is_mx9" else np.uint8):
            raise ValueError(f"{name} must not be of type {codes.dtype}")
        if np.any(codes > most):
            raise ValueError(f"{name} holds codes that {tensor.format_name} does not have")


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
        that the format does not have. Nothing is allocated before that is known.
    """
    shape = tuple(whole(size, "a size in shape", least=0) for size in shape)
    axis = check_axis(axis, len(shape))
    fmt = fmt if fmt == "mixed" else mx_format(fmt)
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
    outliers = residual.size // RESIDUAL_BYTES
    residual = residual.reshape(outliers, RESIDUAL_BYTES)
    bits = np.unpackbits(residual, axis=-1, bitorder="little")
    low[is_mx9] = np.packbits(
        bits.reshape(outliers, BLOCK_SIZE, RESIDUAL_BITS), axis=-1, bitorder="little"
    )[..., 0]
    mantissa = join(high, low, is_mx9)
    if isinstance(fmt, MXFormat) and fmt.mantissa_bits < MX6.mantissa_bits:
        unused = MX6.mantissa_bits - fmt.mantissa_bits
        if np.any(mantissa & ((1 << unused) - 1)):
            raise ValueError(f"the base plane has bits below the mantissas of {fmt.name}")
        mantissa >>= unused
    return MXTensor(
        format=fmt,
        shape=shape,
        axis=axis,
        exponent=base[..., 0].copy(),
        microexponent=np.unpackbits(base[..., 1:2], axis=-1, count=PAIRS, bitorder="little"),
        mantissa=mantissa,
        sign=np.unpackbits(base[..., 2:4], axis=-1, bitorder="little"),
        is_mx9=is_mx9,
    )
