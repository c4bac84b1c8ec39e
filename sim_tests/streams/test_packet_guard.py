"""Packets of the wrong length or tkeep: what passes, is filled up, is dropped, is flagged."""

from dataclasses import dataclass, field

import cocotb
from cocotb.triggers import gather

from hw.streams.packet_guard import PacketGuard
from sim_tests import bench, drive

BYTES = 4
PATIENCE = 2_000
"""Cycles without a beat after which the stream counts as hung."""


@dataclass
class Packet:
    """What arrives, what was wanted of it, and what each wanted beat's tkeep should have been."""

    wanted: int
    beats: list[int]
    keeps: list[int]
    wanted_keeps: list[int]
    expected: list[int] = field(init=False)

    def __post_init__(self):
        self.expected = (self.beats + [0] * self.wanted)[: self.wanted]

    @property
    def is_bad(self):
        return len(self.beats) != self.wanted

    @property
    def bad_keeps(self):
        """Beats that pass with the wrong tkeep."""
        return sum(got != right for got, right in zip(self.keeps, self.wanted_keeps, strict=False))

    def words(self):
        """Pack the beats that arrive."""
        last = len(self.beats) - 1
        return [data | keep << 8 * BYTES | (index == last) << 9 * BYTES
                for index, (data, keep) in enumerate(zip(self.beats, self.keeps, strict=True))]


def draw_packet(rng, wanted, real, keep_is_right=True):
    """Draw a packet of `real` beats where `wanted` were expected."""
    beats = [int(rng.integers(1, 1 << 32)) for _ in range(real)]
    wanted_keeps = [(1 << BYTES) - 1] * (wanted - 1) + [(1 << int(rng.integers(1, BYTES + 1))) - 1]
    keeps = (wanted_keeps + [15] * real)[:real]
    if not keep_is_right:
        keeps[int(rng.integers(min(wanted, real)))] ^= int(rng.integers(1, 16))
    return Packet(wanted, beats, keeps, wanted_keeps)


async def consume(dut, packets, stall):
    """Take as many beats per packet as wanted, counting along as a consumer does."""
    received, quiet = [], 0
    generator = drive.rng("stall")
    for packet in packets:
        for index in range(packet.wanted):
            dut.is_final.value = index == packet.wanted - 1
            dut.keep.value = packet.wanted_keeps[index]
            while True:
                taking = generator.random() >= stall
                dut.o__ready.value = int(taking)
                await drive.ticks(dut, 1)
                if taking and int(dut.o__valid.value):
                    break
                quiet += 1
                assert quiet < PATIENCE, f"hung after {len(received)} beats"
            received.append(int(dut.o__payload.value))
            quiet = 0
    dut.o__ready.value = 0
    return received


async def count_flags(dut, flags):
    """Count the cycles of each flag."""
    while True:
        await drive.ticks(dut, 1)
        for name in flags:
            flags[name] += int(getattr(dut, name).value)


async def guard(dut, packets, idle=0.0, stall=0.0):
    """Run packets through and compare what the consumer got, and the flags."""
    await drive.reset(dut)
    flags = {"bad_length": 0, "bad_keep": 0}
    cocotb.start_soon(count_flags(dut, flags))
    words = [word for packet in packets for word in packet.words()]
    start = drive.cycle()
    received, _ = await gather(consume(dut, packets, stall), drive.send(dut, "i", words, idle))
    cycles = drive.cycle() - start
    await drive.ticks(dut, 2)
    expected = [beat for packet in packets for beat in packet.expected]
    drive.compare(received, expected, "o", idle=idle, stall=stall)
    assert flags == {"bad_length": sum(packet.is_bad for packet in packets),
                     "bad_keep": sum(packet.bad_keeps for packet in packets)}
    return cycles


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def passes_good_packets_one_beat_per_cycle(dut):
    rng = drive.rng()
    packets = [draw_packet(rng, length, length) for length in (1, 1, 2, 7, 1, 30)]
    assert await guard(dut, packets) == sum(packet.wanted for packet in packets)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(real=[1, 3, 4, 5, 6, 12])
async def is_in_step_again_after_a_packet_of_the_wrong_length(dut, real):
    rng = drive.rng()
    await guard(dut, [draw_packet(rng, 5, length) for length in (5, real, 5, 5, real, real, 5)])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def flags_each_beat_with_a_wrong_keep(dut):
    rng = drive.rng()
    packets = [draw_packet(rng, length, length, is_right)
               for length in (1, 2, 6) for is_right in (False, True, False, False)]
    await guard(dut, packets)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def handles_any_mix_of_packets(dut, idle, stall):
    rng, packets = drive.rng(), []
    for _ in range(drive.amount(150, 3_000)):
        wanted = int(rng.integers(1, 8))
        real = wanted if rng.random() < 0.5 else int(rng.integers(1, 12))
        packets.append(draw_packet(rng, wanted, real, rng.random() < 0.8))
    await guard(dut, packets, idle, stall)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(real=[2, 9])
async def survives_a_long_pause_in_a_bad_packet(dut, real):
    rng = drive.rng()
    packets = [draw_packet(rng, 5, length) for length in (5, real, 5)]
    await guard(dut, packets, idle=drive.LongPause(6, 300))


def test_packet_guard():
    bench.simulate(PacketGuard(stream_bytes=BYTES), __name__, "packet_guard")
