"""Rows and slabs for a `Reorder` with its tables: what is sent, what must leave, and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import gather
from numpy.typing import NDArray

from hw.activations.calibration_tables import CalibrationTables, order_write_signature
from hw.activations.reorder import Reorder
from hw.activations.scatter import element_width
from hw.contract.tile_block import raw_block_layout
from sim_tests import drive
from sim_tests.stimuli.operands import configuration

LATENCY = 3
"""Cycles from taking a segment's last block, if it is conflict-free, to handing out its first."""


class ReorderWithTables(wiring.Component):
    """A `Reorder` and the tables that it asks."""

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(raw_block_layout(config))),
            "o": Out(stream.Signature(raw_block_layout(config))),
            "order_write": In(order_write_signature(config)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.reorder = reorder = Reorder(self.config)
        m.submodules.tables = tables = CalibrationTables(self.config)
        wiring.connect(m, reorder.order, tables.order)
        wiring.connect(m, wiring.flipped(self.i), reorder.i)
        wiring.connect(m, reorder.o, wiring.flipped(self.o))
        wiring.connect(m, wiring.flipped(self.order_write), tables.order_write)
        m.d.comb += reorder.order_changes.eq(self.order_write.valid << self.order_write.table)
        return m


@dataclass(frozen=True)
class ReorderWork:
    """What one job sends, and what must come out.

    Attributes
    ----------
    sent, expected : mapping
        Fields of `raw_block_layout`, one row per block.
    segments : list of (int, int), or None
        For each row or slab, cycles to write it and blocks that leave; None passes through.
    is_specified : bool
        The elements that leave are; if not, only the rest is compared.
    """

    sent: Mapping[str, Any]
    expected: Mapping[str, Any]
    segments: list[tuple[int, int]] | None
    is_specified: bool = True


def blocks_of(rows: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], dict[str, NDArray[np.int64]]]:
    """Cut rows (m, k) into blocks; return elements (m * blocks, 16) and where they stand."""
    m, k = rows.shape
    blocks = -(-k // 16)
    padded = np.zeros((m, 16 * blocks), np.uint32)
    padded[:, :k] = rows
    row, k_block = np.divmod(np.arange(m * blocks), blocks)
    return padded.reshape(-1, 16), {
        "row": row, "k_block": k_block, "count": np.minimum(16, k - 16 * k_block),
        "row_last": k_block == blocks - 1, "tile_last_row": row == m - 1,
    }


def draw_tile(rng, config, m, k):
    """Draw a tile (m, k) of any patterns that the widest format has."""
    return rng.integers(0, 1 << element_width(config), (m, k), dtype=np.uint64).astype(np.uint32)


def draw_job(rng, config, **mode):
    """Draw what travels with a job's blocks."""
    return {"float_format": int(rng.integers(3)), "measure": int(rng.integers(2)),
            "table": int(rng.integers(config.tables)),
            "policy": {"selection": int(rng.integers(4)), "threshold": int(rng.integers(1 << 31)),
                       "units": int(rng.integers(config.k_blocks_max + 1))}} | mode


def passed(rng, config, k):
    """Draw a job that is neither reordered nor transposed."""
    elements, marks = blocks_of(draw_tile(rng, config, int(rng.integers(1, config.rows + 1)), k))
    sent = {"elements": elements, "job": draw_job(rng, config)} | marks
    return ReorderWork(sent, sent, None)


def lanes_of(config):
    """Give the elements that the banks take at once: as many as a beat brings."""
    return min(16, config.act_bytes // config.element_bytes[0])


def reordered(rng, config, table, places, m=None):
    """Draw a job of one tile whose channel i goes to places[i]; places may be nonsense."""
    k = len(places)
    x = draw_tile(rng, config, m or int(rng.integers(1, config.rows + 1)), k)
    elements, marks = blocks_of(x)
    job = draw_job(rng, config, reorder=1, table=table)
    is_order = len(set(places.tolist())) == k and places.max() < k
    y = np.zeros_like(x)
    if is_order:
        y[:, places] = x
    lanes = lanes_of(config)
    fullest = [sum(np.bincount(places[first : min(first + lanes, at + 16)] % 16).max()
                   for first in range(at, min(at + 16, k), lanes)) for at in range(0, k, 16)]
    return ReorderWork({"elements": elements, "job": job} | marks,
                {"elements": blocks_of(y)[0], "job": job} | marks,
                [(int(sum(fullest)), len(fullest))] * len(x), is_order)


def transposed(rng, config, channels, tokens):
    """Draw a job of one column tile, whose blocks run along the tokens."""
    x = draw_tile(rng, config, tokens, channels)
    job = draw_job(rng, config, transposed=1, reorder=int(rng.integers(2)))
    elements, marks = blocks_of(x)
    k_block_bits = max(1, (config.k_blocks_max - 1).bit_length())
    sent = {"elements": elements, "job": job} | marks | {
        "row": marks["row"] % 16, "k_block": marks["k_block"] % (1 << k_block_bits)}
    # Golden order: slab by slab, channel by channel.
    slabs = [blocks_of(x[at : at + 16].T) for at in range(0, tokens, 16)]
    expected = {
        "elements": np.concatenate([elements for elements, _ in slabs]), "job": job,
        "count": np.concatenate([marks["count"] for _, marks in slabs]),
        "row": np.tile(np.arange(channels), len(slabs)),
        "k_block": np.repeat(np.arange(len(slabs)), channels),
        "row_last": np.repeat(np.arange(len(slabs)) == len(slabs) - 1, channels),
        "tile_last_row": np.tile(np.arange(channels) == channels - 1, len(slabs)),
    }
    cycles = sum(-(-min(16, channels - at) // lanes_of(config)) for at in range(0, channels, 16))
    segments = [(cycles * min(16, tokens - at), channels) for at in range(0, tokens, 16)]
    return ReorderWork(sent, expected, segments)


def conflict_free(rng, k):
    """Draw an order in which each arriving block's channels go to different banks."""
    blocks, rest = -(-k // 16), k % 16 or 16
    bank = np.concatenate([rng.permutation(n) for n in [16] * (blocks - 1) + [rest]])
    places = np.empty(k, np.int64)
    for index in range(16):
        here = np.flatnonzero(bank == index)
        places[here] = 16 * rng.permutation(len(here)) + index
    return places


def orders(rng, k):
    """Name some orders of k channels."""
    channel = np.arange(k)
    strided = np.argsort(np.argsort(channel % 16 * k + channel))  # each block into few banks
    return {"identity": channel, "reversal": channel[::-1].copy(), "any": rng.permutation(k),
            "conflict_free": conflict_free(rng, k), "strided": strided}


async def write_order(dut, table, places):
    """Fill an order table, one place per cycle."""
    dut.order_write__valid.value, dut.order_write__table.value = 1, table
    for channel, place in enumerate(places):
        dut.order_write__channel.value, dut.order_write__place.value = channel, int(place)
        await drive.ticks(dut, 1)
    dut.order_write__valid.value = 0


class Watch:
    """Note the cycles in which blocks were taken at ``i`` and at ``o``."""

    def __init__(self, dut):
        self.dut, self.taken = dut, {"i": [], "o": []}

    async def follow(self):
        """Watch for ever."""
        while True:
            await drive.ticks(self.dut, 1)
            for name, cycles in self.taken.items():
                valid, ready = (getattr(self.dut, f"{name}__{part}") for part in ("valid", "ready"))
                if int(valid.value) and int(ready.value):
                    cycles.append(drive.cycle())


async def run(dut, works, idle=0.0, stall=0.0):
    """Send works one right after the other, compare all that leaves, and return the `Watch`."""
    layout, watch = raw_block_layout(configuration()), Watch(dut)
    following = cocotb.start_soon(watch.follow())
    counts = [len(work.expected["elements"]) for work in works]
    _, words = await gather(
        drive.send(dut, "i", [word for work in works for word in drive.pack(layout, work.sent)],
                   idle),
        drive.receive(dut, "o", sum(counts), stall))
    dut.o__ready.value = 1
    for _ in range(8):
        await drive.ticks(dut, 1)
        assert not int(dut.o__valid.value), "a block too many"
    dut.o__ready.value = 0
    following.cancel()
    at = 0
    for number, (work, count) in enumerate(zip(works, counts, strict=True)):
        # Spelled out and packed again, so that fields which the test left out are compared too.
        expected = drive.unpack(layout, drive.pack(layout, work.expected))
        actual = drive.unpack(layout, words[at : at + count])
        if not work.is_specified:
            del expected["elements"]
        drive.compare(actual, expected, f"work {number}", idle=idle, stall=stall)
        at += count
    return watch


def cycles_of(segments):
    """Count the cycles from the first block in to the last one out, if nothing stalls.

    A segment is written to one of two halves in turn, read when it is whole, in order, and its
    half is written again when it has been read.
    """
    written, read = [0, 0], [0, 0]
    for cycles, blocks in segments:
        written = [written[1], max(written[1], read[0]) + cycles]
        read = [read[1], max(read[1], written[1]) + blocks]
    return read[1] + LATENCY - 2  # both ends included


def lengths(rng, config):
    """List K's at the edges and one in between."""
    return [k for k in (1, 15, 16, 17, 31, 32, int(rng.integers(1, config.k_max + 1)), config.k_max)
            if k <= config.k_max]


def draw_works(rng, config, tables, count):
    """Draw works of all three modes in any order."""
    works = []
    for _ in range(count):
        mode, table = rng.integers(3), int(rng.integers(len(tables)))
        if mode == 0:
            works.append(passed(rng, config, int(rng.integers(1, config.k_max + 1))))
        elif mode == 1:
            works.append(reordered(rng, config, table, tables[table]))
        else:
            works.append(transposed(rng, config, int(rng.integers(1, config.cols + 1)),
                                    int(rng.integers(1, min(config.k_max, 40) + 1))))
    return works
