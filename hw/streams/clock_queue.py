"""A queue between two clocks: eight payloads in registers, and two counts in Gray code."""

from amaranth import Array, DomainRenamer, Module, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.contract.parameter import is_power_of_two
from hw.parts.synchronizer import Synchronizer

DEPTH = 8
"""Words at which neither side waits for news of the other: a count takes at most four cycles of
each clock to be seen and answered, with one that a synchroniser may lose."""


def gray(count):
    """Give the Gray code of a count, in which neighbours differ in one bit."""
    return count ^ count >> 1


class ClockQueue(wiring.Component):
    """Bring a stream from the clock domain `write` into the domain `read`.

    The clocks have any ratio and any phase. Each side counts what went past it, and sees the
    other's count two of its own cycles late, in Gray code, so that whatever is caught of a step
    is the count before or behind it. A payload is offered behind the third edge of `read` after
    it was taken; then one in every cycle of the slower clock. An offer stays until it is taken.
    Neither ``valid`` nor ``ready`` depends on an input of the same cycle.

    In reset a side takes and offers nothing, and begins anew; both sides have to be in reset until
    each has seen the other's count begin (`hw.memory.clock_crossing`).

    It is registers, not an `Sram`, which has one clock. Amaranth's `AsyncFIFO` has a memory of its
    own, an asynchronous reset, and keeps its words when the reading side alone is reset.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.
    depth : int
        Payloads that wait, beside the one on offer; a power of two from 2.

    Members
    -------
    i : In(stream of shape)
        In `write`.
    o : Out(stream of shape)
        In `read`.
    """

    def __init__(self, shape, *, depth=DEPTH):
        if depth < 2 or not is_power_of_two(depth):
            raise ValueError(f"depth must be a power of two from 2, not {depth}: Gray code of "
                             "another count has steps of several bits")
        self.shape, self.depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        index_bits = exact_log2(self.depth)
        width = len(Value.cast(self.i.p))
        words = Array(Signal(width, name=f"word_{number}", reset_less=True)
                      for number in range(self.depth))
        counts = {}
        for name in ("written", "read"):
            for kind in ("", "_gray", "_seen"):
                counts[name + kind] = Signal(index_bits + 1, name=name + kind)
        written, read = counts["written"], counts["read"]
        offered = Signal(self.shape, reset_less=True)
        is_offered = Signal()
        put = Signal()
        get = Signal()

        for name, moves, here, there in (("written", put, "write", "read"),
                                         ("read", get, "read", "write")):
            following = Signal.like(counts[name], name=f"{name}_next")
            m.d.comb += following.eq(counts[name] + moves)
            m.d[here] += [counts[name].eq(following), counts[f"{name}_gray"].eq(gray(following))]
            synchronizer = Synchronizer(index_bits + 1)
            m.submodules[f"{name}_synchronizer"] = DomainRenamer(there)(synchronizer)
            m.d.comb += [synchronizer.i.eq(counts[f"{name}_gray"]),
                         counts[f"{name}_seen"].eq(synchronizer.o)]

        # A count that is `depth` ahead differs in the two upper bits of its Gray code alone.
        is_full = counts["written_gray"] ^ counts["read_seen"] == 0b11 << index_bits - 1
        m.d.comb += [self.i.ready.eq(~is_full & ~ResetSignal("write")),
                     put.eq(self.i.valid & self.i.ready)]
        with m.If(put):
            m.d.write += words[written[:index_bits]].eq(self.i.p)

        m.d.comb += [self.o.valid.eq(is_offered), self.o.p.eq(offered)]
        with m.If(~is_offered | self.o.ready):
            m.d.comb += get.eq(counts["written_seen"] != counts["read_gray"])
            m.d.read += is_offered.eq(get)
            with m.If(get):
                m.d.read += offered.eq(words[read[:index_bits]])
        return m
