"""Operands as they come out of the memory: H or L, the drop below the anchor, flags, what holds."""

import cocotb
import numpy as np
import pytest

from golden.formats import BLOCK_SIZE
from hw.contract.layouts import MXBlock
from hw.contract.operand_block import FLAGS, operand_layout
from hw.operands.operand_store import OperandStore
from sim_tests import bench, drive
from sim_tests.stimuli.operands import (
    anchors,
    beat_fields,
    block_fields,
    matrix,
    mixed,
    pack_lanes,
    split_lanes,
)

SIZES = {"odd": (3, 5, 4, 4), "single": (1, 1, 2, 6)}
"""Lanes, depth, slots, drop width; four bits of drop saturate often."""


def draw_tile(rng, lanes, blocks, nans=0):
    """Draw a tile as (tensor, flags)."""
    tensor = mixed(matrix(rng, lanes, BLOCK_SIZE * blocks, nans), rng.random(blocks) < 0.7)
    return tensor, rng.integers(0, 4, blocks)


async def write(dut, tile, slot, lanes, shuffle):
    """Store a tile at addresses 0, 1, …, lane by lane in any order, residuals apart from bases."""
    tensor, flags = tile
    blocks = tensor.exponent.shape[1]
    words = pack_lanes(MXBlock, {k: np.swapaxes(v, 0, 1) for k, v in block_fields(tensor).items()})
    anchor = sum(int(value) << 8 * lane for lane, value in enumerate(anchors(tensor)))
    writes = [(port, lane, address) for port in ("lanes", "residual_lanes")
              for lane in range(lanes) for address in range(blocks)]
    writes += [("keeps_flags", 0, address) for address in range(blocks)]
    writes += [("anchor_lanes", lane, 0) for lane in range(lanes)]
    ports = ("lanes", "residual_lanes", "keeps_flags", "anchor_lanes")
    for port, lane, address in shuffle.permutation(writes):
        for other in ports:
            getattr(dut, f"write__{other}").value = (1 << int(lane)) * (other == port)
        address = int(address)
        # What must not be written now carries the wrong data.
        wrong = 0 if port in ("lanes", "residual_lanes") else (1 << words[0].bit_length()) - 1
        dut.write__address.value = address
        dut.write__blocks.value = words[address] ^ wrong
        dut.write__flags.value = int(flags[address]) ^ (0 if port == "keeps_flags" else 3)
        dut.write__slot.value = slot
        mask = (1 << 8 * lanes) - 1
        dut.write__anchors.value = anchor ^ (0 if port == "anchor_lanes" else mask)
        await drive.ticks(dut, 1)
    for port in ports:
        getattr(dut, f"write__{port}").value = 0


async def read_back(dut, tile, slot, sizes, pause, what):
    """Read every block in both parts, with idle cycles in which the outputs must hold."""
    lanes, _, _, drop_width = sizes
    tensor, flags = tile
    rng = drive.rng(what)
    layout = operand_layout(drop_width)
    expected = [pack_lanes(layout, {
        key: np.swapaxes(value, 0, 1)
        for key, value in beat_fields(tensor, residual, drop_width).items()
    }) for residual in (False, True)]
    reads = [(address, residual) for address in range(tensor.exponent.shape[1])
             for residual in (0, 1)] * 2
    for address, residual in rng.permutation(reads):
        dut.read.value = 1
        dut.read_address.value = dut.flags_address.value = int(address)
        dut.read_slot.value, dut.read_residual.value = slot, int(residual)
        await drive.ticks(dut, 1)
        dut.read.value = 0
        dut.read_residual.value, dut.read_slot.value = int(rng.integers(2)), int(rng.integers(2))
        dut.read_address.value = 0
        await drive.ticks(dut, 1)
        flag = drive.unpack(FLAGS, [int(dut.flags_read.value)])
        drive.compare(flag, {"is_mx9": flags[[address]] & 1, "has_residual": flags[[address]] >> 1},
                      f"{what} flags", address=address)
        while True:
            words = split_lanes(int(dut.operands.value), layout.size, lanes)
            wanted = split_lanes(expected[residual][address], layout.size, lanes)
            drive.compare(drive.unpack(layout, words), drive.unpack(layout, wanted), what,
                          address=address, residual=residual)
            drive.compare(split_lanes(int(dut.operand_anchors.value), 8, lanes), anchors(tensor),
                          f"{what} anchors")
            if rng.random() >= pause:
                break
            await drive.ticks(dut, 1)


@cocotb.test
@cocotb.parametrize(pause=[0.0, 0.5])
async def serves_both_parts_aligned_to_the_anchor(dut, pause):
    await drive.reset(dut)
    sizes = SIZES[drive.parameters()["sizes"]]
    lanes, depth, slots, _ = sizes
    rng = drive.rng()
    for round_ in range(drive.amount(6, 60)):
        tile, slot = draw_tile(rng, lanes, depth, nans=round_ % 3 // 2), round_ % slots
        await write(dut, tile, slot, lanes, rng)
        await read_back(dut, tile, slot, sizes, pause, f"operands {round_}")


@cocotb.test
async def drops_saturate_instead_of_wrapping(dut):
    await drive.reset(dut)
    sizes = SIZES[drive.parameters()["sizes"]]
    lanes, depth, _, drop_width = sizes
    rng = drive.rng()
    largest = (1 << drop_width) - 1
    x = rng.standard_normal((lanes, 16 * depth)).astype(np.float32)
    tensor = mixed(x, np.full(depth, True))
    # An anchor that no block of this lane reaches, from none to all binades above.
    for above in (0, 1, largest - 3, largest - 2, largest, largest + 1, 127, 252, 253, 254):
        tensor.exponent[:] = np.maximum(1, 254 - above)
        tensor.exponent[:, 0] = 254 if depth > 1 else tensor.exponent[:, 0]
        flags = np.zeros(depth, int)
        await write(dut, (tensor, flags), 1, lanes, rng)
        await read_back(dut, (tensor, flags), 1, sizes, 0.0, f"operands {above} below")


@cocotb.test
async def keeps_the_anchors_of_each_slot(dut):
    await drive.reset(dut)
    lanes, depth, slots, _ = SIZES[drive.parameters()["sizes"]]
    rng = drive.rng()
    tiles = [draw_tile(rng, lanes, depth) for _ in range(slots)]
    for slot, tile in enumerate(tiles):
        await write(dut, tile, slot, lanes, rng)
    dut.read.value = 1
    for slot in rng.permutation(np.repeat(np.arange(slots), 3)):
        dut.read_slot.value = int(slot)
        await drive.ticks(dut, 2)
        actual = split_lanes(int(dut.operand_anchors.value), 8, lanes)
        drive.compare(actual, anchors(tiles[slot][0]), "anchors", slot=slot)


@pytest.mark.parametrize("name", SIZES)
def test_operand_store(name):
    lanes, depth, slots, drop_width = SIZES[name]
    store = OperandStore(lanes=lanes, depth=depth, slots=slots, drop_width=drop_width)
    bench.simulate(store, __name__, f"operand_store_{name}", parameters={"sizes": name})
