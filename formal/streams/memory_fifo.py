"""Proof of `hw.streams.memory_fifo`."""

from functools import partial

from amaranth import Array, Mux, Signal

import hw.streams.memory_fifo as module
from formal.proof import Mutant, Proof
from formal.streams.stream import SAYS, WIDTH, QueueHarness

DEPTHS = (1, 3, 4)
"""The least, one that is no power of two, and one that is."""


class MemoryFIFOHarness(QueueHarness):
    """Payloads lie in the memory and at its output."""

    def __init__(self, depth):
        queue = module.MemoryFIFO(WIDTH, depth=depth)
        super().__init__(queue, capacity=queue.capacity, patience=1)
        self.depth = depth

    def strengthen(self, m):
        depth, address = self.depth, max(1, (self.depth - 1).bit_length())
        is_read, read = self.look("dut.o__valid"), self.look("dut.words.read_data", WIDTH)
        stored = self.look("dut.stored", depth.bit_length())
        write_at, read_at = (self.look(f"dut.{name}_at", address) for name in ("write", "read"))
        words = Array(self.look(f"dut.words.words.contents[{word}]", WIDTH)
                      for word in range(depth))

        place = Signal(range(4 * depth + 8))  # of the followed payload in the memory
        end = Signal(range(2 * depth + 1))
        m.d.comb += [place.eq(read_at + self.ahead - is_read), end.eq(read_at + stored)]
        word = words[Mux(place >= depth, place - depth, place)]
        followed = self.is_followed
        self.check(m, "counted", self.inside == is_read + stored)
        self.check(m, "in_the_memory", (stored <= depth) & (read_at < depth) & (write_at < depth)
                   & (write_at == Mux(end >= depth, end - depth, end)))
        self.check(m, "behind_all_inside", ~followed | (self.ahead < self.inside))
        for name, is_there, value in (("read", is_read & (self.ahead == 0), read),
                                      ("stored", self.ahead >= is_read, word)):
            self.check(m, f"kept_{name}", ~(followed & is_there) | (value == self.followed))
        self.check(m, "not_quiet_when_empty", (self.quiet == 0) | (self.inside != 0))
        recent = Signal()  # taken a cycle ago
        m.d.sync += recent.eq(self.enters)
        self.check(m, "offered_in_time", self.component.o.valid == (self.inside > recent))
        self.check(m, "new_one", stored >= recent)
        self.check(m, "read_when_quiet", (self.quiet < 1) | is_read)


PROOFS = tuple(Proof(
    name=f"memory_fifo_{depth}", make=partial(MemoryFIFOHarness, depth), depth=3, steps=12,
    says=f"{SAYS} A payload is offered {module.MemoryFIFO.latency} cycles after it was taken, "
         "as soon as all before it have left.",
    bounds=f"{depth} words. Reading the word that is being written gives anything.",
    mutants=(Mutant(module.__name__, "self.i.ready.eq(stored != self.depth)",
                    "self.i.ready.eq(1)"),
             Mutant(module.__name__, "moves.eq(~self.o.valid | self.o.ready)", "moves.eq(1)"),
             Mutant(module.__name__, "get.eq((stored != 0) & moves)", "get.eq(moves)")))
    for depth in DEPTHS)
