"""One packer for jobs with precision bits and jobs without, in any order."""

import cocotb
import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import gather

from golden import MXTensor
from golden.packing import result_chunks, weight_stream
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
    """Describe a block at the bench's input, and whether its job has tags."""
    return data.StructLayout({"block": tile_block_layout(config), "has_tags": 1})


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
                     packer.i.p.eq(self.i.p.block), packer.has_tags.eq(self.i.p.has_tags)]
        wiring.connect(m, wiring.flipped(self.tags), packer.tags)
        wiring.connect(m, packer.o, wiring.flipped(self.o))
        return m


def draw(rng, lines, k, is_tagged) -> tuple[MXTensor, bool]:
    """Draw the results of a job; without tags they are all MX6 or all MX9."""
    kinds = KINDS if is_tagged else ("MX6", "MX9")
    return draw_operand(rng, lines, k, configuration().rows, str(rng.choice(kinds))), is_tagged


def blocks_of(jobs):
    """List the blocks of all jobs, beside what they are packed by."""
    config, words = configuration(), []
    for tensor, is_tagged in jobs:
        job = TiledJob(np.zeros(tensor.shape, np.float32), tensor, JobKind.GEMM_PACKED)
        for fields in stream_fields(config, [job]):
            words += drive.pack(block_layout(config), {"block": fields, "has_tags": is_tagged})
    return words


def tags_of(jobs):
    """List the tags of jobs that have some."""
    return [word for tensor, is_tagged in jobs if is_tagged
            for tile in tiles_of(tensor, configuration().rows)
            for tags in [tile.is_mx9[0]]
            for word in drive.pack(Tag, {"is_mx9": tags,
                                         "last": np.arange(len(tags)) == len(tags) - 1})]


def beats_out(jobs):
    """List the beats that must come: packets of whole tiles with tags, or of single K-blocks."""
    config, words = configuration(), []
    for tensor, is_tagged in jobs:
        packets = (weight_stream(tensor.transpose(), config.rows, config.act_bytes) if is_tagged
                   else result_chunks(tensor, config.rows, 1, config.act_bytes))
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
                          int(rng.integers(1, config.k_max + 1)), bool(rng.integers(2)))
                     for _ in range(drive.amount(24, 240))], idle, stall, tag_idle)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def small_jobs_take_turns(dut):
    """A K-block of one follows on a K-block of the other."""
    rng = drive.rng()
    await pack(dut, [draw(rng, 1, k, number % 2 == 1)
                     for number, k in enumerate([1, 1, 16, 1, 17, 17, 1, 33, 1, 1])])


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def jobs_without_tags_do_not_wait_for_those_of_the_next(dut):
    rng, config = drive.rng(), configuration()
    jobs = [draw(rng, config.rows, 40, False), draw(rng, 1, 40, True)]
    await pack(dut, jobs, tag_idle=drive.LongPause(0, 1_000))


@pytest.mark.parametrize("rows, cols, act_bytes", [(3, 4, 16), (1, 4, 4), (5, 8, 32)])
def test_choosing_packer(rows, cols, act_bytes):
    config = Config.sized(rows=rows, cols=cols, act_bytes=act_bytes, k_max=200,
                          float_formats=("fp32",), bus_bytes=32, vector_lanes=4)
    bench.simulate(ChoosingPacker(config), __name__, f"packer_that_chooses_{rows}",
                   parameters=handed_over(config))
