"""What must be shown of area and clock: figures against targets, from the measured units."""

from collections.abc import Mapping
from functools import partial

from reporting.claim import Claim

from .measure import Measured
from .mixes import find_mixes

CELL_TARGET = 300
"""GE per MX6 MAC of a cell: dot product, 40-bit accumulator, double-buffered result."""

ARRAY_TARGET = 340
"""The same with the operand registers of an 8x8 array."""

DOT_TARGET = 205
FLEXIBLE_TARGET = 1.05
MIX_TARGET = 1.8
PATH_TARGET = 7.5
CONVERTER_TARGET = 2200
MEMORY_SYSTEM_TARGET = 50_000


def work_per_area(cell: Measured, mx9: Measured, *, beats: float) -> float:
    """Compare block products per gate and cycle; the MX9-only cell takes one cycle for each."""
    return mx9.area.area / cell.area.area / beats


def rate_per_area(cell: Measured, mx9: Measured, *, beats: float) -> float:
    """Compare block products per gate and second: speed points, each cell at its own clock."""
    return (mx9.speed.area * mx9.speed.path.nanoseconds
            / (cell.speed.area * cell.speed.path.nanoseconds) / beats)


def make_claims(found: Mapping[str, Measured]) -> list[Claim]:
    """Compare what was measured with what is wanted.

    Parameters
    ----------
    found : mapping of str to Measured
        By unit; claims about units that are not there are left out.
    """
    claims = []

    def claim(name, needs, value, target, unit, at_least=False):
        if all(each in found for each in needs):
            claims.append(Claim(name=name, value=value(*(found[each] for each in needs)),
                                target=target, unit=unit, at_least=at_least))

    claim("cell, GE per MX6 MAC", ["cell, cell_stages=1"], lambda cell: cell.per_mac,
          CELL_TARGET, "GE")
    claim("array 8x8 with operand registers, GE per MX6 MAC", ["mac_array 8x8"],
          lambda array: array.per_mac, ARRAY_TARGET, "GE")
    claim("dot product, combinational, GE per MX6 MAC", ["dot_product"],
          lambda dot: dot.per_mac, DOT_TARGET, "GE")
    claim("cell / MX6-only cell", ["cell, cell_stages=1", "MX6 cell, cell_stages=1"],
          lambda cell, mx6: cell.area.area / mx6.area.area, FLEXIBLE_TARGET, "x")
    for measure, compare in (("work per area and cycle", work_per_area),
                             ("work per area and second", rate_per_area)):
        for mix, beats in find_mixes().items():
            claim(f"{measure} against an MX9-only cell, {mix}",
                  ["cell, cell_stages=1", "MX9 cell, cell_stages=1"],
                  partial(compare, beats=beats), MIX_TARGET, "x", at_least=True)
    claim("pipelined cell, critical path of the speed point", ["cell, cell_stages=1"],
          lambda cell: cell.speed.path.nanoseconds, PATH_TARGET, "ns")
    claim("mx_converter, combinational", ["mx_converter, stages=0"],
          lambda unit: unit.area.area, CONVERTER_TARGET, "GE")
    claim("memory system, 256 bits, with its registers", ["memory system", "csr, ring", "csr"],
          lambda system, ring, csr: system.area.area + ring.area.area - csr.area.area,
          MEMORY_SYSTEM_TARGET, "GE")
    return claims
