"""Packed tiles in memory: where one ends, and that nobody looks at what fills it up."""

import numpy as np
import pytest

from golden import MX6, MX9, quantize
from golden.memory.faults import CommandError, Fault
from golden.memory.layouts import longest_packet, take_packet
from golden.packing import activation_tiles
from golden.precision import mix

SIZES = [(lines, k, beat) for lines in (1, 3, 8) for k in (1, 16, 100, 1100) for beat in (8, 32)]


def packet_of(lines, k, beat, share, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((lines, k)).astype(np.float32)
    tags = rng.random(-(-k // 16)) < share
    tensor = mix(quantize(x, MX6), quantize(x, MX9), np.broadcast_to(tags, (lines, len(tags))))
    return activation_tiles(tensor, lines, beat)[0], tags


@pytest.mark.parametrize("lines, k, beat", SIZES)
@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_a_packet_is_found_in_what_follows_it(lines, k, beat, share):
    packet, _ = packet_of(lines, k, beat, share)
    assert len(packet) <= longest_packet(lines, k, beat)
    assert (len(packet) == longest_packet(lines, k, beat)) or share < 1
    assert take_packet(packet + b"\xff" * 500, lines, k, beat) == packet
    assert take_packet(packet, lines, k, beat) == packet


@pytest.mark.parametrize("lines, k, beat", SIZES)
def test_nobody_looks_at_what_fills_beats_up(lines, k, beat):
    packet, tags = packet_of(lines, k, beat, 0.5)
    littered, at = bytearray(packet), 0
    for block, is_mx9 in enumerate(tags):
        used = [12 * lines] + [6 * lines] * int(is_mx9)
        if block % (8 * beat) == 0:
            for bit in range(len(tags) - block, 8 * beat):
                littered[at + bit // 8] |= 1 << bit % 8
            at += beat
        for size in used:
            whole = -(-size // beat) * beat
            littered[at + size : at + whole] = b"\xee" * (whole - size)
            at += whole
    assert take_packet(bytes(littered), lines, k, beat) == packet


@pytest.mark.parametrize("lines, k, beat", SIZES)
def test_a_packet_that_is_cut_off_is_overlong(lines, k, beat):
    packet, _ = packet_of(lines, k, beat, 0.5)
    for end in {0, beat - 1, len(packet) // 2, len(packet) - 1} & set(range(len(packet))):
        with pytest.raises(CommandError) as error:
            take_packet(packet[:end], lines, k, beat)
        assert error.value.fault is Fault.OVERLONG
