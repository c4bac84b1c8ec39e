"""Packets that do not fit their job, and what a machine that follows the rules makes of them."""

from dataclasses import dataclass, replace

import numpy as np
from cocotbext.axi import AxiStreamFrame

from golden.floats import float_bits
from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from golden.planes import BASE_BYTES, RESIDUAL_BYTES
from golden.unpacking import read_activation_tiles, read_weight_stream
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from hw.host.packet_order import activation_packets, packed_result_chunks, weight_passes
from hw.host.results import Results
from hw.host.work import Work, act_packets, weight_packets
from hw.registers.map import StreamFault
from simulation.works.expected import expected_results

WAYS = ("early", "late", "keep")
"""A packet has too few beats, too many, or a beat with another tkeep than it must have."""

NO_FAULT = StreamFault(0)


@dataclass(frozen=True)
class Packet:
    """A packet as it is sent, and the bytes of it that count."""

    data: bytes
    keep: tuple[bool, ...]
    counts: bytes

    def frame(self) -> AxiStreamFrame:
        """Make what a source sends."""
        return AxiStreamFrame(self.data, tkeep=list(self.keep))


def whole(packet: bytes) -> Packet:
    """Send a packet as it must be."""
    return Packet(packet, (True,) * len(packet), packet)


def break_packet(rng: np.random.Generator, packet: bytes, how: str, width: int) -> Packet:
    """Spoil a packet.

    Parameters
    ----------
    rng : numpy.random.Generator
    packet : bytes
    how : str
        Of `WAYS`; of one beat there is no "early".
    width : int
        Bytes of a beat.
    """
    beats = -(-len(packet) // width)
    keep = np.arange(beats * width) < len(packet)
    data = packet.ljust(beats * width, b"\0")
    match how:
        case "early":
            kept = width * int(rng.integers(1, beats))
            return Packet(data[:kept], (True,) * kept, packet[:kept])
        case "late":
            more = width * int(rng.integers(1, 2 * beats + 4))
            rest = tuple(map(bool, rng.random(more) < rng.random()))
            return Packet(data + rng.bytes(more), (*map(bool, keep), *rest), packet)
        case "keep":
            beat = keep.reshape(beats, width)[int(rng.integers(beats))]
            wrong = rng.random(width) < rng.random()
            wrong[rng.integers(width)] ^= not wrong.any()
            beat ^= wrong
            return Packet(data, tuple(map(bool, keep)), packet)
        case _:
            raise ValueError(f"a packet can't be broken {how!r}")


@dataclass(frozen=True)
class Delivery:
    """The packets of a job by stream, those of B for every pass over it; and their faults."""

    packets: dict[str, tuple[Packet, ...]]
    faults: StreamFault = NO_FAULT


def deliver(config: Config, work: Work) -> Delivery:
    """Deliver a job's packets as they must be."""
    weights = weight_packets(config, work) * weight_passes(config, work.job)
    return Delivery({"s_axis_act": tuple(map(whole, act_packets(config, work))),
                     "s_axis_wgt": tuple(map(whole, weights))})


def spoil(
    config: Config, rng: np.random.Generator, delivery: Delivery, stream: str, index: int, how: str
) -> Delivery:
    """Break one packet of a delivery, the `index`-th of its stream.

    `how` is of `WAYS`; a packet of one beat, which can't end early, ends late.
    """
    width, length, keep = {
        "s_axis_act": (config.act_bytes, StreamFault.ACT_LENGTH, StreamFault.ACT_KEEP),
        "s_axis_wgt": (config.weight_bytes, StreamFault.WEIGHT_LENGTH, StreamFault.WEIGHT_KEEP),
    }[stream]
    packets = list(delivery.packets[stream])
    right = packets[index].counts
    if how == "early" and len(right) <= width:
        how = "late"
    packets[index] = break_packet(rng, right, how, width)
    return Delivery(delivery.packets | {stream: tuple(packets)},
                    delivery.faults | (keep if how == "keep" else length))


def spoil_some(config: Config, rng: np.random.Generator, delivery: Delivery) -> Delivery:
    """Break one to three packets of a delivery, often the last of a stream."""
    counts = {stream: len(packets) for stream, packets in delivery.packets.items() if packets}
    places = {(stream, index) for stream, count in counts.items() for index in range(count)}
    lasts = {(stream, count - 1) for stream, count in counts.items()}
    # A long packet at the end of a job must not run into the next one.
    chosen = rng.permutation(sorted(lasts if rng.random() < 0.4 else places))
    for stream, index in chosen[: rng.integers(1, 4)]:
        delivery = spoil(config, rng, delivery, stream, int(index), str(rng.choice(WAYS)))
    return delivery


def received_work(config: Config, work: Work, delivery: Delivery) -> Work:
    """Say what activations the machine makes of a delivery: zeros stand for what did not come."""
    job, packets = work.job, [packet.counts for packet in delivery.packets["s_axis_act"]]
    if job.kind is JobKind.GEMM_PACKED:
        filled = [fill_up(packet, min(config.rows, job.m - index * config.rows),
                          -(-job.k // BLOCK_SIZE), config.act_bytes)
                  for index, packet in enumerate(packets)]
        return replace(work, activations=read_activation_tiles(
            filled, (job.m, job.k), config.rows, config.act_bytes))
    bits = float_bits(work.activations, FLOAT_FORMATS[job.float_format])[0].copy()
    for part, packet in zip(activation_packets(config, job), packets, strict=True):
        row = np.frombuffer(packet.ljust(part.cols * bits.itemsize, b"\0"), bits.dtype)
        bits[part.row, part.col : part.col + part.cols] = row
    return replace(work, activations=bits)


def received_results(config: Config, work: Work, delivery: Delivery) -> Results:
    """Compute what a job gives of a delivery, broken packets and all.

    Parameters
    ----------
    config : Config
    work : Work
        From `received_work`.
    delivery : Delivery
        Its weights may differ from pass to pass.
    """
    job = work.job
    if job.converts:
        return expected_results(config, work)
    packets = [packet.counts for packet in delivery.packets["s_axis_wgt"]]
    tiles = -(-job.n // config.cols)
    passes = [expected_results(config, _with_weights(config, work, packets[first : first + tiles]))
              for first in range(0, len(packets), tiles)]
    rows = config.rows * job.tiles  # of one pass
    if not job.is_packed:
        return np.concatenate([results[index * rows : (index + 1) * rows]
                               for index, results in enumerate(passes)])
    return [passes[part.row // rows][index]
            for index, part in enumerate(packed_result_chunks(config, job))]


def _with_weights(config: Config, work: Work, packets: list[bytes]) -> Work:
    """Read the weights and biases of one pass over B."""
    job, width = work.job, config.weight_bytes
    blocks, biases, filled = -(-job.k // BLOCK_SIZE), [], []
    for index, packet in enumerate(packets):
        cols = min(config.cols, job.n - index * config.cols)
        head = -(-4 * cols // width) * width if job.bias else 0
        biases.append(packet[: 4 * cols].ljust(4 * cols, b"\0"))
        filled.append(fill_up(packet[head:], cols, blocks, width))
    weights = read_weight_stream(filled, (job.k, job.n), config.cols, width)
    bias = np.frombuffer(b"".join(biases), "<f4") if job.bias else None
    return replace(work, weights=weights, bias=bias)


def fill_up(packet: bytes, lanes: int, blocks: int, width: int) -> bytes:
    """Fill a packet of blocks up with zeros, to the length that its precision bits imply."""
    length = 0
    for block in range(blocks):
        if block % (8 * width) == 0:
            tags = int.from_bytes(packet[length : length + width], "little")
            length += width
        sizes = (BASE_BYTES, RESIDUAL_BYTES) if tags >> block % (8 * width) & 1 else (BASE_BYTES,)
        length += sum(-(-size * lanes // width) * width for size in sizes)
    return packet.ljust(length, b"\0")
