"""One packer for whole tiles, and for K-blocks with precision bits and without, in any order."""

import cocotb
import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import gather

from golden import MXTensor
from golden.packing import result_chunks, weight_stream
from golden.planes import BASE_BYTES, RESIDUAL_BYTES
from hw.blocks.mx_packer import MXPacker
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from hw.contract.outlier_policy import Tag
from hw.contract.result_rows import packet_beat_layout
from hw.contract.tile_block import tile_block_layout
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over, packet_words
from sim_tests.stimuli.packed_streams import KINDS, draw_operand, tiles_of
from sim_tests.stimuli.tile_blocks import TiledJob, stream_fields


def block_layout(config):
    """Describe a block at the bench's input, and whether its packets are whole tiles."""
    return data.StructLayout({"block": tile_block_layout(config), "in_tiles": 1})


class ChoosingPacker(wiring.Component):
    """An `MXPacker` that chooses; what it chooses by comes beside each block."""

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(block_layout(config))),
            "tags": In(stream.Signature(Tag)),
            "o": Out(stream.Signature(packet_beat_layout(config)))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.packer = packer = MXPacker(
            self.config, lanes=self.config.rows, unit_bytes=self.config.act_bytes, with_tags=False,
            chooses=True)
        m.d.comb += [packer.i.valid.eq(self.i.valid), self.i.ready.eq(packer.i.ready),
                     packer.i.p.eq(self.i.p.block), packer.in_tiles.eq(self.i.p.in_tiles)]
        wiring.connect(m, wiring.flipped(self.tags), packer.tags)
        wiring.connect(m, packer.o, wiring.flipped(self.o))
        return m


WAYS = ("tiles", "K-blocks", "K-blocks with tags")
"""What packets are."""


def draw(rng, lines, k, way) -> tuple[MXTensor, str]:
    """Draw the results of a job; without tags they are all MX6 or all MX9."""
    kinds = ("MX6", "MX9") if way == "K-blocks" else KINDS
    return draw_operand(rng, lines, k, configuration().rows, str(rng.choice(kinds))), way


def covered():
    """Return the K-blocks of a beat of precision bits."""
    return 8 * configuration().act_bytes


def blocks_of(jobs):
    """List the blocks of all jobs, beside what they are packed by."""
    config, words = configuration(), []
    for tensor, way in jobs:
        job = TiledJob(np.zeros(tensor.shape, np.float32), tensor, JobKind.GEMM_PACKED)
        for fields in stream_fields(config, [job]):
            begins = np.concatenate([[True], fields["row_last"][:-1].astype(bool)])
            first = np.concatenate([[True], (fields["row_last"] & fields["k_last"])[:-1] > 0])
            # Of K-blocks of each tile, from 0: a new one with the row behind the last one.
            number = np.cumsum(begins) - 1
            number -= np.maximum.accumulate(np.where(first, number, 0))
            due = (number % covered() == 0) & (way == "K-blocks with tags")
            words += drive.pack(block_layout(config), {
                "block": fields | {"tags_due": due}, "in_tiles": way == "tiles"})
    return words


def tags_of(jobs):
    """List the tags of jobs that have some: of a tile, or of what a beat marks."""
    words = []
    for tensor, way in jobs:
        for tile in tiles_of(tensor, configuration().rows) if way != "K-blocks" else ():
            tags = tile.is_mx9[0]
            place = np.arange(len(tags))
            last = place == len(tags) - 1
            if way != "tiles":
                last |= place % covered() == covered() - 1
            words += drive.pack(Tag, {"is_mx9": tags, "last": last})
    return words


def chunks_with_tags(tensor):
    """Cut whole tiles into K-blocks, the precision bits before those that they belong to."""
    config, packets = configuration(), []
    for tile in tiles_of(tensor, config.rows):
        packet, = weight_stream(tile.transpose(), config.rows, config.act_bytes)
        unit, at = config.act_bytes, 0
        for block, is_mx9 in enumerate(tile.is_mx9[0]):
            sizes = [unit] if block % covered() == 0 else []
            sizes += [-(-len(tile.is_mx9) * each // unit) * unit
                      for each in ((BASE_BYTES, RESIDUAL_BYTES) if is_mx9 else (BASE_BYTES,))]
            packets.append(packet[at:at + sum(sizes)])
            at += sum(sizes)
    return packets


def beats_out(jobs):
    """List the beats that must come."""
    config, words = configuration(), []
    for tensor, way in jobs:
        if way == "tiles":
            packets = weight_stream(tensor.transpose(), config.rows, config.act_bytes)
        elif way == "K-blocks":
            packets = result_chunks(tensor, config.rows, 1, config.act_bytes)
        else:
            packets = chunks_with_tags(tensor)
        words += [word for packet in packets for word in packet_words(packet, config.result_bytes)]
        words[-1] |= 1 << 9 * config.result_bytes + 1  # the job ends
    return words


async def pack(dut, jobs, idle=0.0, stall=0.0, tag_idle=0.0):
    """Run jobs and compare all beats."""
    await drive.reset(dut)
    expected = beats_out(jobs)
    words, *_ = await gather(
        drive.receive(dut, "o", len(expected), stall), drive.send(dut, "i", blocks_of(jobs), idle),
        drive.send(dut, "tags", tags_of(jobs), tag_idle))
    wrong = [place for place, pair in enumerate(zip(words, expected, strict=True))
             if pair[0] != pair[1]]
    assert not wrong, f"beat {wrong[0]} of {len(expected)} is wrong"
    dut.o__ready.value = 1
    await drive.ticks(dut, 10)
    assert not int(dut.o__valid.value), "a beat too many"


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5], tag_idle=[0.0, 0.8])
async def packs_each_job_in_its_way(dut, idle, stall, tag_idle):
    rng, config = drive.rng(), configuration()
    await pack(dut, [draw(rng, int(rng.integers(1, 3 * config.rows + 1)),
                          int(rng.integers(1, config.k_max + 1)), str(rng.choice(WAYS)))
                     for _ in range(drive.amount(24, 240))], idle, stall, tag_idle)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def small_jobs_take_turns(dut):
    """A K-block of one follows on a K-block of the other."""
    rng = drive.rng()
    await pack(dut, [draw(rng, 1, k, WAYS[number % 3])
                     for number, k in enumerate([1, 1, 16, 1, 17, 17, 1, 33, 1, 1])])


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def jobs_without_tags_do_not_wait_for_those_of_the_next(dut):
    rng, config = drive.rng(), configuration()
    jobs = [draw(rng, config.rows, 40, "K-blocks"), draw(rng, 1, 40, "tiles")]
    await pack(dut, jobs, tag_idle=drive.LongPause(0, 1_000))


@pytest.mark.parametrize("rows, cols, act_bytes", [(3, 4, 16), (1, 4, 4), (5, 8, 32)])
def test_choosing_packer(rows, cols, act_bytes):
    config = Config.sized(rows=rows, cols=cols, act_bytes=act_bytes, k_max=200,
                          float_formats=("fp32",), bus_bytes=32, vector_lanes=4)
    bench.simulate(ChoosingPacker(config), __name__, f"packer_that_chooses_{rows}",
                   parameters=handed_over(config))
