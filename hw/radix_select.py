"""Selection of a tile's outliers among the magnitudes of its K-blocks, by a radix search."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .bits import any_of
from .outlier_policy import MAGNITUDE_BITS, Selection, Tag, policy_layout


class DigitCounters(wiring.Component):
    """Find the next digit of the pivot: the largest that at least ``wanted`` values reach.

    Members
    -------
    clear : In(1)
        Start a pass.
    count : In(1)
        Count ``digit``.
    digit : In(radix_bits)
    wanted : In
        How many values must reach the digit; more than were counted gives digit 0.
    chosen : Out(radix_bits)
        The cycle after the last count.
    above : Out
        How many of the values counted have a larger digit.
    """

    def __init__(self, *, k_blocks_max: int, radix_bits: int):
        self.radix_bits = radix_bits
        self.count_shape = range(k_blocks_max + 1)
        super().__init__({
            "clear": In(1), "count": In(1), "digit": In(radix_bits),
            "wanted": In(self.count_shape),
            "chosen": Out(radix_bits), "above": Out(self.count_shape),
        })

    def elaborate(self, platform):
        m = Module()
        # reaching[d]: values whose digit is d or more. All reach 0 and none reaches 2^radix_bits.
        digits = range(1, 1 << self.radix_bits)
        reaching = {digit: Signal(self.count_shape, name=f"reaching_{digit}") for digit in digits}
        for digit, counter in reaching.items():
            with m.If(self.clear):
                m.d.sync += counter.eq(0)
            with m.Elif(self.count & (self.digit >= digit)):
                m.d.sync += counter.eq(counter + 1)

        m.d.comb += self.above.eq(reaching[1])
        for digit, counter in reaching.items():  # the last that holds wins
            with m.If(counter >= self.wanted):
                m.d.comb += [self.chosen.eq(digit), self.above.eq(reaching.get(digit + 1, 0))]
        return m


class RadixSelect(wiring.Component):
    """Find the pivot magnitude of one tile, and hand out its tags.

    TOP finds the units-th largest magnitude digit by digit from the top. A pass over the memory
    counts the K-blocks that agree with the digits found so far, by what they have next. Larger than
    the pivot is an outlier, and of the K-blocks equal to it the first ones are, until there are
    ``units``. What needs no pass: THRESHOLD, whose pivot is given and must be exceeded; zero units,
    whose pivot is more than any magnitude; and units for all K-blocks, whose pivot is zero.

    One cycle to start, ``blocks + 2`` for each of `digits` passes if any, then a tag each cycle
    that ``o`` does not stall, the first after one cycle.

    Parameters
    ----------
    k_blocks_max : int
        Most K-blocks of a tile.
    radix_bits : int
        Bits per digit.

    Members
    -------
    start : In(1)
        A tile is there; stays until ``done``.
    blocks, policy : In
        Of the tile; steady while ``start`` is.
    read_en, read_addr : Out
    read_data : In(31)
        A cycle after ``read_en``, held until the next.
    done : Out(1)
        The last tag leaves in this cycle.
    o : Out(stream of Tag)
    """

    def __init__(self, *, k_blocks_max: int, radix_bits: int):
        self.k_blocks_max, self.radix_bits = k_blocks_max, radix_bits
        self.digits = -(-MAGNITUDE_BITS // radix_bits)
        super().__init__({
            "start": In(1), "blocks": In(range(k_blocks_max + 1)),
            "policy": In(policy_layout(k_blocks_max)),
            "read_en": Out(1), "read_addr": Out(range(max(2, k_blocks_max))),
            "read_data": In(MAGNITUDE_BITS),
            "done": Out(1), "o": Out(stream.Signature(Tag)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.counters = counters = DigitCounters(
            k_blocks_max=self.k_blocks_max, radix_bits=self.radix_bits
        )

        # `found` marks the pivot's digits that are known, `sought` (one-hot) the one below them.
        width = self.digits * self.radix_bits
        value, pivot = Signal(width), Signal(width, reset_less=True)
        found, sought = Signal(self.digits), Signal(self.digits)
        fields = [slice(at, at + self.radix_bits) for at in range(0, width, self.radix_bits)]
        m.d.comb += [
            value.eq(self.read_data),
            sought.eq(~found & Cat(found[1:], 1)),
            counters.digit.eq(Cat(
                any_of(sought[index] & value[field][bit] for index, field in enumerate(fields))
                for bit in range(self.radix_bits)
            )),
        ]
        agrees = ~any_of(
            found[index] & (value[field] != pivot[field]) for index, field in enumerate(fields)
        )

        # `left` outliers are not above the digits found so far.
        units = self.policy.units
        left = Signal.like(units, reset_less=True)
        is_tie = (value == pivot) & (left != 0)
        m.d.comb += [
            counters.wanted.eq(left),
            self.o.p.is_outlier.eq((value > pivot) | is_tie),
        ]

        address, to_read = Signal.like(self.read_addr), Signal()
        is_counting, is_tagging, is_last = Signal(), Signal(), Signal()
        m.d.comb += self.read_addr.eq(address)
        m.d.sync += is_counting.eq(0)
        with m.If(self.read_en):
            m.d.sync += [address.eq(address + 1), is_last.eq(0)]
            with m.If(address + 1 == self.blocks):
                m.d.sync += [address.eq(0), to_read.eq(0), is_last.eq(1)]

        m.d.comb += [
            counters.count.eq(is_counting & agrees),
            self.o.valid.eq(is_tagging),
            self.o.p.last.eq(is_last),
            self.done.eq(is_tagging & is_last & self.o.ready),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += counters.clear.eq(1)
                m.d.sync += [found.eq(0), to_read.eq(1)]
                with m.If(self.start):
                    m.d.sync += [pivot.eq(0), left.eq(units)]
                    m.next = "TAG"
                    with m.If(self.policy.selection == Selection.THRESHOLD):
                        m.d.sync += [pivot.eq(self.policy.threshold), left.eq(0)]
                    with m.Elif(units == 0):
                        m.d.sync += pivot.eq(Const(1, 1).replicate(width))
                    with m.Elif(units < self.blocks):
                        m.next = "COUNT"
            with m.State("COUNT"):
                m.d.comb += self.read_en.eq(to_read)
                m.d.sync += is_counting.eq(to_read)
                with m.If(~to_read):  # the last read is being counted
                    m.next = "DECIDE"
            with m.State("DECIDE"):
                m.d.comb += counters.clear.eq(1)
                m.d.sync += [
                    found.eq(found | sought),
                    left.eq(left - counters.above),
                    to_read.eq(1),
                ]
                for index, field in enumerate(fields):
                    with m.If(sought[index]):
                        m.d.sync += pivot[field].eq(counters.chosen)
                m.next = "COUNT"
                with m.If(sought[0]):
                    m.next = "TAG"
            with m.State("TAG"):
                m.d.comb += self.read_en.eq(to_read & (~is_tagging | self.o.ready))
                with m.If(~is_tagging | self.o.ready):
                    m.d.sync += is_tagging.eq(to_read)
                with m.If(is_tagging & self.o.ready & is_tie):
                    m.d.sync += left.eq(left - 1)
                with m.If(self.done):
                    m.next = "IDLE"
        return m
