"""The value of a table of segments at an argument, for one table or several that share it."""

from dataclasses import dataclass

from amaranth import Array, Cat, Const, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.vector.segments import Segments
from hw.parts.bits import inverted_product_tree


@dataclass(frozen=True)
class Shared:
    """Several tables in the same units: what an `Interpolation` of them computes with.

    The sum counts units of ``2**-(c1_point + rest_bits)``. Coefficients are magnitudes.

    Attributes
    ----------
    rest_bits, top_bits : int
        Of the widest fraction of a segment; narrower ones fill its upper bits.
    segment_bits : int
    c0_point, c1_point : int
        Bits behind the point of c0 and of c1.
    inner_shift : int
    result_bits : int
        Bits behind the point of the widest result.
    falls : bool
        The sign of c1, and that of c2 is the other one.
    """

    rest_bits: int
    top_bits: int
    segment_bits: int
    c0_point: int
    c1_point: int
    inner_shift: int
    result_bits: int
    falls: bool

    @classmethod
    def of(cls, tables: tuple[Segments, ...]) -> "Shared":
        """Find what tables have in common.

        Raises
        ------
        ValueError
            If there is none, or they cannot share an interpolation: their signs or second degrees
            differ.
        """
        if not tables:
            raise ValueError("an interpolation needs at least one table")
        names = ", ".join(table.name for table in tables)
        falls = {sign for table in tables for sign in _signs(table)}
        if len(falls) > 1:
            raise ValueError(f"tables that share an interpolation must all rise with falling "
                             f"steps, or all fall with rising ones, unlike {names}")
        curved = [table for table in tables if any(table.c2)]
        if len({(table.points[1], table.top_bits, table.inner_shift) for table in curved}) > 1:
            raise ValueError(f"the second degrees of {names} have different units, so they cannot "
                             "share an interpolation")
        c1_point = max(table.points[1] for table in tables)
        if curved and curved[0].points[1] != c1_point:
            raise ValueError(f"{curved[0].name} has a second degree, so no table beside it may "
                             f"have a finer first one, as one of {names} has")
        return cls(
            rest_bits=max(table.rest_bits for table in tables),
            top_bits=curved[0].top_bits if curved else 0,
            segment_bits=max((len(table.c0) - 1).bit_length() for table in tables),
            c0_point=max(table.points[0] for table in tables),
            c1_point=c1_point,
            inner_shift=curved[0].inner_shift if curved else 0,
            result_bits=max(table.result_bits for table in tables),
            falls=falls.pop() if falls else False,
        )

    @property
    def latency(self) -> int:
        """Cycles: a register stands behind the product of the second degree."""
        return int(self.top_bits > 0)

    @property
    def outer_shift(self) -> int:
        """Places that c0 stands above the unit of the sum."""
        return self.c1_point + self.rest_bits - self.c0_point

    def coefficients(self, table: Segments) -> list[tuple[int, int, int]]:
        """Return each segment's magnitudes in shared units; c0 with the half that rounds."""
        half = 1 << self.c0_point - table.result_bits >> 1
        found = [((c0 << self.c0_point - table.points[0]) + half,
                  abs(c1) << self.c1_point - table.points[1], abs(c2))
                 for c0, c1, c2 in zip(table.c0, table.c1, table.c2, strict=True)]
        top = (1 << self.top_bits) - 1
        if any(c2 * top > c1 << self.inner_shift for _, c1, c2 in found):
            raise ValueError(f"a second degree of {table.name} turns its segment around")
        return found


def _signs(table):
    """Yield whether a table's coefficients say that it falls."""
    for c1, c2 in zip(table.c1, table.c2, strict=True):
        if c1:
            yield c1 < 0
        if c2:
            yield c2 > 0


class Interpolation(wiring.Component):
    """Evaluate the polynomial of an argument's segment, as `golden.vector.interpolation` does.

    Latency `latency` cycles: 1, behind the product of the second degree, or 0 where no table has
    one; a value each cycle; never stalls.

    Products come inverted, which takes fewer gates: x - y = x + ~y + 1, x + y = ~(~x + ~y + 1).

    Parameters
    ----------
    tables : tuple of Segments
        Coefficients of one degree have one sign, and the second degree the other one.

    Members
    -------
    argument : In(unsigned)
        As wide as the widest table's.
    which : In(unsigned)
        Index of the table.
    o : Out(unsigned)
        The value, `result_bits` behind the point; of a table with fewer, the bits below its own
        mean nothing.

    Raises
    ------
    ValueError
        If the tables cannot share an interpolation.
    """

    def __init__(self, tables: tuple[Segments, ...]):
        self.tables = tables
        self.shared = shared = Shared.of(tables)
        self.coefficients = [shared.coefficients(table) for table in tables]
        self.latency = shared.latency
        self.result_bits = shared.result_bits
        rest = (1 << shared.rest_bits) - 1
        self.most = max((c0 << shared.outer_shift) + (0 if shared.falls else c1 * rest)
                        for each in self.coefficients for c0, c1, _ in each)
        self.dropped_bits = shared.c1_point + shared.rest_bits - shared.result_bits
        super().__init__({
            "argument": In(max(table.argument_bits for table in tables)),
            "which": In(unsigned(max(1, (len(tables) - 1).bit_length()))),
            "o": Out((self.most >> self.dropped_bits).bit_length()),
        })

    def elaborate(self, platform):
        m = Module()
        shared = self.shared
        segment, rest = self._split(m)
        c0, c1, c2 = self._look_up(m, segment)
        inner = c1
        if shared.top_bits:
            # c1 less the product, both signs rounded down: the magnitude of a falling slope up.
            inverted, is_whole = self._shifted(m, "slope", c2, rest[-shared.top_bits:],
                                               shared.inner_shift, len(c1))
            slope = Signal(len(c1))
            m.d.comb += slope.eq(c1 + inverted + (1 if shared.falls else is_whole))
            held = [Signal(len(value), name=name, reset_less=True) for value, name in (
                (c0, "c0_held"), (c1, "inner_held"), (rest, "rest_held"))]
            m.d.sync += [held[0].eq(c0), held[1].eq(slope), held[2].eq(rest)]
            c0, inner, rest = held
        total = Signal(self.most.bit_length() - shared.outer_shift)
        inverted, is_whole = self._shifted(m, "rise", inner, rest, shared.outer_shift, len(total))
        if shared.falls:
            m.d.comb += total.eq(c0 + inverted + is_whole)
        else:
            m.d.comb += total.eq(~(~Cat(c0, Const(0, len(total)))[:len(total)] + inverted + 1))
        m.d.comb += self.o.eq(total[self.dropped_bits - shared.outer_shift:])
        return m

    def _shifted(self, m, name, x, y, places, width):
        """Return ~(x * y >> places) of some width, and whether the shift loses nothing."""
        product = Signal(len(x) + len(y), name=f"{name}_inverted")
        m.d.comb += product.eq(inverted_product_tree(m, y, x, name=name))
        return Cat(product[places:], Const(-1, width))[:width], product[:places].all()

    def _split(self, m):
        """Return an argument's segment and its fraction, aligned at the top."""
        shared = self.shared
        segment, rest = Signal(shared.segment_bits), Signal(shared.rest_bits)
        with m.Switch(self.which):
            for index, table in enumerate(self.tables):
                with m.Case(index) if index < len(self.tables) - 1 else m.Default():
                    m.d.comb += [
                        segment.eq(self.argument[table.rest_bits:table.argument_bits]),
                        rest.eq(Cat(Const(0, shared.rest_bits - table.rest_bits),
                                    self.argument[:table.rest_bits]))]
        return segment, rest

    def _look_up(self, m, segment):
        """Return the coefficients of a segment."""
        rows = []
        for each in self.coefficients:  # a short table stands there several times
            rows += each * ((1 << self.shared.segment_bits) // len(each))
        found = []
        address = Cat(segment, self.which) if len(self.tables) > 1 else segment
        for name, column in zip(("c0", "c1", "c2"), zip(*rows, strict=True), strict=True):
            width = max(max(column).bit_length(), 1)
            value = Signal(width, name=name)
            m.d.comb += value.eq(Array(Const(each, width) for each in column)[address])
            found.append(value)
        return found
