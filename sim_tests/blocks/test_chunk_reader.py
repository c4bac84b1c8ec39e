"""Packets to biases and K-blocks: every number of lanes, stalls, speed, nothing that moves idly."""

from dataclasses import dataclass, field

import cocotb
import pytest
from cocotb.triggers import gather

from hw.blocks.chunk_reader import ChunkReader, chunk_layout, packet_layout
from hw.contract.block_bits import BASE_BLOCK_BITS, RESIDUAL_BLOCK_BITS
from sim_tests import bench, drive
from sim_tests.stimuli.operands import packet_words

BIAS_BYTES, BASE_BYTES, RESIDUAL_BYTES = 4, 12, 6
"""Of a lane: docs/packets.md."""


@dataclass
class Packet:
    """A packet of random bits, and the chunks that it brings.

    Attributes
    ----------
    fields : dict of str to int
        As in `packet_layout`.
    octets : bytearray
    chunks : list of dict
        Each as in `chunk_layout`; of biases without what means nothing beside them.
    last_beats : list of int
        Number of each chunk's last beat, from 0.
    """

    fields: dict[str, int]
    octets: bytearray = field(default_factory=bytearray)
    chunks: list[dict[str, int]] = field(default_factory=list)
    last_beats: list[int] = field(default_factory=list)


def draw_packet(rng, *, job_last=0):
    """Draw a packet: what only fills a beat up is garbage too."""
    limits = drive.parameters()
    stream_bytes, blocks = limits["stream_bytes"], limits["k_blocks_max"]
    lanes, has_biases = int(rng.integers(1, limits["lanes"] + 1)), int(rng.integers(0, 2))
    k_blocks = blocks if rng.random() < 0.2 else int(rng.integers(1, min(blocks, 12) + 1))
    packet = Packet({"lanes": lanes, "k_blocks": k_blocks, "has_biases": has_biases,
                     "job_last": job_last})

    def content(lane_bytes):
        """Add so many bytes of each lane in whole beats; return them as a number."""
        drawn = rng.bytes(-(-lanes * lane_bytes // stream_bytes) * stream_bytes)
        packet.octets += drawn
        return int.from_bytes(drawn, "little")

    def ends_chunk(**chunk):
        packet.chunks.append(chunk)
        packet.last_beats.append(len(packet.octets) // stream_bytes - 1)

    base_bits, residual_bits = (
        (1 << bits * limits["lanes"]) - 1 for bits in (BASE_BLOCK_BITS, RESIDUAL_BLOCK_BITS))
    if has_biases:
        ends_chunk(base=content(BIAS_BYTES) & base_bits, residual=0, is_biases=1)
    for k_block in range(k_blocks):
        if k_block % (8 * stream_bytes) == 0:
            tags = rng.bytes(stream_bytes)
            packet.octets += tags
        is_mx9 = int.from_bytes(tags, "little") >> k_block % (8 * stream_bytes) & 1
        base = content(BASE_BYTES)
        residual = content(RESIDUAL_BYTES) if is_mx9 else 0
        ends_chunk(base=base & base_bits, residual=residual & residual_bits, is_biases=0,
                   is_mx9=is_mx9, lanes=lanes, k_first=int(k_block == 0),
                   k_last=int(k_block == k_blocks - 1), job_last=job_last)
    return packet


async def stays_without_a_beat(dut):
    """Watch for ever: registers of the chunk load nothing while no beat comes."""
    before = None
    while True:
        taken = int(dut.i__valid.value) and int(dut.i__ready.value)
        await drive.ticks(dut, 1)
        now = int(dut.o__payload.value)
        assert taken or before in (None, now), "the chunk changed without a beat"
        before = now


async def read(dut, packets, idle=0.0, stall=0.0):
    """Send packets, compare every chunk, and return the cycle in which each came."""
    limits = drive.parameters()
    layout = chunk_layout(limits["lanes"])
    await drive.reset(dut)
    came_at = []

    async def follow():
        while True:
            await drive.ticks(dut, 1)
            if int(dut.o__valid.value) and int(dut.o__ready.value):
                came_at.append(drive.cycle())

    for watch in (follow, lambda: stays_without_a_beat(dut)):
        cocotb.start_soon(watch())
    heads = [drive.pack(packet_layout(limits["lanes"], limits["k_blocks_max"]), packet.fields)[0]
             for packet in packets]
    beats = [word for packet in packets
             for word in packet_words(bytes(packet.octets), limits["stream_bytes"])]
    chunks = [chunk for packet in packets for chunk in packet.chunks]
    words, *_ = await gather(
        drive.receive(dut, "o", len(chunks), stall), drive.send(dut, "packets", heads, idle),
        drive.send(dut, "i", beats, idle))
    for number, (chunk, came) in enumerate(zip(chunks, map(layout.from_bits, words), strict=True)):
        assert {name: came[name] for name in chunk} == chunk, f"chunk {number}"
    await drive.ticks(dut, 10)
    assert not int(dut.o__valid.value), "a chunk too many"
    return came_at


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def hands_out_what_packets_bring(dut, idle, stall):
    rng = drive.rng()
    count = drive.amount(40, 400)
    packets = [draw_packet(rng, job_last=number % 3 == 2) for number in range(count)]
    await read(dut, packets, idle, stall)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def takes_a_beat_each_cycle(dut):
    rng = drive.rng()
    packets = [draw_packet(rng) for _ in range(20)]
    came_at = await read(dut, packets)
    expected, first = [], 0
    for packet in packets:
        expected += [first + beat for beat in packet.last_beats]
        first += len(packet.octets) // drive.parameters()["stream_bytes"]
    assert [cycle - came_at[0] for cycle in came_at] == [beat - expected[0] for beat in expected]


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    rng = drive.rng()
    await read(dut, [draw_packet(rng) for _ in range(5)], **{side: drive.LongPause(9, 400)})


@pytest.mark.parametrize("lanes, stream_bytes, k_blocks_max", [
    (3, 8, 70),  # 70 K-blocks need two beats of precision bits
    (4, 64, 9),  # one beat of bases, or of residuals
    (1, 2, 17),  # a block takes six beats
])
def test_chunk_reader(lanes, stream_bytes, k_blocks_max):
    limits = {"lanes": lanes, "stream_bytes": stream_bytes, "k_blocks_max": k_blocks_max}
    bench.simulate(ChunkReader(**limits), __name__, f"chunk_reader_{lanes}_{stream_bytes}",
                   parameters=limits)
