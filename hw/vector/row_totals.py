"""Second pass over a row of numbers: the sums that its mean and its deviation follow from."""

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from golden.vector.formats import MOST_COLUMNS, SQUARE_BITS, SUM_BITS
from hw.array.dot_product import add_up
from hw.parts.bits import total_of

from .row_element import FINE_BITS, RowElement, Units
from .square import square

COLUMN_BITS = MOST_COLUMNS.bit_length()
"""Bits of N."""

TOTAL_WIDTH = (MOST_COLUMNS * ((1 << SUM_BITS) - 1)).bit_length() + 1
COARSE_WIDTH = (MOST_COLUMNS << SQUARE_BITS).bit_length() + 1
SQUARES_WIDTH = (MOST_COLUMNS << 2 * SQUARE_BITS).bit_length()

Totals = data.StructLayout({
    "total": signed(TOTAL_WIDTH),
    "coarse_total": signed(COARSE_WIDTH),
    "squares": unsigned(SQUARES_WIDTH),
})
"""Sums of a row whose largest biased exponent is E.

Members
-------
total : signed(41)
    Of fine numbers, in units of 2^(E - 150).
coarse_total : signed(31)
    Of coarse numbers, in units of 2^(E - 139).
squares : unsigned(43)
    Of the squares of coarse numbers, in units of 2^(2 (E - 139)).
"""


_SUMS = data.StructLayout({
    "coarse": signed(COARSE_WIDTH),
    "rest": signed((MOST_COLUMNS << FINE_BITS - 1).bit_length() + 1),
    "squares": unsigned(SQUARES_WIDTH),
})


class RowTotals(wiring.Component):
    """Add up a row's elements, fine and coarse, and the squares of the coarse ones.

    Coarse numbers are added up once: the sum of fine ones is 2^11 times theirs and that of what is
    left. There an element is s + r, r being the bit that rounding adds, or with its sign -(s + r) =
    ~s + ~r: its rounding and its sign are one carry, which an adder of the tree takes.

    Latency `latency` (3) cycles from a row's last block; a block each cycle; never stalls.

    Parameters
    ----------
    lanes : int
        Elements of a block. A power of two.

    Members
    -------
    block : In(lanes x unsigned(32))
        FP32 patterns. Rows with an infinity or a NaN have sums that mean nothing.
    is_valid : In(lanes)
        The elements that count: none of them in a cycle without a block.
    exponent : In(8)
        The row's largest biased exponent, beside each of its blocks.
    first, last : In(1)
        The block begins a row; it ends it.
    totals : Out(Totals)
        Of the row that ended last.
    done : Out(1)
        They are new.

    Raises
    ------
    ValueError
        If `lanes` is no power of two, or below 2.
    """

    latency = 3

    def __init__(self, *, lanes: int):
        if lanes < 2 or lanes.bit_count() != 1:
            raise ValueError(f"lanes must be a power of two, at least 2, not {lanes}")
        self.lanes = lanes
        super().__init__({
            "block": In(data.ArrayLayout(FP32.width, lanes)), "is_valid": In(lanes),
            "exponent": In(FP32.exponent_bits), "first": In(1), "last": In(1),
            "totals": Out(Totals), "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        # Cycle 1: elements shifted to the row's largest exponent.
        elements = []
        for lane in range(self.lanes):
            m.submodules[f"element_{lane}"] = element = RowElement()
            units = Signal(Units, name=f"units_{lane}", reset_less=True)
            m.d.comb += [element.element.eq(self.block[lane]),
                         element.is_valid.eq(self.is_valid[lane]),
                         element.exponent.eq(self.exponent)]
            m.d.sync += units.eq(element.units)
            elements.append(units)

        # Cycle 2: sums of the block; of squares those of a few elements.
        sums = {
            "coarse": self._sum(m, "coarse", [(each.coarse, each.sign, each.sign, each.sign)
                                              for each in elements]),
            "rest": self._sum(m, "rest", [
                (each.rest[:-1], each.rest[-1] ^ each.sign, each.sign, each.rounds ^ each.sign)
                for each in elements]),
        }
        squares = [Cat(square(m, each.coarse[:-1], name=f"square_{lane}"), each.coarse[-1])
                   for lane, each in enumerate(elements)]
        few = [Signal(2 * SQUARE_BITS + 3, name=f"squares_{at}", reset_less=True)
               for at in range(0, self.lanes, 4)]
        m.d.sync += [signal.eq(total_of(squares[4 * at : 4 * at + 4]))
                     for at, signal in enumerate(few)]

        # Cycle 3: sums of the row, which its last block hands over.
        flags = [self.first, self.last]
        for cycle in (1, 2):
            delayed = [Signal(name=f"{name}_{cycle}") for name in ("first", "last")]
            m.d.sync += [signal.eq(flag) for signal, flag in zip(delayed, flags, strict=True)]
            flags = delayed
        first, last = flags
        addends = {**sums, "squares": total_of(few)}
        so_far, summed, held = (Signal(_SUMS, name=name, reset_less=name != "summed")
                                for name in ("so_far", "summed", "held"))
        for name, addend in addends.items():
            begun = Signal.like(so_far[name], name=f"{name}_so_far")
            m.d.comb += begun.eq(Mux(first, 0, so_far[name]))
            if name in sums:
                # Adding one place lower makes the carry an operand's bit: one adder, not two.
                m.d.comb += summed[name].eq((Cat(1, begun).as_signed() + addend) >> 1)
            else:
                m.d.comb += summed[name].eq(begun + addend)
        m.d.sync += [so_far.eq(summed), self.done.eq(last)]
        with m.If(last):
            m.d.sync += held.eq(summed)
        m.d.comb += [
            self.totals.total.eq((held.coarse << FINE_BITS) + held.rest),
            self.totals.coarse_total.eq(held.coarse), self.totals.squares.eq(held.squares),
        ]
        return m

    @staticmethod
    def _sum(m, name, parts):
        """Register the sum of a block and return it, with the carry that it lacks below it.

        Parameters
        ----------
        m : Module
        name : str
        parts : list of (Value, Value, Value, Value)
            Of each element: bits to be inverted by its sign; the sign of the number they then are
            part of, above them; its sign; a carry.
        """
        terms, carries = [], []
        for bits, top, sign, carry in parts:
            # A signed number with its top bit inverted: see `hw.array.dot_product`.
            terms.append(Cat(bits ^ sign.replicate(len(bits)), ~top))
            carries.append(carry)
        *carries, last = carries
        total = add_up(m, terms, carries)
        held = Signal(signed(len(total) + 1), name=f"{name}_of_block", reset_less=True)
        m.d.sync += held.eq(Cat(last, total[:-1], ~total[-1]))
        return held
