"""Proof of `hw.blocks.chunk_reader`."""

from amaranth import Array, Mux, Signal, Value

import hw.blocks.chunk_reader as module
from formal.harness import Harness
from formal.proof import Mutant, Proof

LANES, STREAM_BYTES, K_BLOCKS = 3, 4, 34

BITS = 8 * STREAM_BYTES
"""Of a beat, and K-blocks that one beat of precision bits is for."""

BIASES, TAGS, BASES, RESIDUALS = range(4)

BYTES = {BIASES: 4, BASES: 12, RESIDUALS: 6}
"""Of each lane: see docs/packets.md."""


class ChunkReaderHarness(Harness):
    """Packets of any contents; one arbitrary beat of each chunk is followed to its place.

    The harness counts a packet's beats itself: which content, which beat of it, which K-block.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.ChunkReader(
            lanes=LANES, stream_bytes=STREAM_BYTES, k_blocks_max=K_BLOCKS)
        self.free_inputs(m, dut)
        new, packet, busy = dut.packets.p, Signal(dut.packets.p.shape()), Signal()
        self.assume(m, ~dut.packets.valid | self._is_right(new))
        take, beat_data = self.look("dut.take"), self.look("dut.guard.o__payload", BITS)
        content, beat = Signal(2), Signal(range(16))
        k_block, tags = Signal(range(K_BLOCKS + 1)), Signal(BITS)
        last_beat, is_mx9, last_k = Signal(range(16)), Signal(), Signal()
        beats = Array([0] * 4)
        for which, each in BYTES.items():
            beats[which] = Array([0, *(-(-each * lanes // STREAM_BYTES) - 1
                                       for lanes in range(1, LANES + 1))])[packet.lanes]
        m.d.comb += [last_beat.eq(beats[content]), last_k.eq(k_block == packet.k_blocks - 1),
                     is_mx9.eq(tags.bit_select(k_block[:BITS.bit_length() - 1], 1))]
        ends = beat == last_beat
        block_ends = ends & ((content == RESIDUALS) | (content == BASES) & ~is_mx9)
        packet_ends = block_ends & last_k
        with m.If(take):
            m.d.sync += beat.eq(Mux(ends, 0, beat + 1))
            with m.If(content == TAGS):
                m.d.sync += tags.eq(beat_data)
            with m.If(block_ends):
                m.d.sync += [k_block.eq(Mux(last_k, 0, k_block + 1)),
                             content.eq(Mux((k_block + 1) % BITS == 0, TAGS, BASES))]
            with m.Elif(ends):
                m.d.sync += content.eq(content + 1)
        takes_packet = Signal()
        m.d.comb += takes_packet.eq(dut.packets.valid & dut.packets.ready)
        with m.If(~busy | take & packet_ends):
            m.d.sync += [busy.eq(dut.packets.valid), packet.eq(new),
                         content.eq(Mux(new.has_biases, BIASES, TAGS))]

        self.check(m, "takes_a_packet", dut.packets.ready == (~busy | take & packet_ends))
        self.check(m, "ends_a_packet", ~busy | (self.look("dut.guard.is_final") == packet_ends))
        self.check(m, "takes_beats", self.look("dut.guard.o__ready")
                   == (busy & (~dut.o.valid | dut.o.ready)))
        self.check(m, "only_of_a_packet", ~take | busy)
        self.check(m, "reports_a_job", dut.job_faults.valid
                   == (take & packet_ends & packet.job_last))
        self.check(m, "counted", (self.look("dut.busy") == busy)
                   & (self.look("dut.k_block", 6) == k_block)
                   & (self.look("dut.beat", 4) == beat)
                   & (~busy | (self.look("dut.content", 2) == content)))
        self.check(m, "within", Mux(busy, (k_block < packet.k_blocks) & (beat <= last_beat),
                                    (k_block == 0) & (beat == 0)))
        self.check(m, "packet", ~busy | self._is_right(packet) & (
            self.look("dut.packet", len(Value.cast(packet))) == Value.cast(packet)))
        for which, name in ((BIASES, "biases"), (BASES, "bases"), (RESIDUALS, "residuals")):
            width = (-(-BYTES[which] * LANES // STREAM_BYTES) - 1).bit_length()
            self.check(m, f"last_of_{name}", ~busy
                       | (self.look(f"dut.last_{name}", width) == beats[which]))
        self.check(m, "last_of_tags", ~busy | ~self.look("dut.last_tags"))
        in_block = busy & ((content == BASES) | (content == RESIDUALS))
        self.check(m, "tags", ~in_block | (self.look("dut.tags", BITS)
                                           == tags >> k_block[:BITS.bit_length() - 1]))
        self.check(m, "tags_in_time", ~busy | Mux(
            content == BIASES, k_block == 0, (content != TAGS) | (k_block % BITS == 0)))
        self.check(m, "residuals_of_mx9", ~(busy & (content == RESIDUALS)) | is_mx9)
        self._chunks(m, dut, take, beat_data, (content, beat, k_block), packet,
                     block_ends | ends & (content == BIASES), is_mx9, last_k)

    def _is_right(self, packet):
        return ((packet.lanes > 0) & (packet.lanes <= LANES)
                & (packet.k_blocks > 0) & (packet.k_blocks <= K_BLOCKS))

    def _chunks(self, m, dut, take, beat_data, at, packet, ends, is_mx9, last_k):
        """Compare a chunk with the beats that were taken for it; it waits until it is taken."""
        (content, beat, k_block), chunk = at, dut.o.p
        residual, place = self.free_constant(m, 1, "residual"), self.free_constant(m, 4, "place")
        brought, word = Signal(), Signal(BITS)  # the followed beat of this chunk
        begins = take & (beat == 0) & ((content == BIASES) | (content == BASES))
        with m.If(take & (content != TAGS) & (beat == place)
                  & (residual == (content == RESIDUALS))):
            m.d.sync += [brought.eq(1), word.eq(beat_data)]
        with m.Elif(begins):
            m.d.sync += brought.eq(0)
        offered, about = Signal(), Signal(chunk.shape())
        m.d.sync += offered.eq(Mux(take, ends, offered & ~dut.o.ready))
        with m.If(take):
            m.d.sync += [
                about.is_biases.eq(content == BIASES), about.is_mx9.eq(is_mx9),
                about.lanes.eq(packet.lanes), about.k_first.eq(k_block == 0),
                about.k_last.eq(last_k), about.job_last.eq(packet.job_last)]
        self.cover(m, "residuals", offered & residual & brought & (word != 0))
        self.check(m, "offers_whole_chunks", dut.o.valid == offered)
        self.check(m, "waits", ~(offered & ~dut.o.ready) | ~take)
        for name in ("is_biases", "is_mx9", "lanes", "k_first", "k_last", "job_last"):
            self.check(m, f"chunk_{name}", ~offered | (getattr(chunk, name) == getattr(about, name))
                       | (about.is_biases if name not in ("is_biases", "lanes") else 0))
        wide = Mux(residual, chunk.residual, chunk.base)
        own = Signal(BITS)
        m.d.comb += own.eq((wide >> (place * BITS))[:BITS])
        is_place = place < Mux(residual, -(-6 * LANES // STREAM_BYTES), 12 * LANES // STREAM_BYTES)
        is_there = ~(offered & is_place)
        lowest = Signal(BITS)
        m.d.comb += lowest.eq(Mux(brought, word, 0))
        cut = (1 << 8 * 6 * LANES - BITS * (6 * LANES // STREAM_BYTES)) - 1
        last_word = residual & (place == 6 * LANES // STREAM_BYTES)
        expected = Mux(last_word, lowest & cut, lowest)
        self.check(m, "bytes", is_there | (own == expected))
        holds = self.look("dut.busy") & ((content == BASES) & (beat != 0)
                                         | (content == BIASES) & (beat != 0)
                                         | (content == RESIDUALS))
        self.check(m, "bytes_so_far", ~(holds & is_place) | (own == expected))


PROOFS = (Proof(
    name="chunk_reader", make=ChunkReaderHarness, depth=1, steps=24,
    says="A packet has just the beats of its format, and the next begins with the beat behind; "
         "every beat stands at its place in its chunk, what does not come is zero; chunks "
         "come in order, one for each K-block and the biases, and wait until they are taken.",
    assumes="Packets have as many lanes and K-blocks as there can be.",
    bounds=f"{LANES} lanes, beats of {STREAM_BYTES} bytes, {K_BLOCKS} K-blocks. What `PacketGuard` "
           "hands on is what came: see its proof.",
    mutants=(Mutant(module.__name__, "(content == Content.BASES) & ~tags[0]",
                    "(content == Content.BASES)"),
             Mutant(module.__name__, "tags.eq(tags.shift_right(1))", "tags.eq(tags)"),
             Mutant(module.__name__, "busy & (~self.o.valid | self.o.ready)", "busy"),
             Mutant(module.__name__, "with m.Elif(begins):", "with m.Elif(0):"))),)
