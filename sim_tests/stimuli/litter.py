"""Garbage wherever a packet has room that nobody looks at: see `docs/packets.md`."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from golden.formats import BLOCK_SIZE
from golden.planes import BASE_BYTES, RESIDUAL_BYTES
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from hw.host.job_request import Job
from sim_tests.stimuli.broken_packets import Delivery, Packet


def litter(config: Config, rng: np.random.Generator, job: Job, delivery: Delivery) -> Delivery:
    """Fill what packets do not use with garbage: what counts of them stays.

    That is what fills biases, bases and residuals up to whole beats, precision bits of K-blocks
    that are not there, and the bytes behind a row's numbers in its last beat.
    """
    packets = dict(delivery.packets)
    if job.kind is JobKind.GEMM_PACKED:
        packets["s_axis_act"] = tuple(
            _littered(rng, packet, unused_bits(job, packet.data, lines, config.act_bytes))
            for packet, lines in zip(packets["s_axis_act"], _lines(job.m, config.rows),
                                     strict=True))
    else:
        packets["s_axis_act"] = tuple(_littered_row(rng, packet, config.act_bytes)
                                      for packet in packets["s_axis_act"])
    if packets["s_axis_wgt"]:
        tiles = list(_lines(job.n, config.cols))
        packets["s_axis_wgt"] = tuple(
            _littered(rng, packet, unused_bits(
                job, packet.data, tiles[index % len(tiles)], config.weight_bytes, job.bias))
            for index, packet in enumerate(packets["s_axis_wgt"]))
    return replace(delivery, packets=packets)


def unused_bits(job: Job, packet: bytes, lines: int, width: int, has_bias: bool = False) -> bytes:
    """Mark the bits that a packed tile does not use: of as many bytes as the packet has.

    Parameters
    ----------
    job : Job
    packet : bytes
        It may end anywhere; behind what the job asks for nothing is marked.
    lines : int
        Of the tile.
    width : int
        Bytes of a beat.
    has_bias : bool
    """
    blocks, marks = -(-job.k // BLOCK_SIZE), bytearray()

    def take(count: int) -> None:
        marks.extend(bytes(count) + b"\xff" * (-count % width))

    if has_bias:
        take(4 * lines)
    for block in range(blocks):
        if block % (8 * width) == 0:
            tags = int.from_bytes(packet[len(marks) : len(marks) + width], "little")
            there = (1 << min(8 * width, blocks - block)) - 1
            marks.extend((~there & ((1 << 8 * width) - 1)).to_bytes(width, "little"))
        take(BASE_BYTES * lines)
        if tags >> block % (8 * width) & 1:
            take(RESIDUAL_BYTES * lines)
    return bytes(marks[: len(packet)].ljust(len(packet), b"\0"))


def filled(rng: np.random.Generator, packet: bytes, unused: bytes) -> bytes:
    """Put garbage into the bits that are marked, as by `unused_bits`."""
    data, mask = (np.frombuffer(each, np.uint8) for each in (packet, unused))
    return (data & ~mask | rng.integers(0, 256, len(data), np.uint8) & mask).tobytes()


def _lines(count: int, lanes: int) -> Iterator[int]:
    """Give the lines of each tile."""
    return (min(lanes, count - first) for first in range(0, count, lanes))


def _littered(rng: np.random.Generator, packet: Packet, unused: bytes) -> Packet:
    return replace(packet, data=filled(rng, packet.data, unused))


def _littered_row(rng: np.random.Generator, packet: Packet, width: int) -> Packet:
    """Fill a row's last beat."""
    end = len(packet.counts)
    missing = -end % width
    keep = packet.keep + (False,) * (end + missing - len(packet.keep))
    return replace(packet, data=packet.data[:end] + rng.bytes(missing)
                   + packet.data[end + missing:], keep=keep)
