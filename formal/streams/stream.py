"""What every queue of payloads owes: nothing is lost, doubled or reordered, and it goes on."""

from amaranth import Mux, Signal

from formal.harness import Harness

WIDTH = 4
"""Bits of a payload; it is copied and never looked at, so its width proves nothing."""

SAYS = ("Nothing is lost, doubled or reordered; an offer stays until it is taken; what is inside "
        "is offered within a bound; what is empty is ready.")


class QueueHarness(Harness):
    """One arbitrary payload is followed from ``i`` to ``o``.

    Parameters
    ----------
    component : wiring.Component
        With the streams ``i`` and ``o`` of `WIDTH` bits.
    capacity : int
        Payloads that it holds at most.
    patience : int
        Cycles in which something may be inside and nothing offered.
    needs_stable_input : bool
        It is right only while what ``i`` offers stays until it is taken.
    """

    def __init__(self, component, *, capacity, patience=0, needs_stable_input=False):
        super().__init__()
        self.component, self.capacity, self.patience = component, capacity, patience
        self.needs_stable_input = needs_stable_input

    def prove(self, m):
        m.submodules.dut = dut = self.component
        i, o = dut.i, dut.o
        m.d.comb += [i.valid.eq(self.free(1, "offers")), i.p.eq(self.free(WIDTH, "offered")),
                     o.ready.eq(self.free(1, "takes"))]
        if self.needs_stable_input:
            self.offers_stay(m, i, "i")
        self.enters, self.leaves = Signal(), Signal()
        m.d.comb += [self.enters.eq(i.valid & i.ready), self.leaves.eq(o.valid & o.ready)]
        self._count(m, o)
        self._follow(m, i, o)
        self._wait(m, i, o)
        self.strengthen(m)

    def strengthen(self, m):
        """Add what is true of the registers inside and what the induction needs."""

    def _count(self, m, o):
        inside = self.inside = Signal(range(self.capacity + 3))
        m.d.sync += inside.eq(inside + self.enters - self.leaves)
        self.cover(m, "full", inside == self.capacity)
        self.check(m, "room_is_kept", inside <= self.capacity)
        self.check(m, "nothing_comes_from_nowhere",
                   ~(self.leaves & ~self.enters & (inside == 0)))

    def _follow(self, m, i, o):
        """Mark a payload as it enters, and compare what leaves when all before it have left."""
        self.is_followed, is_done = Signal(), Signal()
        self.followed, self.ahead = Signal(WIDTH), Signal.like(self.inside)
        marks = self.free(1, "marks") & self.enters & ~self.is_followed & ~is_done
        passes = marks & self.leaves & (self.inside == 0)
        arrives = self.is_followed & self.leaves & (self.ahead == 0)
        with m.If(marks):
            m.d.sync += [self.followed.eq(i.p), self.ahead.eq(self.inside - self.leaves),
                         self.is_followed.eq(1)]
        with m.If(self.is_followed & self.leaves):
            m.d.sync += self.ahead.eq(self.ahead - 1)
        with m.If(arrives | passes):
            m.d.sync += [self.is_followed.eq(0), is_done.eq(1)]
        self.cover(m, "arrival", arrives)
        self.check(m, "order_and_content", (~arrives | (o.p == self.followed))
                   & (~passes | (o.p == i.p)))

    def _wait(self, m, i, o):
        self.stalled, self.offered = Signal(), Signal(WIDTH)
        m.d.sync += [self.stalled.eq(o.valid & ~o.ready), self.offered.eq(o.p)]
        self.check(m, "offer_stays", ~self.stalled | (o.valid & (o.p == self.offered)))
        self.quiet = Signal(range(self.patience + 2))
        m.d.sync += self.quiet.eq(Mux((self.inside != 0) & ~o.valid, self.quiet + 1, 0))
        self.check(m, "progress", self.quiet <= self.patience)
        self.check(m, "empty_is_ready", (self.inside != 0) | i.ready)
