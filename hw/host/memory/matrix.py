"""Matrices of numbers in memory: rows, a stride from one to the next."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import array, whole
from golden.floats import float_bits
from golden.formats import BF16, FLOAT_FORMATS

from .handle import Batched
from .regions import Region


@dataclass(frozen=True, eq=False, kw_only=True)
class Matrix(Batched):
    """Numbers in floating point, shape (..., rows, columns).

    Attributes
    ----------
    float_format : str
        "fp32", "fp16" or "bf16".
    stride : int
        Bytes from a row to the next.
    """

    float_format: str
    stride: int

    @property
    def element_bytes(self) -> int:
        """Bytes of a number."""
        return FLOAT_FORMATS[self.float_format].width // 8

    def region(self) -> Region:
        """Say which bytes it is made of."""
        rows, columns = self.shape[-2:]
        size, walks = columns * self.element_bytes, (*self.walks, (rows, self.stride))
        walks = tuple(walk for walk in walks if walk[0] > 1)
        while walks and walks[-1][1] == size:  # rows end to end are one piece
            size, walks = size * walks[-1][0], walks[:-1]
        return Region(self.address, size, walks)

    def read(self) -> NDArray[np.generic]:
        """Read it: float32, float16, or the patterns of BF16 as uint16; shape as the handle's.

        Raises
        ------
        ValueError
            If it was freed.
        """
        self.check_live("the matrix")
        kind = f"<u{self.element_bytes}"
        data = self.store.read_bytes(self.address, self.region().end - self.address)
        found = np.ndarray(self.shape, kind, data,
                           strides=(*self.steps, self.stride, self.element_bytes))
        bits = np.ascontiguousarray(found.astype(kind[1:]))
        return bits if self.float_format == BF16.name else bits.view(f"f{self.element_bytes}")

    def write(self, x: ArrayLike) -> None:
        """Write other numbers into it.

        Parameters
        ----------
        x : array_like
            Of the handle's shape and format; of BF16 also the patterns, as uint16.

        Raises
        ------
        TypeError
            If the numbers are of another format: none are converted.
        ValueError
            If it was freed, or the shape is another.
        """
        self.check_live("the matrix")
        fmt = FLOAT_FORMATS[self.float_format]
        if (x := array(x, "what is written")).dtype.kind == "u":
            bits, _ = float_bits(x, fmt)
        else:
            bits, found = float_bits(x)
            if found != fmt:
                raise TypeError(f"the matrix is {fmt.name}, but what is written is {found.name}: "
                                "convert it first")
        if bits.shape != self.shape:
            raise ValueError(f"the matrix has the shape {self.shape}, not {bits.shape}")
        little = np.ascontiguousarray(bits.astype(f"<u{self.element_bytes}", copy=False))
        region, data = self.region(), little.tobytes()
        if not region.walks:
            return self.store.write_bytes(self.address, data)
        counts = tuple(count for count, _ in region.walks)
        for number, index in enumerate(np.ndindex(*counts)):
            at = self.address + sum(
                place * step for place, (_, step) in zip(index, region.walks, strict=True))
            self.store.write_bytes(at, data[number * region.size : (number + 1) * region.size])
        return None

    def rows(self, first: int, end: int) -> Self:
        """Return some of its rows, in place: `first` to `end - 1`."""
        self._check_range(first, end, -2)
        return replace(self, address=self.address + first * self.stride,
                       shape=(*self.shape[:-2], end - first, self.shape[-1]))

    def columns(self, first: int, end: int) -> Self:
        """Return some of its columns, in place: `first` to `end - 1`."""
        self._check_range(first, end, -1)
        return replace(self, address=self.address + first * self.element_bytes,
                       shape=(*self.shape[:-1], end - first))

    def split_columns(self, parts: int) -> Self:
        """Cut it into parts side by side, in place: heads become a batch dimension.

        Parameters
        ----------
        parts : int

        Returns
        -------
        Matrix, shape (..., parts, rows, columns / parts)

        Raises
        ------
        ValueError
            If the columns do not divide, or there are two batch dimensions already.
        """
        width = self._part_of(self.shape[-1], parts, "columns")
        return replace(self, shape=(*self.batch, parts, self.shape[-2], width),
                       steps=(*self.steps, width * self.element_bytes))

    def split_rows(self, parts: int) -> Self:
        """Cut it into parts one below the other, in place: samples become a batch dimension.

        Parameters
        ----------
        parts : int

        Returns
        -------
        Matrix, shape (..., parts, rows / parts, columns)

        Raises
        ------
        ValueError
            If the rows do not divide, or there are two batch dimensions already.
        """
        rows = self._part_of(self.shape[-2], parts, "rows")
        return replace(self, shape=(*self.batch, parts, rows, self.shape[-1]),
                       steps=(*self.steps, rows * self.stride))

    def _part_of(self, size: int, parts: int, what: str) -> int:
        """Return the size of each of equal parts."""
        if size % whole(parts, "parts", least=1):
            raise ValueError(f"{size} {what} make no {parts} equal parts")
        if len(self.batch) > 1:
            raise ValueError(f"a matrix of shape {self.shape} has two batch dimensions already: "
                             "take one of them first, by its index")
        return size // parts

    def _check_range(self, first: int, end: int, axis: int) -> None:
        if not 0 <= whole(first, "first") < whole(end, "end") <= self.shape[axis]:
            what = "rows" if axis == -2 else "columns"
            raise ValueError(f"{what} {first} to {end} are not among {self.shape[axis]} {what}")
