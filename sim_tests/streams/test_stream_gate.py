"""The stream ports through an abort: what is dropped, what stays offered, how packets end."""

from dataclasses import dataclass
from itertools import pairwise

import cocotb
import numpy as np

from hw.streams.packet_guard import beat_layout
from hw.streams.stream_gate import InputGate, OutputHold
from sim_tests import bench, drive

BYTES = 4
LAYOUT = beat_layout(BYTES)
LAST = 1 << 9 * BYTES
ENDING = LAST
"""The beat that ends a cut packet: last, no data, keep zero."""

SCATTERING = 0x9E3779B1
"""Odd, so that its multiples differ as long as what it is multiplied with does."""


@dataclass
class Cycle:
    """What was seen at one rising edge: each side's beat, None where there is none, and drain.

    ``pending`` is an output hold's, 0 of a gate.
    """

    i: int | None
    i_ready: int
    o: int | None
    o_ready: int
    drain: int
    pending: int


def draw_words(rng, count):
    """Draw packets of one to six beats, data never the same twice, and of any bits."""
    words = []
    while len(words) < count:
        length = int(rng.integers(1, 7))
        words += [int(rng.integers(1, 16)) << 8 * BYTES
                  | (len(words) + index) * SCATTERING % (1 << 8 * BYTES)
                  | (LAST if index == length - 1 else 0) for index in range(length)]
    return words


def drain_pulses(rng, cycles, often):
    """Draw when drain is set: pulses of one to twelve cycles."""
    drain = np.zeros(cycles, int)
    for start in np.flatnonzero(rng.random(cycles) < often):
        drain[start : start + int(rng.integers(1, 13))] = 1
    return drain.tolist()


async def observe(dut, words, drains, idle=0.0, stall=0.0, withdraws=False):
    """Drive one cycle after the other and return what was seen in each.

    A source keeps a beat offered until it is taken. One that withdraws goes on, while drain is
    set, with another beat or none: the first of the next packet.
    """
    await drive.reset(dut)
    rng, seen = drive.rng("pauses"), []
    at, offers = 0, False
    for drain in drains:
        if drain and withdraws:
            while at and not words[at - 1] & LAST:
                at += 1
            offers = False
        offers = offers or rng.random() >= idle
        dut.drain.value = drain
        dut.i__valid.value, dut.i__payload.value = int(offers), words[at]
        dut.o__ready.value = int(rng.random() >= stall)
        await drive.ticks(dut, 1)
        now = Cycle(words[at] if offers else None, int(dut.i__ready.value),
                    int(dut.o__payload.value) if int(dut.o__valid.value) else None,
                    int(dut.o__ready.value), drain,
                    int(dut.pending.value) if hasattr(dut, "pending") else 0)
        seen.append(now)
        if offers and now.i_ready and not (drain and withdraws):
            at, offers = at + 1, False
    return seen


def taken(seen, side):
    """List the beats that changed hands on a side, with the number of their cycle."""
    return [(number, getattr(now, side)) for number, now in enumerate(seen)
            if getattr(now, side) is not None and getattr(now, f"{side}_ready")]


def split_packets(beats):
    """Cut (cycle, beat) pairs into packets; the last may be without its end."""
    packets = [[]]
    for number, beat in beats:
        packets[-1].append((number, beat))
        if beat & LAST:
            packets.append([])
    return packets


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5], often=[0.0, 0.02, 0.2])
async def gate_drops_whole_rests_of_packets(dut, idle, stall, often):
    rng, cycles = drive.rng(), drive.amount(1500, 30_000)
    drains = drain_pulses(rng, cycles, often)
    seen = await observe(dut, draw_words(rng, cycles), drains, idle, stall)
    # A beat passes unless drain was set at it or since the packet's first beat was taken.
    expected = [(number, beat) for packet in split_packets(taken(seen, "i"))
                for number, beat in packet if not any(drains[packet[0][0] : number + 1])]
    assert taken(seen, "o") == expected
    assert all(now.i_ready for now in seen if now.drain), "a beat waits while drain is set"
    assert not any(now.drain and now.o is not None for now in seen), "offered while drain is set"
    if not (idle or stall):
        assert len(taken(seen, "i")) == cycles, "not one beat per cycle"
    assert len(expected) > cycles / 50 and (len(expected) < len(taken(seen, "i")) or not often)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5, 0.9], often=[0.0, 0.02, 0.2])
async def hold_keeps_what_it_took_and_ends_what_was_cut(dut, idle, stall, often):
    rng, cycles = drive.rng(), drive.amount(1500, 30_000)
    drains = drain_pulses(rng, cycles, often) + [0] * 10
    seen = await observe(dut, draw_words(rng, cycles + 8 * sum(drains) + 20), drains, idle, stall,
                         withdraws=True)
    expected, is_inside, cuts, out = [], False, 0, 0
    for now in seen:
        assert now.pending == (is_inside or out < len(expected))
        out += now.o is not None and now.o_ready
        if now.drain and is_inside:
            expected.append(ENDING)
            is_inside, cuts = False, cuts + 1
        if now.i is not None and now.i_ready and not now.drain:
            expected.append(now.i)
            is_inside = not now.i & LAST
    left = [beat for _, beat in taken(seen, "o")]
    assert left == expected[: len(left)] and len(left) >= len(expected) - 2
    assert bool(cuts) == bool(often)
    for before, now in pairwise(seen):
        if before.o is not None and not before.o_ready:
            assert now.o == before.o, "an offered beat changed or went away"
    if not (idle or stall or often):
        assert len(left) == len(drains) - 1, "not one beat per cycle, one cycle later"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def hold_ends_a_cut_packet_even_if_drain_was_short_and_the_sink_slow(dut):
    words = [1, 2, 3, 4 | LAST, 5, 6 | LAST]
    await drive.reset(dut)
    sending = cocotb.start_soon(drive.send(dut, "i", words[:2]))
    await drive.ticks(dut, 5)  # both entries are taken, nothing leaves
    assert sending.done()
    dut.drain.value = 1
    await drive.ticks(dut, 1)
    dut.drain.value = 0
    sending = cocotb.start_soon(drive.send(dut, "i", words[4:]))
    await drive.ticks(dut, 10)
    assert not sending.done(), "the next packet is taken before the cut one has ended"
    assert await drive.receive(dut, "o", 5) == [1, 2, ENDING, 5, 6 | LAST]


def test_input_gate():
    bench.simulate(InputGate(stream_bytes=BYTES), __name__, "input_gate", only=r"\.gate_")


def test_output_hold():
    bench.simulate(OutputHold(stream_bytes=BYTES), __name__, "output_hold", only=r"\.hold_")
