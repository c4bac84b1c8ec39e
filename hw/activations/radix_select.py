"""Selection of a tile's outliers among the magnitudes of its K-blocks, by a radix search."""

from amaranth import Cat, Const, Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hw.contract.job_codes import Selection
from hw.contract.outlier_policy import MAGNITUDE_BITS, Tag, policy_layout
from hw.parts.bits import any_of


class DigitCounters(wiring.Component):
    """Find the next digit of the pivot: the largest that enough values reach.

    Members
    -------
    clear : In(1)
        Start a pass that wants ``next_wanted`` values.
    next_wanted : In(signed)
        How many values must reach the digit, less one; more than are counted gives digit 0.
    wanted : In(signed)
        What ``next_wanted`` was, all through the pass.
    count : In(1)
        Count ``digit``.
    digit : In(radix_bits)
    chosen : Out(radix_bits)
        The cycle after the last count.
    left : Out(signed)
        ``wanted``, less the values counted that have a larger digit.
    """

    def __init__(self, *, k_blocks_max: int, radix_bits: int):
        self.radix_bits = radix_bits
        self.count_shape = signed(bits_for(k_blocks_max - 1) + 1)  # down to -k_blocks_max, too
        super().__init__({
            "clear": In(1), "next_wanted": In(self.count_shape), "wanted": In(self.count_shape),
            "count": In(1), "digit": In(radix_bits),
            "chosen": Out(radix_bits), "left": Out(self.count_shape),
        })

    def elaborate(self, platform):
        m = Module()
        # lacking[d]: what is wanted, less the values whose digit is d or more. Its sign says that
        # there are enough, without a comparison: for all digits up to the one that is chosen.
        digits = range(1, 1 << self.radix_bits)
        lacking = {digit: Signal(self.count_shape, name=f"lacking_{digit}") for digit in digits}
        for digit, counter in lacking.items():
            with m.If(self.clear):
                m.d.sync += counter.eq(self.next_wanted)
            with m.Elif(self.count & (self.digit >= digit)):
                m.d.sync += counter.eq(counter - 1)

        # All values reach digit 0, and none reaches 2^radix_bits.
        is_enough = Signal(len(lacking))
        is_chosen = Signal(len(lacking) + 1)  # one-hot, by digit
        counters = [*lacking.values(), self.wanted]
        m.d.comb += [
            is_enough.eq(Cat(counter[-1] for counter in lacking.values())),
            is_chosen.eq(Cat(1, is_enough) & Cat(~is_enough, 1)),
            self.chosen.eq(Cat(any_of(is_chosen[digit] for digit in digits if digit >> bit & 1)
                               for bit in range(self.radix_bits))),
            self.left.eq(Cat(any_of(chosen & counter[bit] for chosen, counter
                                    in zip(is_chosen, counters, strict=True))
                             for bit in range(len(self.left)))),
        ]
        return m


class RadixSelect(wiring.Component):
    """Find the pivot magnitude of one tile, and hand out its tags.

    TOP finds the units-th largest magnitude digit by digit from the top. A pass over the memory
    counts the K-blocks that agree with the digits found so far, by what they have next. Larger than
    the pivot is an outlier, and of the K-blocks equal to it the first ones are, until there are
    ``units``. What needs no pass: THRESHOLD, whose pivot is given and must be exceeded; zero units,
    whose pivot is more than any magnitude; and units for all K-blocks, whose pivot is zero.

    One cycle to start, ``blocks + 2`` for each of `digits` passes if any, then a tag each cycle
    that ``o`` does not stall, the first after one cycle. A pass reads its first magnitude in the
    cycle before it begins, and counts each two cycles after its read.

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
        value = Signal(width)
        pivot = Signal(width, reset_less=True)
        counted = Signal(width, reset_less=True)
        found = Signal(self.digits)
        sought = Signal(self.digits)
        fields = [slice(at, at + self.radix_bits) for at in range(0, width, self.radix_bits)]
        m.d.comb += [
            value.eq(self.read_data),
            sought.eq(~found & Cat(found[1:], 1)),
            counters.digit.eq(Cat(
                any_of(sought[index] & counted[field][bit] for index, field in enumerate(fields))
                for bit in range(self.radix_bits)
            )),
        ]
        m.d.sync += counted.eq(value)
        agrees = ~any_of(
            found[index] & (counted[field] != pivot[field]) for index, field in enumerate(fields)
        )

        # `left` + 1 outliers are not above the digits found so far.
        left = Signal(counters.count_shape, reset_less=True)
        next_left = Signal(counters.count_shape)
        is_tie = (value == pivot) & ~left[-1]
        m.d.comb += [
            next_left.eq(left), counters.next_wanted.eq(next_left), counters.wanted.eq(left),
            self.o.p.is_mx9.eq((value > pivot) | is_tie),
        ]
        m.d.sync += left.eq(next_left)

        self._pass(m, counters, pivot=pivot, found=found, sought=sought, fields=fields,
                   agrees=agrees, left=left, next_left=next_left, is_tie=is_tie)
        return m

    def _pass(self, m, counters, *, pivot, found, sought, fields, agrees, left, next_left, is_tie):
        """Read the tile's magnitudes, once for each digit that is sought, then for its tags."""
        address = Signal.like(self.read_addr)
        to_read = Signal()
        is_read = Signal()
        is_counting = Signal()
        is_tagging = Signal()
        is_last = Signal()
        m.d.comb += self.read_addr.eq(address)
        m.d.sync += [is_read.eq(0), is_counting.eq(is_read)]
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
                m.d.comb += next_left.eq(self.policy.units - 1)
                m.d.sync += [found.eq(0), to_read.eq(1)]
                with m.If(self.start):
                    m.d.sync += pivot.eq(0)
                    m.next = "TAG"
                    with m.If(self.policy.selection == Selection.THRESHOLD):
                        m.d.comb += next_left.eq(-1)
                        m.d.sync += pivot.eq(self.policy.threshold)
                    with m.Elif(self.policy.units == 0):
                        m.d.sync += pivot.eq(Const(1, 1).replicate(len(pivot)))
                    with m.Elif(self.policy.units < self.blocks):  # so there are two blocks or more
                        m.d.comb += self.read_en.eq(1)
                        m.d.sync += is_read.eq(1)
                        m.next = "COUNT"
            with m.State("COUNT"):
                m.d.comb += self.read_en.eq(to_read)
                m.d.sync += is_read.eq(to_read)
                with m.If(~to_read & ~is_read):  # the last read is being counted
                    m.next = "DECIDE"
            with m.State("DECIDE"):
                m.d.comb += [counters.clear.eq(1), next_left.eq(counters.left)]
                m.d.sync += [found.eq(found | sought), to_read.eq(1)]
                for index, field in enumerate(fields):
                    with m.If(sought[index]):
                        m.d.sync += pivot[field].eq(counters.chosen)
                with m.If(sought[0]):
                    m.next = "TAG"
                with m.Else():
                    m.d.comb += self.read_en.eq(1)
                    m.d.sync += is_read.eq(1)
                    m.next = "COUNT"
            with m.State("TAG"):
                m.d.comb += self.read_en.eq(to_read & (~is_tagging | self.o.ready))
                with m.If(~is_tagging | self.o.ready):
                    m.d.sync += is_tagging.eq(to_read)
                with m.If(is_tagging & self.o.ready & is_tie):
                    m.d.comb += next_left.eq(left - 1)
                with m.If(self.done):
                    m.next = "IDLE"
