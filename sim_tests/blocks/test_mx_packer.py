"""Blocks to packets for memory: whole tiles with precision bits, single K-blocks, speed."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from golden.packing import result_chunks, weight_stream
from hw.blocks.mx_packer import MXPacker
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from hw.contract.tile_block import tile_block_layout
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over, packet_words
from sim_tests.stimuli.packed_streams import KINDS, beats_of, draw_operand, tiles_of
from sim_tests.stimuli.tile_blocks import TiledJob, stream_fields


def has_tags():
    """Tell what was built."""
    return drive.parameters()["with_tags"]


def lanes():
    """Return the most rows of a tile."""
    return configuration().cols if has_tags() else configuration().rows


def unit_bytes():
    """Return the bytes of a unit."""
    return configuration().weight_bytes if has_tags() else configuration().act_bytes


def depth():
    """Return the largest K of most tests, of some K-blocks."""
    return min(configuration().k_max, 300)


def draw(rng, lines, k, kind=None):
    """Draw an operand; one without tags is all MX6 or all MX9."""
    kinds = KINDS if has_tags() else ("MX6", "MX9")
    return draw_operand(rng, lines, k, lanes(), kind or str(rng.choice(kinds)))


def blocks_of(tensors):
    """List the blocks of one job per tensor."""
    kind = JobKind.CONVERT if has_tags() else JobKind.GEMM_PACKED
    jobs = [TiledJob(np.zeros(tensor.shape, np.float32), tensor, kind) for tensor in tensors]
    layout = tile_block_layout(configuration())
    return [word for fields in stream_fields(configuration(), jobs)
            for word in drive.pack(layout, fields)]


def tags_of(tensors):
    """List the tags of all tiles."""
    return [int(is_mx9) | (block == len(tags) - 1) << 1
            for tensor in tensors for tile in tiles_of(tensor, lanes())
            for tags in [tile.is_mx9[0]] for block, is_mx9 in enumerate(tags)]


def beats_out(tensors):
    """List the beats that must come, as words of `packet_beat_layout`."""
    config, words = configuration(), []
    for tensor in tensors:
        if has_tags():
            packets = weight_stream(tensor.transpose(), config.cols, config.weight_bytes)
        else:  # one resident tile: all of its K-blocks, then the next tile
            packets = result_chunks(tensor, config.rows, 1, config.act_bytes)
        words += [word for packet in packets for word in packet_words(packet, config.result_bytes)]
        words[-1] |= 1 << 9 * config.result_bytes + 1  # the job ends
    return words


async def pack(dut, tensors, idle=0.0, stall=0.0, tag_idle=0.0, lead=0):
    """Run a job per tensor, compare all beats, and return the cycles from the first block on.

    The tags begin `lead` cycles before the blocks.
    """
    await drive.reset(dut)
    if has_tags():
        cocotb.start_soon(drive.send(dut, "tags", tags_of(tensors), tag_idle))
        await drive.ticks(dut, lead)
    expected, start = beats_out(tensors), drive.cycle()
    words, _ = await gather(drive.receive(dut, "o", len(expected), stall),
                            drive.send(dut, "i", blocks_of(tensors), idle))
    cycles = drive.cycle() - start
    await drive.ticks(dut, 10)
    assert not int(dut.o__valid.value), "a beat too many"
    bytes_ = configuration().result_bytes
    for name, first, bits in (("last", 9 * bytes_, 2), ("keep", 8 * bytes_, bytes_),
                              ("data", 0, 8 * bytes_)):
        parts = [[word >> first & (1 << bits) - 1 for word in some] for some in (words, expected)]
        drive.compare(*parts, f"o.{name}", idle=idle, stall=stall, tag_idle=tag_idle)
    return cycles


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def packs_tiles_of_every_size(dut, idle, stall):
    rng = drive.rng()
    depths = [1, 16, 17, depth(), int(rng.integers(1, depth())), 33, 1, 1]
    tensors = [draw(rng, int(rng.integers(1, 3 * lanes() + 1)), k) for k in depths]
    await pack(dut, tensors, idle, stall, tag_idle=idle)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def packs_a_tile_of_the_largest_k(dut):
    """Of one line: its precision bits fill whole units, set and unset."""
    rng, config = drive.rng(), configuration()
    await pack(dut, [draw(rng, 1, config.k_max, kind) for kind in ("MX9", "MX6", None)])


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(kind=["MX6", "MX9", "mixed"])
async def takes_as_long_as_rows_or_units(dut, kind):
    if kind == "mixed" and not has_tags():
        kind = None
    rng, config = drive.rng(), configuration()
    tensors = [draw(rng, 2 * lanes(), depth(), kind) for _ in range(2)]
    cycles = await pack(dut, tensors, lead=8 * unit_bytes())
    units = [count - (not has_tags() and block % (8 * unit_bytes()) == 0)
             for tensor in tensors for tile in tiles_of(tensor, lanes())
             for block, count in enumerate(beats_of(tile, unit_bytes()))]
    # While the units of a K-block leave, the rows of the next come in. Two cycles lie between its
    # last row and the first unit at the output, or one if a unit is a beat.
    between = 1 + (config.result_bytes > unit_bytes())
    assert cycles == between + lanes() + sum(
        max(lanes(), count) for count in units[:-1]) + units[-1]


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(side=["idle", "stall", "tag_idle"])
async def survives_a_long_pause(dut, side):
    rng = drive.rng()
    tensors = [draw(rng, lanes() + 1, 60), draw(rng, 1, 40)]
    await pack(dut, tensors, **{side: drive.LongPause(7, 400)})


def test_refuses_units_that_do_not_divide_a_beat():
    with pytest.raises(ValueError, match="must divide the 64 bytes"):
        MXPacker(Config(), lanes=8, unit_bytes=128, with_tags=True)


@pytest.mark.parametrize("cols, weight_bytes, others", [
    (8, 32, {}),
    (4, 2, {}),                   # 19 K-blocks need two units of precision bits
    (3, 4, {"act_bytes": 64}),    # sixteen units to a beat
    (5, 64, {"k_max": 8192}),     # a whole unit of precision bits
    (1, 16, {"act_bytes": 4}),    # one unit, which is also a beat
])
def test_mx_packer_of_weights(cols, weight_bytes, others):
    config = Config.sized(rows=2, cols=cols, weight_bytes=weight_bytes,
                          float_formats=("fp32",), **{"k_max": 300} | others)
    component = MXPacker(config, lanes=cols, unit_bytes=weight_bytes, with_tags=True)
    bench.simulate(component, __name__, f"mx_packer_weights_{cols}_{weight_bytes}",
                   parameters=handed_over(config, with_tags=True))


@pytest.mark.parametrize("rows, act_bytes, others", [
    (8, 32, {}),
    (5, 8, {"cols": 8}),  # four units to a beat
    (3, 64, {}),
    (1, 4, {}),
])
def test_mx_packer_of_results(rows, act_bytes, others):
    config = Config.sized(rows=rows, act_bytes=act_bytes, k_max=300, float_formats=("fp32",),
                          **({"cols": 1} | others))
    component = MXPacker(config, lanes=rows, unit_bytes=act_bytes, with_tags=False)
    bench.simulate(component, __name__, f"mx_packer_results_{rows}_{act_bytes}",
                   parameters=handed_over(config, with_tags=False))
