"""What a table of a function holds, as plain data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Segments:
    """A function by polynomials of the first or second degree, one per segment, in integers.

    Attributes
    ----------
    name : str
    rest_bits : int
        Bits of the argument below those that choose the segment: r, a fraction of the segment.
    top_bits : int
        The upper bits of r that the second degree sees; 0 where there is none.
    points : tuple of int
        Bits behind the point of c0, of c1 and of c2.
    result_bits : int
        Bits behind the point of the result.
    c0, c1, c2 : tuple of int
        Coefficients of each segment, a power of two of them.
    """

    name: str
    rest_bits: int
    top_bits: int
    points: tuple[int, int, int]
    result_bits: int
    c0: tuple[int, ...]
    c1: tuple[int, ...]
    c2: tuple[int, ...]

    @property
    def argument_bits(self) -> int:
        """Bits of the whole argument."""
        return self.rest_bits + (len(self.c0) - 1).bit_length()

    @property
    def inner_shift(self) -> int:
        """Places that c2 times the upper bits of r goes to the right before c1 is added."""
        return self.points[2] + self.top_bits - self.points[1]

    @property
    def outer_shift(self) -> int:
        """Places that the product with r goes to the right before c0 is added."""
        return self.points[1] + self.rest_bits - self.points[0]

    @property
    def last_shift(self) -> int:
        """Places that the sum goes to the right, rounded half up."""
        return self.points[0] - self.result_bits
