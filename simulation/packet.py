"""Packets of results, as the harness hands them over."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise


@dataclass(frozen=True)
class Packet:
    """A packet of results.

    Attributes
    ----------
    marked : bytes
        The bytes that ``tkeep`` marks; all others are zero, or a violation was reported.
    keeps : tuple of int
        ``tkeep`` of each beat, bit 0 for byte 0.
    first_cycle, last_cycle : int
        In which its first and its last beat were taken.
    """

    marked: bytes
    keeps: tuple[int, ...]
    first_cycle: int
    last_cycle: int


def cut(octets: bytes, lengths: Sequence[int]) -> list[bytes]:
    """Cut bytes into parts of these lengths."""
    places = [0, *accumulate(lengths)]
    return [octets[first:last] for first, last in pairwise(places)]
