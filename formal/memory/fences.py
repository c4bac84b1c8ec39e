"""What holds a reader back until the commands have ended whose results it reads."""

from amaranth import Cat, Mux, Signal

from formal.harness import Harness
from hw.contract.config import Config
from hw.memory.work import COUNT_BITS, FENCE_BITS

CONFIG = Config.sized(rows=2, cols=2, k_max=16)

ADDRESS_BITS, LENGTH_BITS = 12, 10

MOST = 255
"""Commands between a count of ended ones and a fence, in either direction: the longest distance
that a descriptor has."""


class FenceHarness(Harness):
    """Works of any fences, one after the other; commands end at any time, one in a cycle.

    Of each fence the harness counts the commands that still have to end.

    Parameters
    ----------
    kind : class
        Of the reader.
    fences : list of (str, callable)
        A work's fences, and whether it has them.
    left : list of (str, int)
        Registers that say what is left of a work, and their bits; what counts most comes last.
    is_good : callable
        What is assumed of a work.
    """

    def __init__(self, kind, fences, left, is_good=lambda work: 1):
        super().__init__()
        self.is_good = is_good
        self.kind, self.fences, self.left = kind, fences, left

    def prove(self, m):
        m.submodules.dut = dut = self.kind(
            CONFIG, address_bits=ADDRESS_BITS, length_bits=LENGTH_BITS)
        self.free_inputs(m, dut)
        work, completed = dut.work, dut.completed
        self.offers_stay(m, work, "work")
        self.assume(m, ~work.valid | self.is_good(work.p))
        before, runs = Signal(COUNT_BITS), Signal()
        m.d.sync += [before.eq(completed), runs.eq(1)]
        ends = Signal()
        m.d.comb += ends.eq(completed != before)
        self.assume(m, ~runs | ~ends | (completed == (before + 1)[:COUNT_BITS]))

        is_new = Signal(init=1)  # the work was not there before
        m.d.sync += is_new.eq(~work.valid | work.ready)
        is_open, some_wait = Signal(), Signal()
        m.d.comb += is_open.eq(1)
        for name, counts in self.fences:
            fence = getattr(work.p, name)
            ahead, left = Signal(FENCE_BITS, name=f"{name}_ahead"), Signal(FENCE_BITS)
            old_left = Signal(range(MOST + 1), name=f"{name}_left")
            m.d.comb += [
                ahead.eq(fence.ended - completed), left.eq(Mux(
                    is_new, Mux(ahead[-1], 0, ahead), old_left - (ends & (old_left != 0))))]
            m.d.sync += old_left.eq(left)
            self.assume(m, ~work.valid | ((ahead + MOST)[:FENCE_BITS] <= 2 * MOST))
            held = counts(work.p) & fence.waits & (left != 0)
            with m.If(held):
                m.d.comb += [is_open.eq(0), some_wait.eq(1)]
            self.check(m, f"{name}_left", is_new | ~work.valid
                       | (left == Mux(ahead[-1], 0, ahead)))
        self._pieces(m, dut, is_open, some_wait)

    def _pieces(self, m, dut, is_open, some_wait):
        """Pieces come when a work has been let go, and go on until it is done."""
        work, piece = dut.work, dut.o
        was_held, lets_go, goes = Signal(), Signal(), Signal()
        m.d.sync += [lets_go.eq(work.valid & is_open & ~work.ready),
                     goes.eq(piece.valid & ~work.ready),
                     was_held.eq(work.valid & ~work.ready & (was_held | some_wait))]
        self.cover(m, "held", was_held & piece.valid)
        self.cover(m, "done", work.valid & work.ready & goes)
        self.check(m, "none_before", ~piece.valid | work.valid & is_open)
        self.check(m, "begins_a_cycle_later", ~lets_go | piece.valid)
        self.check(m, "goes_on", ~goes | piece.valid)
        self.check(m, "done_with_a_piece", ~work.ready | piece.valid & piece.ready)
        left = Cat(self.look(f"dut.{name}", bits) for name, bits in self.left)
        moves, before = Signal(), Signal.like(left)
        m.d.sync += [moves.eq(piece.valid & piece.ready & ~work.ready), before.eq(left)]
        self.check(m, "nearer_to_its_end", ~moves | (left < before))
        self.check(m, "goes", self.look("dut.goes") == piece.valid)


SAYS = ("No piece of a work is offered before as many commands have ended as its fence{} for. A "
        "cycle after that the first one is on offer, and pieces follow each other without a gap "
        "until the work is done, which each brings nearer.")

SHARED = {
    "depth": 1, "steps": 8,
    "assumes": "A work stays until it is taken; a group has rows, no more than fit. Commands end "
               f"one at a time, and a fence is {MOST} of them away at most.",
    "bounds": "A 2x2 machine. Which pieces a work has is the benches'."}
