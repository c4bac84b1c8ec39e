"""Proof of `hw.memory.descriptor_reader`."""

from contextlib import ExitStack
from types import SimpleNamespace
from unittest.mock import patch

from amaranth import Array, Cat, Mux, Signal
from amaranth.hdl import Fragment

import hw.memory.descriptor_reader as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.memory.descriptor import BYTES as STEP

ADDRESS_BITS, LENGTH_BITS, COUNT_BITS, DATA_BYTES, WORDS = 14, 8, 8, 4, 3

BYTES = DATA_BYTES * WORDS
"""Of a descriptor, which is copied and never looked at; its place is that of a real one."""

KEPT = 6
"""Bytes that have fields."""

BEYOND = (1 << 8 * BYTES) - (1 << 8 * KEPT)
"""Bits without a field."""

RESERVED = {0: BEYOND, 1: BEYOND | 0x0F00_FFF0_0020}
"""Two operations, one of which has fewer fields."""

REDUCED = {"COUNT_BITS": COUNT_BITS, "BYTES": BYTES, "ADDRESS_BITS": 8 * (DATA_BYTES - 1)}

DESCRIPTOR = SimpleNamespace(bits=8 * KEPT, reserved=RESERVED, places={"a": 0}, stepped=("a",))


class DescriptorReaderHarness(Harness):
    """The ring is enabled at any time; words that were asked for come at any time, in order.

    The harness counts commands from the one that `completed` said when the ring was last disabled.
    One arbitrary byte of every descriptor is followed from its word.
    """

    def prove(self, m):
        with ExitStack() as stack:
            for name, value in REDUCED.items():
                stack.enter_context(patch.object(module, name, value))
            dut = module.DescriptorReader(
                address_bits=ADDRESS_BITS, length_bits=LENGTH_BITS, data_bytes=DATA_BYTES,
                descriptor=DESCRIPTOR)
            m.submodules.dut = Fragment.get(dut, None)
        self.free_inputs(m, dut)
        asks, comes, leaves = Signal(), Signal(), Signal()
        m.d.comb += [asks.eq(dut.segments.valid & dut.segments.ready),
                     comes.eq(dut.words.valid & dut.words.ready),
                     leaves.eq(dut.o.valid & dut.o.ready)]
        self._count(m, dut, asks, leaves)
        self._words(m, dut, asks, comes, leaves)
        was_on, waits = Signal(), Signal()
        offer = Cat(dut.o.p.as_value(), dut.number)
        before, renews = Signal.like(offer), Signal()
        address = Signal.like(dut.renewed.a)
        m.d.sync += [was_on.eq(dut.enable), waits.eq(dut.o.valid & ~dut.o.ready & dut.enable),
                     before.eq(offer), renews.eq(dut.renewed.valid), address.eq(dut.renewed.a)]
        self.assume(m, ~dut.renewed.valid | dut.o.valid)
        self.check(m, "offer_stays", ~waits | dut.o.valid & (
            (offer[len(address):] == before[len(address):])
            & (dut.o.p.bits[:len(address)] == Mux(renews, address, before[:len(address)]))))
        self.check(m, "nothing_left_over", was_on | ~dut.o.valid)

    def _count(self, m, dut, asks, leaves):
        """Which are asked for: those from the first on, up to the tail, not too far ahead."""
        start, knows, before = (Signal(COUNT_BITS), Signal(),
                                Signal(COUNT_BITS + ADDRESS_BITS + 5))
        asked, handed = Signal(COUNT_BITS), Signal(COUNT_BITS)  # since the first
        self.asked, self.handed, there = asked, handed, Signal(COUNT_BITS)
        m.d.comb += there.eq(dut.tail - start)
        m.d.sync += [asked.eq(asked + asks), handed.eq(handed + leaves),
                     before.eq(Cat(there, dut.base, dut.size_log2)), knows.eq(dut.enable)]
        with m.If(~dut.enable):
            m.d.sync += [start.eq(dut.completed), asked.eq(0), handed.eq(0)]
        self.assume(m, ~(knows & dut.enable) | (there >= before[:COUNT_BITS])
                    & (Cat(dut.base, dut.size_log2) == before[COUNT_BITS:]))
        runs = Signal()  # not before the first cycle with a low enable
        with m.If(~dut.enable):
            m.d.sync += runs.eq(1)
        self.assume(m, runs | ~dut.enable)
        ahead = asked - handed
        offers = dut.segments.valid
        number, size = Signal(COUNT_BITS), Signal(COUNT_BITS)
        m.d.comb += [number.eq(start + asked), size.eq(1 << dut.size_log2)]
        self.cover(m, "wraps", offers & (dut.size_log2 == 2) & (start[:2] == 3) & (asked == 2))
        self.check(m, "offers", offers == (dut.enable & (asked != there)
                                           & (ahead < module.AHEAD)))
        self.check(m, "none_beyond_the_tail", ~dut.enable | (asked <= there))
        self.check(m, "not_too_far_ahead", (handed <= asked) & (ahead <= module.AHEAD))
        self.check(m, "address", ~offers | (dut.segments.p.length == BYTES) & (
            dut.segments.p.address
            == (dut.base + (number & (size - 1))[:ADDRESS_BITS] * STEP)[:ADDRESS_BITS]))
        self.check(m, "number", ~runs | (dut.number == (start + handed)[:COUNT_BITS]))
        self.check(m, "ahead", self.look("dut.ahead", 3) == ahead)
        self.check(m, "from_the_first", (~knows | runs) & (knows | (asked == 0) & (handed == 0)))
        stalled, offered = Signal(), Signal.like(dut.segments.p.as_value())
        m.d.sync += [stalled.eq(offers & ~dut.segments.ready),
                     offered.eq(dut.segments.p.as_value())]
        self.check(m, "segment_stays", ~stalled | ~dut.enable
                   | offers & (dut.segments.p.as_value() == offered))

    def _words(self, m, dut, asks, comes, leaves):
        """Each descriptor is the next words, in order, and the largest of their answers."""
        byte = self.free_constant(m, range(BYTES), "byte")
        self.assume(m, byte < BYTES)
        place, owed = Signal(range(WORDS)), Signal(range(WORDS * (module.AHEAD + 1)))
        m.d.sync += [place.eq(Mux(~dut.enable, 0, Mux(
            comes, Mux(place == WORDS - 1, 0, place + 1), place))),
            owed.eq(Mux(dut.enable, owed + WORDS * asks - comes, 0))]
        self.assume(m, ~dut.words.valid | ~dut.enable | (owed != 0))
        own, largest, reserved = Signal(8), Signal(2), Signal(len(RESERVED))
        size = 8 * DATA_BYTES
        is_set = Cat((dut.words.p.data & Array(  # of a word
            mask >> size * word & (1 << size) - 1 for word in range(WORDS))[place]).any()
            for mask in RESERVED.values())
        # The first word has an address: all above those of the bus is one bit.
        reached, bus_bits = Signal(8 * DATA_BYTES), ADDRESS_BITS - 1
        end = REDUCED["ADDRESS_BITS"]
        m.d.comb += reached.eq(dut.words.p.data)
        with m.If(place == 0):
            m.d.comb += reached[bus_bits:end].eq(dut.words.p.data[bus_bits:end].any())
        was_renewed = Signal()
        with m.If(dut.renewed.valid):
            m.d.sync += was_renewed.eq(1)
        with m.If(comes):
            m.d.sync += [
                was_renewed.eq(0),
                largest.eq(Mux((place == 0) | (dut.words.p.resp > largest),
                               dut.words.p.resp, largest)),
                reserved.eq(Mux(place == 0, 0, reserved) | is_set)]
            with m.If(place == byte // DATA_BYTES):
                m.d.sync += own.eq(reached.word_select(byte % DATA_BYTES, 8))
        self.cover(m, "byte", leaves & (byte == 5) & (own == 0x5A) & (largest == 2))
        kept = dut.o.p.bits.word_select(byte, 8)
        is_new = was_renewed & (byte < REDUCED["ADDRESS_BITS"] // 8)
        self.check(m, "renewed", ~was_renewed | (place == 0))
        self.check(m, "byte", ~dut.o.valid | (byte >= KEPT) | is_new | (kept == own))
        self.cover(m, "reserved", leaves & (reserved == 2))
        self.check(m, "reserved", ((place == 0) & ~dut.o.valid) | (dut.o.p.reserved == reserved))
        self.check(m, "answer", ((place == 0) & ~dut.o.valid) | (dut.o.p.resp == largest))
        self.check(m, "place", (self.look("dut.arrived", 2) == place) & (place < WORDS)
                   & (~dut.o.valid | (place == 0)))
        # A descriptor at `o`, the words of one that has begun, and words to come are all there is.
        self.check(m, "owed", owed + place + WORDS * dut.o.valid
                   == WORDS * (self.asked - self.handed))
        self.check(m, "byte_kept", (byte // DATA_BYTES >= place) | (byte >= KEPT) | is_new
                   | (kept == own))


PROOFS = (Proof(
    name="descriptor_reader", make=DescriptorReaderHarness, depth=1, steps=9,
    says="From the first command after a low `enable`, which is the one that `completed` says, "
         "descriptors are asked for in order, each once, at the base + (number mod size) * "
         f"{STEP}; none from the tail on, and at most {module.AHEAD} before the oldest that has "
         "not been carried out. They are handed out in that order, each once, with their numbers: "
         "every byte with a field that came for them, what an address has beyond the bus as one "
         "bit, for each operation whether a bit is set that it does not have, and the largest "
         "answer. Offers stay until they are taken, but for addresses that are renewed.",
    assumes="While the ring is enabled its base and size stay, and the tail goes forward; words "
            "come only if they were asked for. `enable` is low first.",
    bounds=f"Counts of {COUNT_BITS} bits, addresses of {ADDRESS_BITS}, descriptors of {WORDS} "
           f"words of {DATA_BYTES} bytes, of which {KEPT} bytes have fields.",
    mutants=(Mutant(module.__name__, "(asked != self.tail)", "1"),
             Mutant(module.__name__, "(ahead != AHEAD)", "(ahead <= AHEAD)"),
             Mutant(module.__name__, "place.eq(asked & ", "place.eq(self.number & "),
             Mutant(module.__name__, "ones_below(m, self.size_log2",
                    "ones_below(m, self.size_log2 + 1"),
             Mutant(module.__name__, "[Cat(bits[above]).any(),", "[bits[above][0],"),
             Mutant(module.__name__, "self.words.ready.eq(~self.o.valid)",
                    "self.words.ready.eq(1)"),
             Mutant(module.__name__, "(arrived == 0) | (self.words.p.resp", "(self.words.p.resp"),
             Mutant(module.__name__, "self.number.eq(self.completed), arrived.eq(0)",
                    "self.number.eq(self.completed)"),
             Mutant(module.__name__, "Mux(arrived == 0, 0, reserved) | ", "reserved | "),
             Mutant(module.__name__, "Mux(arrived == 0, 0, reserved) | ", ""),
             Mutant(module.__name__, "with m.If(self.renewed.valid):", "with m.If(0):"),
             Mutant(module.__name__, "mask >> word * size + bit & 1", "mask >> bit & 1"),
             Mutant(module.__name__, "ahead.eq(0), ", ""))),)
