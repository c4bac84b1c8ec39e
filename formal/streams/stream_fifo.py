"""Proof of `hw.streams.stream_fifo`."""

from functools import partial

from amaranth import Array, Cat, Mux, Signal

import hw.streams.memory_fifo as memory
import hw.streams.stream_fifo as module
from formal.proof import Mutant, Proof
from formal.streams.stream import SAYS, WIDTH, QueueHarness
from formal.streams.stream_buffer import keeps_offer

DEPTHS = (1, 3, 4)
"""The least, one that is no power of two, and one that is."""


class StreamFIFOHarness(QueueHarness):
    """Payloads lie in the memory, at its output, and in the two registers of the head."""

    def __init__(self, depth):
        queue = module.StreamFIFO(WIDTH, depth=depth)
        super().__init__(queue, capacity=queue.capacity, patience=2)
        self.depth = depth

    def strengthen(self, m):
        depth, address = self.depth, max(1, (self.depth - 1).bit_length())
        is_offered, is_behind = self.look("dut.head.is_offered"), self.look("dut.head.is_behind")
        offered, behind = (self.look(f"dut.head.{name}", WIDTH) for name in ("offered", "behind"))
        is_read = self.look("dut.head.i__valid")
        read = self.look("dut.memory.words.read_data", WIDTH)
        stored = self.look("dut.memory.stored", depth.bit_length())
        write_at, read_at = (self.look(f"dut.memory.{name}_at", address)
                             for name in ("write", "read"))
        words = Array(self.look(f"dut.memory.words.words.contents[{word}]", WIDTH)
                      for word in range(depth))
        keeps_offer(self, m, is_offered, offered)

        front = Signal(range(4))  # payloads that have left the memory
        place = Signal(range(4 * depth + 8))  # of the followed payload in it
        end = Signal(range(2 * depth + 1))
        m.d.comb += [front.eq(is_offered + is_behind + is_read),
                     place.eq(read_at + self.ahead - front), end.eq(read_at + stored)]
        word = words[Mux(place >= depth, place - depth, place)]
        followed = self.is_followed
        self.check(m, "counted", self.inside == front + stored)
        self.check(m, "offered_first", ~is_behind | is_offered)
        self.check(m, "in_the_memory", (stored <= depth) & (read_at < depth) & (write_at < depth)
                   & (write_at == Mux(end >= depth, end - depth, end)))
        self.check(m, "behind_all_inside", ~followed | (self.ahead < self.inside))
        for name, is_there, value in (
                ("offered", is_offered & (self.ahead == 0), offered),
                ("behind", is_behind & (self.ahead == 1), behind),
                ("read", is_read & (self.ahead == is_offered + is_behind), read),
                ("stored", self.ahead >= front, word)):
            self.check(m, f"kept_{name}", ~(followed & is_there) | (value == self.followed))
        self.check(m, "not_quiet_when_empty", (self.quiet == 0) | (self.inside != 0))
        recent = Signal(2)  # taken a cycle ago, and two
        m.d.sync += recent.eq(Cat(self.enters, recent[0]))
        self.check(m, "offered_in_time", self.component.o.valid
                   == (self.inside > recent[0] + recent[1]))
        self.check(m, "new_ones", (stored >= recent[0]) & (
            stored + is_read >= recent[0] + recent[1]))
        self.check(m, "read_when_quiet", (self.quiet < 2) | is_read | is_offered)


PROOFS = tuple(Proof(
    name=f"stream_fifo_{depth}", make=partial(StreamFIFOHarness, depth), depth=3, steps=12,
    says=f"{SAYS} A payload is offered {module.StreamFIFO.latency} cycles after it was taken, "
         "as soon as all before it have left.",
    bounds=f"{depth} words. Reading the word that is being written gives anything.",
    mutants=(Mutant(memory.__name__, "self.i.ready.eq(stored != self.depth)",
                    "self.i.ready.eq(1)"),
             Mutant(memory.__name__, "moves.eq(~self.o.valid | self.o.ready)", "moves.eq(1)"),
             Mutant(memory.__name__, "get.eq((stored != 0) & moves)", "get.eq(moves)")))
    for depth in DEPTHS)
