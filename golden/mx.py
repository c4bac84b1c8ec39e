"""Quantization to MX formats: blocks share an exponent, pairs share a microexponent.

Source: Rouhani et al., "With Shared Microexponents, A Little Shifting Goes a Long Way", ISCA 2023.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import whole
from golden.encode import NAN_EXPONENT, ROUNDINGS, Codes, decode, encode, spans
from golden.floats import widen
from golden.formats import BLOCK_SIZE, MX6, MX9, MX_FORMATS, PAIRS, FloatFormat, MXFormat
from golden.residual import split


@dataclass(frozen=True, eq=False, repr=False)
class MXTensor:
    """A tensor in MX codes, its blocked axis moved last and padded with zeros to whole blocks.

    A tensor without elements has no blocks, but keeps its shape.

    Element i of a block is ``(-1)**sign * mantissa * 2**(exponent - 127 - microexponent - (m -
    1))``. In a mixed tensor m is 7 in MX9 blocks and 4 in all others.

    Attributes
    ----------
    format : MXFormat or "mixed"
    shape : tuple of int
        Shape of the tensor that was quantized.
    axis : int
        Its axis along which blocks run, not negative.
    exponent : ndarray of uint8, shape (..., blocks)
        Biased shared exponents; 0 marks an all-zero block, 255 a NaN block.
    microexponent : ndarray of uint8, shape (..., blocks, 8)
        0 or 1 per pair of elements.
    mantissa : ndarray of uint8, shape (..., blocks, 16)
        Magnitudes.
    sign : ndarray of uint8, shape (..., blocks, 16)
        1 where negative, also where the mantissa is 0.
    is_mx9 : ndarray of bool, shape (..., blocks)
        Precision of each block.
    """

    format: MXFormat | Literal["mixed"]
    shape: tuple[int, ...]
    axis: int
    exponent: NDArray[np.uint8]
    microexponent: NDArray[np.uint8]
    mantissa: NDArray[np.uint8]
    sign: NDArray[np.uint8]
    is_mx9: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = tuple(whole(size, "a size in shape", least=0) for size in self.shape)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "axis", check_axis(self.axis, len(shape)))

    def __repr__(self) -> str:
        return f"MXTensor({self.format_name}, shape={self.shape}, axis={self.axis})"

    @property
    def format_name(self) -> str:
        """Name of the format, ``"mixed"`` if blocks differ."""
        return self.format if isinstance(self.format, str) else self.format.name

    @property
    def base(self) -> NDArray[np.uint8]:
        """High part H of every mantissa in MX6's step, 4 bits, shape (..., blocks, 16)."""
        return split(self.aligned_mantissa, self.is_mx9)[0]

    @property
    def residual(self) -> NDArray[np.uint8]:
        """Low part L of every mantissa, 3 bits and zero outside MX9, shape (..., blocks, 16)."""
        return split(self.aligned_mantissa, self.is_mx9)[1]

    @property
    def mx9_share(self) -> float:
        """Share of the blocks that are MX9."""
        return float(self.is_mx9.mean()) if self.is_mx9.size else 0.0

    @property
    def nan_blocks(self) -> int:
        """Number of NaN blocks."""
        return int(np.count_nonzero(self.exponent == NAN_EXPONENT))

    @property
    def aligned_mantissa(self) -> NDArray[np.uint8]:
        """Mantissas in MX6's step where a block is not MX9."""
        if isinstance(self.format, MXFormat) and self.format.mantissa_bits < MX6.mantissa_bits:
            return self.mantissa << (MX6.mantissa_bits - self.format.mantissa_bits)
        return self.mantissa

    def transpose(self) -> "MXTensor":
        """Return the transposed matrix: the same blocks, which now run along the other axis.

        Raises
        ------
        ValueError
            If the tensor is no matrix.
        """
        if len(self.shape) != 2:
            raise ValueError(f"only a matrix can be transposed, not a tensor of shape {self.shape}")
        return replace(self, shape=self.shape[::-1], axis=1 - self.axis)

    def dequantize(self) -> NDArray[np.float32]:
        """Decode to float32 in the original shape, exactly.

        Returns
        -------
        ndarray of float32
            A NaN block gives quiet NaNs (0x7FC00000), a zero mantissa the zero of its sign. No
            value that `quantize` makes is an FP32 subnormal; other codes may have such values, and
            those are exact as well.
        """
        length = self.shape[self.axis]
        lead = (*self.shape[: self.axis], *self.shape[self.axis + 1 :])
        lines, blocks = math.prod(lead), -(-length // BLOCK_SIZE)
        exponent, is_mx9 = self.exponent.reshape(-1), self.is_mx9.reshape(-1)
        microexponent = self.microexponent.reshape(len(exponent), PAIRS)
        mantissa, sign = (x.reshape(len(exponent), BLOCK_SIZE) for x in (self.mantissa, self.sign))
        bits = np.empty((lines, length), np.uint32)
        for part, columns, numbers in spans(lines, blocks):
            codes = Codes(
                exponent[numbers], microexponent[numbers], mantissa[numbers], sign[numbers]
            )
            target = bits[part, columns.start * BLOCK_SIZE : columns.stop * BLOCK_SIZE]
            decoded = decode(codes, self._point(is_mx9[numbers]))
            target[:] = decoded.reshape(len(target), -1)[:, : target.shape[1]]
        values = bits.view(np.float32).reshape(*lead, length)
        return np.ascontiguousarray(np.moveaxis(values, -1, self.axis))

    def _point(self, is_mx9: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Return the bits behind the point of blocks' mantissas."""
        if isinstance(self.format, MXFormat):
            return np.array(self.format.mantissa_bits - 1, np.int32)
        point = np.where(is_mx9, MX9.mantissa_bits - 1, MX6.mantissa_bits - 1)
        return point.astype(np.int32)[:, None]


def to_blocks(x: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Move `axis` last, pad it with zeros to whole blocks and split it: shape (..., blocks, 16)."""
    moved = np.moveaxis(x, axis, -1)
    length = moved.shape[-1]
    blocks = -(-length // BLOCK_SIZE)
    if length == blocks * BLOCK_SIZE:
        padded = np.ascontiguousarray(moved)
    else:
        padded = np.zeros((*moved.shape[:-1], blocks * BLOCK_SIZE), x.dtype)
        padded[..., :length] = moved
    return padded.reshape(*moved.shape[:-1], blocks, BLOCK_SIZE)


def quantize(
    x: ArrayLike,
    fmt: MXFormat | str,
    axis: int = -1,
    rounding: str = "half_even",
    seed: int | None = None,
    float_format: FloatFormat | None = None,
) -> MXTensor:
    """Quantize floats to an MX format.

    Parameters
    ----------
    x : array_like
        float32, float16 or bfloat16 numbers of any shape, or their bits (see
        `golden.floats.float_bits`). FP16 and BF16 are widened to FP32, exactly. An FP32 subnormal
        counts as the zero of its sign; a block with an infinity or a NaN becomes a NaN block. Of
        no elements it makes a tensor without blocks.
    fmt : MXFormat or str
        MX9, MX6 or MX4, or the name of one in any case.
    axis : int
        Axis along which blocks of 16 run: the reduction axis of the GEMM that reads the result.
    rounding : {"half_even", "truncate", "stochastic"}
        Of magnitudes, before they saturate. Stochastic rounds up with the dropped fraction as
        probability.
    seed : int, optional
        For stochastic rounding; the same seed gives the same codes.
    float_format : FloatFormat, optional
        The format of `x` where that is an array of bits.

    Returns
    -------
    MXTensor

    Raises
    ------
    TypeError
        If `x` does not hold floats of 16 or 32 bits, or the axis or the seed is no integer.
    ValueError
        If the format, the axis or the rounding does not exist, or numbers are masked.
    """
    fmt = mx_format(fmt)
    wide = widen(x, float_format)
    axis = check_axis(axis, wide.ndim)
    seed = check_rounding(rounding, seed)
    moved = np.moveaxis(wide, axis, -1)
    rng = np.random.default_rng(seed) if rounding == "stochastic" else None
    # Of more than two dimensions this may be a copy; blocks are padded a few at a time.
    lines = moved.reshape(math.prod(moved.shape[:-1]), moved.shape[-1])
    codes = encode(lines, fmt, rounding, rng)
    lead = (*moved.shape[:-1], -(-moved.shape[-1] // BLOCK_SIZE))
    return MXTensor(
        format=fmt,
        shape=wide.shape,
        axis=axis,
        exponent=codes.exponent.reshape(lead),
        microexponent=codes.microexponent.reshape(*lead, PAIRS),
        mantissa=codes.mantissa.reshape(*lead, BLOCK_SIZE),
        sign=codes.sign.reshape(*lead, BLOCK_SIZE),
        is_mx9=np.full(lead, fmt == MX9),
    )


def saturated_count(x: ArrayLike, tensor: MXTensor, float_format: FloatFormat | None = None) -> int:
    """Count the elements that rounding half to even took beyond the largest mantissa.

    Parameters
    ----------
    x : array_like
        What was quantized. Its channel order must be that of `tensor`.
    tensor : MXTensor
        What it became; may be mixed.
    float_format : FloatFormat, optional
        As in `quantize`.

    Returns
    -------
    int
        Elements with ``|x| / step >= 2**m - 1/2``. NaN blocks have none.
    """
    bits = to_blocks(widen(x, float_format), tensor.axis).view(np.uint32)
    if isinstance(tensor.format, MXFormat):
        mantissa_bits = np.asarray(tensor.format.mantissa_bits)
    else:
        mantissa_bits = np.where(tensor.is_mx9, MX9.mantissa_bits, MX6.mantissa_bits)[..., None]
    top = tensor.exponent[..., None].astype(np.int32) - tensor.microexponent
    field = ((bits >> 23) & 0xFF).astype(np.int32)
    in_top_binade = (field == np.repeat(top, 2, axis=-1)) & (field != 0)
    limit = (1 << 23) - (1 << (23 - mantissa_bits))  # 2**m - 1/2 has the significand 2 - 2**-m
    finite = (tensor.exponent != NAN_EXPONENT)[..., None]
    return int(np.count_nonzero(in_top_binade & ((bits & 0x7FFFFF) >= limit) & finite))


def mx_format(fmt: MXFormat | str) -> MXFormat:
    """Return an MX format given as itself or by name, in any case.

    Raises
    ------
    ValueError
        If it is none of MX9, MX6 and MX4.
    """
    name = fmt.upper() if isinstance(fmt, str) else getattr(fmt, "name", None)
    found = MX_FORMATS.get(name) if isinstance(name, str) else None
    if found is None or not (isinstance(fmt, str) or fmt == found):
        raise ValueError(f"{fmt!r} is no MX format; choose one of {', '.join(MX_FORMATS)}")
    return found


def check_axis(axis: int, dimensions: int) -> int:
    """Return `axis` counted from the front.

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If there is no such axis.
    """
    axis = whole(axis, "axis")
    if dimensions == 0:
        raise ValueError("a single number cannot be quantized: blocks need an axis to run along")
    if not -dimensions <= axis < dimensions:
        raise ValueError(f"axis {axis} does not exist in a tensor of {dimensions} dimensions")
    return axis % dimensions


def check_rounding(
    rounding: str, seed: int | None = None, choices: tuple[str, ...] = ROUNDINGS
) -> int | None:
    """Return the seed, if there is one, as an int.

    Raises
    ------
    TypeError
        If the seed is no integer.
    ValueError
        If the rounding is not among the choices, the seed is negative, or it would have no effect.
    """
    if not isinstance(rounding, str) or rounding not in choices:
        raise ValueError(f"rounding must be one of {', '.join(choices)}, not {rounding!r}")
    if seed is None:
        return None
    if rounding != "stochastic":
        raise ValueError(f"a seed has no effect on {rounding} rounding; leave it out")
    return whole(seed, "seed", least=0)
