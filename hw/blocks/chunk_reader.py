"""Reads packets of packed operands, and hands out what belongs together."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from golden.formats import FP32
from hw.contract.block_bits import BASE_BLOCK_BITS, RESIDUAL_BLOCK_BITS
from hw.contract.job import report_signature
from hw.parts.ring import index_signal
from hw.streams.packet_guard import PacketGuard, beat_layout, gather_faults


class Content(enum.Enum, shape=2):
    """What a beat of a packet holds."""

    BIASES = 0
    TAGS = 1
    BASES = 2
    RESIDUALS = 3


def packet_layout(lanes, k_blocks_max):
    """Describe what a packet will bring.

    Members
    -------
    lanes : unsigned
        Lines of the operand side by side, 1 to `lanes`.
    k_blocks : unsigned
        Blocks of each, 1 to `k_blocks_max`.
    has_biases : unsigned(1)
        Biases come first.
    job_last : unsigned(1)
        It is the last packet of its job.
    """
    return data.StructLayout({
        "lanes": bits_for(lanes), "k_blocks": bits_for(k_blocks_max), "has_biases": 1,
        "job_last": 1,
    })


def chunk_layout(lanes):
    """Describe the biases of a packet, or one of its K-blocks.

    Members
    -------
    base : unsigned(96 * lanes)
        Base blocks, lane 0 lowest; or, in the lowest 32 * lanes bits, biases. Beats that the packet
        does not bring are zero.
    residual : unsigned(48 * lanes)
        Residual blocks, lane 0 lowest. Zero in an MX6 K-block, and as above.
    is_biases : unsigned(1)
        `base` holds biases; the members below mean nothing.
    is_mx9 : unsigned(1)
    lanes : unsigned
        As in `packet_layout`.
    k_first, k_last, job_last : unsigned(1)
        The K-block is the packet's first, its last; the packet is the last of its job.
    """
    return data.StructLayout({
        "base": BASE_BLOCK_BITS * lanes, "residual": RESIDUAL_BLOCK_BITS * lanes,
        "is_biases": 1, "is_mx9": 1, "lanes": bits_for(lanes),
        "k_first": 1, "k_last": 1, "job_last": 1,
    })


def last_beats(m, lanes, *, most, beat_bytes):
    """Number the last beat that a packet takes for each of its contents, from 0.

    Parameters
    ----------
    m : Module
        Receives the logic.
    lanes : Value
        Lines of the operand in the packet, 1 to `most`.
    most : int
    beat_bytes : int
        A power of two.

    Returns
    -------
    dict of Content to Signal
    """
    numbers = {Content.TAGS: Signal(name="last_of_tags")}
    for content, bits in ((Content.BIASES, FP32.width), (Content.BASES, BASE_BLOCK_BITS),
                          (Content.RESIDUALS, RESIDUAL_BLOCK_BITS)):
        beats = -(-bits * most // (8 * beat_bytes))
        number = index_signal(beats, f"last_of_{content.name.lower()}")
        m.d.comb += number.eq((lanes * (bits // 8) - 1)[exact_log2(beat_bytes):])
        numbers[content] = number
    return numbers


class ChunkReader(wiring.Component):
    """Read packets; hand out the biases of each, then its K-blocks, all lanes side by side.

    A packet is: if it has biases, 4 bytes per lane, filled up to whole beats; then for K-block 0,
    1, …: before every ``8 * stream_bytes``-th K-block one beat of precision bits (bit j for the
    j-th K-block from here); the base blocks of the lanes, 12 bytes each, filled up to whole beats;
    and, where the precision bit is set, their residuals, 6 bytes each, filled up to whole beats.

    One beat per cycle, also from packet to packet. A chunk appears at ``o`` the cycle after its
    last beat, and stalls ``i`` until it is taken.

    Parameters
    ----------
    lanes : int
        Most lines of the operand in a packet.
    stream_bytes : int
        Width of tdata in bytes.
    k_blocks_max : int
        Most K-blocks in a packet.
    surplus : bool
        What follows a packet up to its last beat is dropped, and no fault.

    Members
    -------
    packets : In(stream of packet_layout)
        One for each packet. The next is taken with the last beat of the one before.
    i : In(stream of beat_layout)
    o : Out(stream of chunk_layout)
    faults : Out(2)
        Length, tkeep: see `PacketGuard`. What is missing from a packet counts as zeros.
    job_faults : Out(report_signature(2))
        All of a job's, with its last beat.
    """

    def __init__(self, *, lanes, stream_bytes, k_blocks_max, surplus=False):
        self.surplus = surplus
        self.lanes, self.stream_bytes, self.k_blocks_max = lanes, stream_bytes, k_blocks_max
        super().__init__({
            "packets": In(stream.Signature(packet_layout(lanes, k_blocks_max))),
            "i": In(stream.Signature(beat_layout(stream_bytes))),
            "o": Out(stream.Signature(chunk_layout(lanes))),
            "faults": Out(2), "job_faults": Out(report_signature(2)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.guard = guard = PacketGuard(stream_bytes=self.stream_bytes)
        wiring.connect(m, wiring.flipped(self.i), guard.i)
        bad_length = guard.bad_length & guard.i.p.last if self.surplus else guard.bad_length
        m.d.comb += [self.faults.eq(Cat(bad_length, guard.bad_keep)),
                     guard.keep.eq(Const(1, 1).replicate(self.stream_bytes))]

        packet = Signal(self.packets.p.shape(), reset_less=True)
        busy = Signal()
        content = Signal(Content)
        coming = last_beats(m, self.packets.p.lanes, most=self.lanes, beat_bytes=self.stream_bytes)
        last = {which: Signal.like(number, name=f"last_{which.name.lower()}", reset_less=True)
                for which, number in coming.items()}
        beat = Signal.like(coming[Content.BASES], name="beat")  # within its content
        k_block = index_signal(self.k_blocks_max, "k_block")
        tags = Signal(8 * self.stream_bytes, reset_less=True)  # bit 0: of this K-block

        take = Signal()
        k_last = Signal()
        content_ends = Signal()
        block_ends = Signal()
        packet_ends = Signal()
        m.d.comb += [
            guard.o.ready.eq(busy & (~self.o.valid | self.o.ready)),
            take.eq(guard.o.valid & guard.o.ready),
            k_last.eq(k_block == packet.k_blocks - 1),
            block_ends.eq(content_ends & (
                (content == Content.RESIDUALS) | (content == Content.BASES) & ~tags[0])),
            packet_ends.eq(block_ends & k_last),
            guard.is_final.eq(packet_ends),
        ]
        with m.Switch(content):
            for which, number in last.items():
                with m.Case(which):
                    m.d.comb += content_ends.eq(beat == number)

        with m.If(take):
            m.d.sync += beat.eq(Mux(content_ends, 0, beat + 1))
            with m.If(content == Content.TAGS):
                m.d.sync += tags.eq(guard.o.p)
            with m.If(content_ends):
                with m.Switch(content):
                    with m.Case(Content.BIASES):
                        m.d.sync += content.eq(Content.TAGS)
                    with m.Case(Content.TAGS):
                        m.d.sync += content.eq(Content.BASES)
                    with m.Case(Content.BASES):
                        m.d.sync += content.eq(Content.RESIDUALS)
            with m.If(block_ends):
                m.d.sync += [content.eq(Content.BASES), tags.eq(tags.shift_right(1)),
                             k_block.eq(Mux(k_last, 0, k_block + 1))]
                with m.If(k_block[:exact_log2(len(tags))].all()):
                    m.d.sync += content.eq(Content.TAGS)
        m.d.comb += self.packets.ready.eq(~busy | take & packet_ends)
        with m.If(self.packets.ready):
            m.d.sync += [busy.eq(self.packets.valid), packet.eq(self.packets.p),
                         content.eq(Content.TAGS),
                         *(last[which].eq(number) for which, number in coming.items())]
            with m.If(self.packets.p.has_biases):
                m.d.sync += content.eq(Content.BIASES)
        gather_faults(m, self.faults, take & packet_ends & packet.job_last, self.job_faults)

        self._gather(m, guard.o.p, take, content, beat)
        self._offer(m, take, block_ends, content == Content.BIASES, content_ends, {
            "is_mx9": tags[0], "lanes": packet.lanes, "k_first": k_block == 0, "k_last": k_last,
            "job_last": packet.job_last})
        return m

    def _offer(self, m, take, block_ends, in_biases, content_ends, facts):
        """Offer a chunk the cycle after its last beat, with what is known of it."""
        is_biases = Signal()
        m.d.comb += is_biases.eq(in_biases)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(take):
            m.d.sync += self.o.valid.eq(block_ends | is_biases & content_ends)
        for name, value in {"is_biases": is_biases, **facts}.items():
            held = Signal.like(self.o.p[name], name=name, reset_less=True)
            m.d.comb += self.o.p[name].eq(held)
            with m.If(take):
                m.d.sync += held.eq(value)

    def _gather(self, m, beat_data, take, content, beat):
        """Lay the beats of a chunk side by side; what does not come stays zero."""
        gathers_base = Signal()
        gathers_residual = Signal()
        begins = Signal()
        m.d.comb += [
            gathers_base.eq(take & ((content == Content.BIASES) | (content == Content.BASES))),
            gathers_residual.eq(take & (content == Content.RESIDUALS)),
            begins.eq(gathers_base & (beat == 0)),
        ]
        width = len(beat_data)
        for name, gathers in (("base", gathers_base), ("residual", gathers_residual)):
            gathered = Signal.like(self.o.p[name], name=name, reset_less=True)
            m.d.comb += self.o.p[name].eq(gathered)
            for index, first in enumerate(range(0, len(gathered), width)):
                word = gathered[first:first + width]
                with m.If(gathers & (beat == index)):
                    m.d.sync += word.eq(beat_data)
                with m.Elif(begins):
                    m.d.sync += word.eq(0)
