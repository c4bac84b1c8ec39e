"""Results of jobs on their way to memory: the machine's packets, and every byte they become."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.lib.data import StructLayout
from cocotb.triggers import gather

from golden import MX6, MX9, MXTensor, quantize
from golden.memory.descriptor import ALIGNMENT
from golden.packing import activation_tiles, result_chunks, weight_stream
from hw.contract.config import Config
from hw.host.driver import Job
from hw.host.packet_order import Part, result_packets
from hw.memory.work import Form, results_layout, store_layout
from sim_tests import drive
from sim_tests.memory.addresses import reached
from sim_tests.stimuli.operands import matrix, mixed

ADDRESS_BITS = 40
"""Inside."""

REGION_BITS = 32
"""Each work has so much memory of its own."""


@dataclass
class ResultWork:
    """The results of one iteration of a command.

    Attributes
    ----------
    fields : dict
        Of `hw.memory.work.results_layout`.
    beats : list of int
        What comes, as `hw.streams.packet_guard.beat_layout`.
    memory : dict of int to int
        Every byte that is written, by its address.
    words : int
        Words of the bus, or parts of one, that this takes.
    after : int
        They go when all before them have been answered.
    """

    fields: dict[str, Any]
    beats: list[int]
    memory: dict[int, int]
    words: int
    after: int = 0


def numbers(rng: np.random.Generator, config: Config, region: int, data_bytes: int, *,
            ends: int = 1, **chosen: Any) -> ResultWork:
    """Draw rows of numbers; m, n, tiles, is_wide, address and stride may be chosen.

    Those of a pass, `by_row`, come a row at a time.
    """
    tiles = chosen.get("tiles", int(rng.integers(1, 4)))
    by_row = chosen.get("by_row", False)
    m = chosen.get("m", int(rng.integers(1, 3 * config.rows * tiles)))
    n = chosen.get("n", int(rng.integers(1, 4 * config.cols + 1)))
    is_wide = chosen.get("is_wide", int(rng.integers(2)))
    size = 4 if is_wide else 2
    stride = chosen.get("stride", size * (n + int(rng.integers(0, 3 * data_bytes))))
    address = chosen.get("address", (region << REGION_BITS) + size * int(rng.integers(1 << 20)))
    rows = [rng.bytes(n * size) for _ in range(m)]
    memory = {_inside(address + row * stride + at): octet
              for row, octets in enumerate(rows) for at, octet in enumerate(octets)}
    row_size = size << (config.cols - 1).bit_length()
    beats, words = [], 0
    for part in (row_packets(config, m, n) if by_row
                 else result_packets(config, Job(m=m, n=n, k=1, tiles=tiles))):
        packet, keep = bytearray(rng.bytes(config.result_bytes)), 0
        for place, row in enumerate(range(part.row, part.row + part.rows)):
            octets = rows[row][part.col * size : (part.col + part.cols) * size]
            packet[place * row_size : place * row_size + len(octets)] = octets
            keep |= (1 << len(octets)) - 1 << place * row_size
            first = address + row * stride + part.col * size
            words += (first + len(octets) - 1) // data_bytes - first // data_bytes + 1
        bits = int.from_bytes(packet, "little") | keep << 8 * config.result_bytes
        beats.append(bits | 1 << 9 * config.result_bytes)
    return ResultWork({
        "form": Form.NUMBERS.value, "address": address, "stride": stride, "m": m, "n": n,
        "group_rows": 1 if by_row else config.rows * tiles, "is_wide": is_wide,
        "is_mx9": int(rng.integers(2)), **_of_rows(config, by_row),
        "is_last": chosen.get("is_last", ends), "ends": ends}, beats, memory, words)


def weights(rng: np.random.Generator, config: Config, region: int, beat_bytes: int, *,
            ends: int = 1, **chosen: Any) -> ResultWork:
    """Draw what a conversion gives, in such beats; n, k, address and stride may be chosen."""
    n = chosen.get("n", int(rng.integers(1, 4 * config.cols)))
    k = chosen.get("k", int(rng.integers(1, 200)))
    tensor = mixed(matrix(rng, n, k), rng.random(-(-k // 16)) < 0.5).transpose()
    packets = weight_stream(tensor, config.cols, config.weight_bytes)
    return _packed(rng, config, region, beat_bytes, packets, packets, {
        "form": Form.WEIGHTS.value, "m": int(rng.integers(1 << 32)), "n": n,
        "group_rows": int(rng.integers(1 << 32)), "is_mx9": int(rng.integers(2)),
        **_of_rows(config, False), "ends": ends}, chosen)


def token_tiles(rng: np.random.Generator, config: Config, region: int, beat_bytes: int, *,
                ends: int = 1, **chosen: Any) -> ResultWork:
    """Draw what a pass packs, in such beats; m, n, address and stride may be chosen."""
    m = chosen.get("m", int(rng.integers(1, 4 * config.rows)))
    n = chosen.get("n", int(rng.integers(1, 200)))
    tensor = mixed(matrix(rng, m, n), rng.random(-(-n // 16)) < 0.5)
    packets = activation_tiles(tensor, config.rows, config.act_bytes)
    return _packed(rng, config, region, beat_bytes, packets, packets, {
        "form": Form.WEIGHTS.value, "m": m, "n": n, "group_rows": int(rng.integers(1 << 32)),
        "is_mx9": int(rng.integers(2)), **_of_rows(config, True), "ends": ends}, chosen)


def blocks(rng: np.random.Generator, config: Config, region: int, beat_bytes: int, *,
           ends: int = 1, **chosen: Any) -> ResultWork:
    """Draw packed results in such beats; m, n, tiles, is_mx9, address, stride may be chosen."""
    tiles = chosen.get("tiles", int(rng.integers(1, 4)))
    m = chosen.get("m", int(rng.integers(1, 3 * config.rows * tiles)))
    n = chosen.get("n", int(rng.integers(1, 16 * 20)))
    is_mx9 = chosen.get("is_mx9", int(rng.integers(2)))
    tensor: MXTensor = quantize(matrix(rng, m, n), MX9 if is_mx9 else MX6)
    chunks = result_chunks(tensor, config.rows, tiles, config.act_bytes, config.cols)
    packets = activation_tiles(tensor, config.rows, config.act_bytes)
    return _packed(rng, config, region, beat_bytes, chunks, packets, {
        "form": Form.BLOCKS.value, "m": m, "n": n, "group_rows": config.rows * tiles,
        "is_mx9": is_mx9, **_of_rows(config, False), "ends": ends}, chosen)


def row_packets(config: Config, m: int, n: int) -> Iterator[Part]:
    """List the packets of a pass: of each row those of its column tiles."""
    for row in range(m):
        for col in range(0, n, config.cols):
            yield Part(row, 1, col, min(config.cols, n - col))


def _of_rows(config: Config, of_rows: bool) -> dict[str, int]:
    """Give the field of that name, which works of machines with a vector unit have."""
    return {"of_rows": int(of_rows)} if config.vector_lanes else {}


def count(rng: np.random.Generator, config: Config, region: int, data_bytes: int, *,
          ends: int = 1, **chosen: Any) -> ResultWork:
    """Draw a count of ended commands; m and address may be chosen."""
    value = chosen.get("m", int(rng.integers(1 << 32)))
    address = chosen.get("address", (region << REGION_BITS) + 4 * int(rng.integers(1 << 30)))
    fields = {"form": Form.COUNT.value, "address": address, "m": value, "ends": ends}
    others = {name: int(rng.integers(1 << width)) for name, width in (
        ("index", 3), ("stride", 32), ("n", 32), ("group_rows", 32), ("is_wide", 1),
        ("is_mx9", 1))}
    memory = {_inside(address + at): octet for at, octet in enumerate(value.to_bytes(4, "little"))}
    return ResultWork(fields | others, [], memory, 1, after=1)


def _packed(rng: np.random.Generator, config: Config, region: int, beat_bytes: int,
            sent: Sequence[bytes], tiles: Sequence[bytes], fields: dict[str, Any],
            chosen: dict[str, Any]) -> ResultWork:
    """Place packed tiles, each a stride behind the one before."""
    longest = -(-max(map(len, tiles)) // ALIGNMENT) * ALIGNMENT
    stride = chosen.get("stride", longest + ALIGNMENT * int(rng.integers(0, 3)))
    address = chosen.get("address", (region << REGION_BITS) + ALIGNMENT * int(
        rng.integers(1 << 26)))
    memory = {_inside(address + number * stride + at): octet
              for number, tile in enumerate(tiles) for at, octet in enumerate(tile)}
    beats = []
    for packet in sent:
        for at in range(0, len(packet), beat_bytes):
            part = packet[at : at + beat_bytes]
            bits = int.from_bytes(part, "little") | (1 << len(part)) - 1 << 8 * beat_bytes
            beats.append(bits | (at + beat_bytes >= len(packet)) << 9 * beat_bytes)
    return ResultWork(
        fields | {"address": address, "stride": stride, "is_wide": int(rng.integers(2))},
        beats, memory, sum(map(len, tiles)) // config.act_bytes)


def _inside(address: int) -> int:
    return reached(address, ADDRESS_BITS)


def work_layout(config: Config) -> StructLayout:
    """Give the layout of a machine's works."""
    return results_layout(address_bits=ADDRESS_BITS, has_vector=bool(config.vector_lanes))


async def write(dut: Any, config: Config, works: Sequence[ResultWork], data_bytes: int,
                idle: drive.Pause = 0.0, stall: drive.Pause = 0.0) -> int:
    """Send works and their beats, compare every byte that is written, and return the cycles.

    No byte is written twice, and the last word of a work, that one alone, has its `ends`.
    """
    layout = work_layout(config)
    descriptions = [drive.pack(layout, work.fields)[0] for work in works]
    beats = [beat for work in works for beat in work.beats]
    start = drive.cycle()
    received, *_ = await gather(
        drive.receive(dut, "o", sum(work.words for work in works), stall, patience=2_000),
        drive.send(dut, "work", descriptions, idle), drive.send(dut, "i", beats, idle))
    cycles, at = drive.cycle() - start, 0
    for number, work in enumerate(works):
        mine, at = received[at : at + work.words], at + work.words
        memory, ends = stored(mine, data_bytes, work.after)
        assert memory == work.memory, f"work {number}, {work.fields}: {difference(memory, work)}"
        assert ends == [0] * (work.words - 1) + [work.fields["ends"]], f"work {number}"
    dut.o__ready.value = 1
    for _ in range(20):
        await drive.ticks(dut, 1)
        assert not int(dut.o__valid.value), "a word too many"
    dut.o__ready.value = 0
    return cycles


def stored(words: Sequence[int], data_bytes: int,
           after: int = 0) -> tuple[dict[int, int], list[int]]:
    """Write words, as `hw.memory.work.store_layout`, into a memory that holds nothing.

    Each must, or must not, go after all before it.

    Returns
    -------
    dict of int to int
        The bytes that were written, by their addresses.
    list of int
        `ends` of each word.
    """
    layout = store_layout(address_bits=ADDRESS_BITS, data_bytes=data_bytes)
    memory, ends = {}, []
    bits = (1 << layout.size) - 1  # of a word with its row only these
    for word in (layout.from_bits(word & bits) for word in words):
        ends.append(word["ends"])
        assert word["after"] == after
        for lane, octet in enumerate(word["data"].to_bytes(data_bytes, "little")):
            if word["strobes"] >> lane & 1:
                address = word["word"] * data_bytes + lane
                assert address not in memory, f"{address:#x} is written twice"
                memory[address] = octet
    return memory, ends


def difference(memory: dict[int, int], work: ResultWork) -> str:
    """Say where memory first differs from what a work should write."""
    wrong = sorted(address for address in memory.keys() | work.memory.keys()
                   if memory.get(address) != work.memory.get(address))
    first = wrong[0]
    return (f"{len(wrong)} bytes differ, first at {first - work.fields['address']} from the "
            f"address: {memory.get(first)}, expected {work.memory.get(first)}")
