"""Proof of `hw.streams.clock_queue`, with clocks whose edges come in any order."""

from functools import partial

from amaranth import Array, DomainRenamer, EnableInserter, Mux, Signal

import hw.streams.clock_queue as module
from formal.proof import Mutant, Proof
from formal.streams.stream import WIDTH, QueueHarness

DEPTHS = (2, 4, 8)


class ClockQueueHarness(QueueHarness):
    """A step has an edge of either clock, of both, or of none.

    Where both fall together the synchronizer catches what was there before; that it catches what is
    there behind is the case in which its edge comes next.
    """

    def __init__(self, depth):
        super().__init__(module.ClockQueue(WIDTH, depth=depth), capacity=depth + 1)
        self.depth = depth

    def prove(self, m):
        dut = self.component
        self.write, self.read = self.free(1, "write"), self.free(1, "read")
        m.submodules.dut = DomainRenamer({"write": "sync", "read": "sync"})(
            EnableInserter({"write": self.write, "read": self.read})(dut))
        m.d.comb += [dut.i.valid.eq(self.free(1, "offers")), dut.i.p.eq(self.free(WIDTH, "given")),
                     dut.o.ready.eq(self.free(1, "takes"))]
        self.enters, self.leaves = Signal(), Signal()
        m.d.comb += [self.enters.eq(self.write & dut.i.valid & dut.i.ready),
                     self.leaves.eq(self.read & dut.o.valid & dut.o.ready)]
        self._count(m, dut.o)
        self._follow(m, dut.i, dut.o)
        self.stalled, self.offered = Signal(), Signal(WIDTH)
        m.d.sync += [self.stalled.eq(dut.o.valid & ~(self.read & dut.o.ready)),
                     self.offered.eq(dut.o.p)]
        self.check(m, "offer_stays",
                   ~self.stalled | (dut.o.valid & (dut.o.p == self.offered)))
        self.strengthen(m)

    def strengthen(self, m):
        depth, bits = self.depth, (2 * self.depth - 1).bit_length()
        is_offered, offered = self.look("dut.is_offered"), self.look("dut.offered", WIDTH)
        words = Array(self.look(f"dut.word_{number}", WIDTH) for number in range(depth))
        counts = {name: self._count_of(m, name, bits) for name in ("written", "read")}
        written, read = counts["written"], counts["read"]
        begun = Signal()
        m.d.sync += begun.eq(1)
        for count in counts.values():
            for stage in count[1:]:  # both sides were in reset until they had seen the other's
                self.assume(m, begun | (stage == 0))

        # How far each place behind a count is from it, and whether they stand in their order.
        stored = self._distance(m, "stored", written[0], read[0], bits)
        caught, seen = (self._distance(m, f"written_{number}", written[number], read[0], bits)
                        for number in (1, 2))
        left_caught, left_seen = (self._distance(m, f"left_{number}", written[0], read[number],
                                                 bits) for number in (1, 2))
        self.check(m, "written_in_order", (seen <= caught) & (caught <= stored))
        self.check(m, "read_in_order", (stored <= left_caught) & (left_caught <= left_seen)
                   & (left_seen <= depth))
        self.check(m, "counted", self.inside == stored + is_offered)

        followed, place = self.is_followed, Signal(bits)
        m.d.comb += place.eq(read[0] + self.ahead - is_offered)
        is_at_front = is_offered & (self.ahead == 0)
        self.check(m, "behind_all_inside", ~followed | (self.ahead < self.inside))
        self.check(m, "kept", ~followed | (Mux(is_at_front, offered, words[
            place[:bits - 1]]) == self.followed))
        self.check(m, "held", ~self.stalled | (is_offered & (offered == self.offered)))

        # News is there within three edges of whoever waits for it.
        quiet, tight = Signal(3), Signal(3)
        with m.If(self.read):
            m.d.sync += quiet.eq(Mux((self.inside != 0) & ~is_offered, quiet + 1, 0))
        with m.If(self.write):
            m.d.sync += tight.eq(Mux((stored < depth) & ~self.component.i.ready, tight + 1, 0))
        self.check(m, "offered_behind_the_third_edge", (quiet == 0) | is_offered & (quiet <= 3)
                   | Mux(quiet == 1, caught != 0, (quiet == 2) & (seen != 0)))
        self.check(m, "ready_behind_the_second_edge", (tight == 0) | Mux(
            tight == 1, left_caught != depth, (tight == 2) & (left_seen != depth)))

    def _count_of(self, m, name, bits):
        """Give a count, and what two stages of its synchronizer have caught, as numbers."""
        code = self.look(f"dut.{name}_gray", bits)
        before = Signal(bits, name=f"{name}_before")
        runs = Signal(name=f"{name}_runs")
        m.d.sync += [before.eq(code), runs.eq(1)]
        change = code ^ before
        self.check(m, f"{name}_steps_by_one_bit", ~runs | (change & (change - 1)[:bits] == 0))
        number = self.look(f"dut.{name}", bits)
        self.check(m, f"{name}_is_its_code", number == self._number(m, f"{name}_number", code))
        return [number, *(self._number(m, f"{name}_stage{stage}", self.look(
            f"dut.{name}_synchronizer.stage{stage}", bits)) for stage in (0, 1))]

    def _number(self, m, name, code):
        """Turn a Gray code back."""
        number = Signal(len(code), name=name)
        m.d.comb += [number[bit].eq(code[bit:].xor()) for bit in range(len(code))]
        return number

    def _distance(self, m, name, ahead, behind, bits):
        distance = Signal(bits, name=f"distance_{name}")
        m.d.comb += distance.eq(ahead - behind)
        return distance


PROOFS = tuple(Proof(
    name=f"clock_queue_{depth}", make=partial(ClockQueueHarness, depth), depth=2, steps=14,
    says="Nothing is lost, doubled or reordered; an offer stays until it is taken. The counts that "
         "cross step by one bit at an edge. What is written is offered behind the third edge of "
         "the reading side, and where there is room the writing side sees it behind its second.",
    assumes="Both sides were in reset until each had seen the other's count begin "
            "(`hw.memory.clock_crossing`); a synchronizer's stage catches, of a count that steps, "
            "what was there before or what is there behind.",
    bounds=f"{depth} words. Edges of the two clocks in any order.",
    mutants=(Mutant(module.__name__, "return count ^ count >> 1", "return count"),
             Mutant(module.__name__, "== 0b11 << index_bits - 1", "== 0b111 << index_bits - 1"),
             Mutant(module.__name__, 'get.eq(counts["written_seen"] != counts["read_gray"])',
                    "get.eq(1)"),
             Mutant(module.__name__, "with m.If(~is_offered | self.o.ready):", "with m.If(1):")))
    for depth in DEPTHS)
