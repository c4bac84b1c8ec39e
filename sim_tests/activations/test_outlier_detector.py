"""Tags of tiles: top and threshold, both orders, ties, NaN, overlap, exact cycles."""

from dataclasses import dataclass, replace
from fractions import Fraction

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from golden import Policy
from golden.policy import select_units, unit_magnitudes
from hw.activations.outlier_detector import OutlierDetector, detection_cycles
from hw.contract.job_codes import Selection
from hw.contract.outlier_policy import Tag, magnitude_layout, policy_layout
from sim_tests import bench, drive

LARGEST = 0x7FFFFFFF


@dataclass
class Tile:
    """A tile as the detector sees it, with its policy.

    ``magnitudes`` has shape (rows, K-blocks); they come row by row or K-block by K-block.
    """

    magnitudes: np.ndarray
    selection: Selection
    units: int = 0
    threshold: int = 0
    by_k_block: bool = False

    @property
    def blocks(self):
        return self.magnitudes.shape[1]

    def words(self, k_blocks_max):
        row, k_block = np.indices(self.magnitudes.shape)
        order = "F" if self.by_k_block else "C"
        row, k_block = row.ravel(order), k_block.ravel(order)
        return drive.pack(magnitude_layout(k_blocks_max), {
            "magnitude": self.magnitudes[row, k_block], "k_block": k_block, "row_first": row == 0,
            "tile_last": np.arange(row.size) == row.size - 1,
        })

    def policy(self, k_blocks_max):
        fields = {
            "selection": [self.selection.value], "units": self.units, "threshold": self.threshold,
        }
        return drive.pack(policy_layout(k_blocks_max), fields)[0]

    def expected(self):
        """Ask golden for the tags."""
        if self.selection is Selection.THRESHOLD:
            threshold = np.uint32(self.threshold).view(np.float32)
            policy = Policy(selection="threshold", threshold=threshold)
        else:
            policy = Policy(fraction=Fraction(min(self.units, self.blocks), self.blocks),
                            scope="tile")
        # An FP32 element of each block has its magnitude, all others are zero.
        x = np.zeros((*self.magnitudes.shape, 16), np.uint32)
        x[..., 3] = self.magnitudes
        x = x.reshape(len(x), -1).view(np.float32)
        return select_units(unit_magnitudes(x, "channel_block"), policy)[0]


def random_tile(rng, k_blocks_max, rows_max=4):
    """Draw a tile: magnitudes of any bits, or of few distinct values so that there are ties."""
    shape = rng.integers(1, rows_max + 1), rng.integers(1, k_blocks_max + 1)
    common = rng.integers(0, LARGEST + 1)
    magnitudes = [
        rng.integers(0, LARGEST + 1, shape),
        rng.integers(0, 3, shape),
        common ^ (1 << rng.integers(0, 31, shape)),  # agree in all digits but one
        np.where(rng.random(shape) < 0.2, 0x7FC00000, rng.integers(0, 0x7F800000, shape)),
    ][rng.integers(4)]
    selection = Selection.TOP if rng.random() < 0.7 else Selection.THRESHOLD
    threshold = int(rng.choice([magnitudes.ravel()[0], rng.integers(0, 0x7F800000)]))
    units = int(rng.integers(0, k_blocks_max + 1))
    by_k_block = bool(rng.random() < 0.5)
    return Tile(magnitudes, selection, units, min(threshold, 0x7F800000), by_k_block)


async def load(dut, tiles, idle=0.0):
    """Send tiles; each policy is at the port only until the tile's first magnitude is taken."""
    k_blocks_max, rng = drive.parameters()["k_blocks_max"], drive.rng("policy")
    for tile in tiles:
        words = tile.words(k_blocks_max)
        dut.policy.value = tile.policy(k_blocks_max)
        await drive.send(dut, "i", words[:1], idle)
        dut.policy.value = int(rng.integers(0, 1 << 31))
        await drive.send(dut, "i", words[1:], idle)


async def collect(dut, tiles, stall=0.0):
    """Receive the tags of tiles and compare them with golden."""
    for number, tile in enumerate(tiles):
        tags = drive.unpack(Tag, await drive.receive(dut, "o", tile.blocks, stall))
        expected = {
            "is_mx9": tile.expected(), "last": np.arange(tile.blocks) == tile.blocks - 1,
        }
        drive.compare(tags, expected, "tags", tile=number, selection=tile.selection,
                      units=tile.units, by_k_block=tile.by_k_block,
                      magnitudes=tile.magnitudes.tolist(), stall=stall)


@cocotb.test
@cocotb.parametrize(by_k_block=[False, True])
async def tags_corner_tiles(dut, by_k_block):
    await drive.reset(dut)
    n = drive.parameters()["k_blocks_max"]
    rising, one_hot = np.arange(n)[None], (np.arange(n) == n // 2)[None] * LARGEST
    shapes = [rising, rising[:, ::-1], one_hot, np.zeros((3, n)), np.full((2, n), LARGEST),
              np.full((1, n), 0x7FC00000), np.concatenate([rising, rising[:, ::-1]])]
    tiles = [
        Tile(magnitudes.astype(np.int64), Selection.TOP, units)
        for magnitudes in shapes for units in {0, 1, n // 2, n}
    ]
    tiles += [
        Tile(magnitudes.astype(np.int64), Selection.THRESHOLD, threshold=threshold)
        for magnitudes in shapes for threshold in (0, n // 2, 0x7F7FFFFF, 0x7F800000)
    ]
    tiles = [replace(tile, by_k_block=by_k_block) for tile in tiles]
    await gather(load(dut, tiles), collect(dut, tiles))


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def matches_golden_on_random_tiles(dut, idle, stall):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(60, 1_000)
    tiles = [random_tile(rng, drive.parameters()["k_blocks_max"]) for _ in range(n)]
    await gather(load(dut, tiles, idle), collect(dut, tiles, stall))


@cocotb.test
async def tells_magnitudes_apart_that_differ_by_one(dut):
    await drive.reset(dut)
    rng, tiles = drive.rng(), []
    for _ in range(drive.amount(60, 1_000)):
        blocks = int(rng.integers(1, drive.parameters()["k_blocks_max"] + 1))
        middle = int(rng.integers(1, 0x7F800000))
        largest = middle + rng.integers(-1, 2, blocks)
        magnitudes = rng.permuted(np.stack([largest, rng.integers(0, largest + 1)]), axis=0)
        selection = Selection.TOP if rng.random() < 0.5 else Selection.THRESHOLD
        tiles.append(Tile(magnitudes, selection, int(rng.integers(1, blocks + 1)), middle,
                          by_k_block=bool(rng.random() < 0.5)))
    await gather(load(dut, tiles), collect(dut, tiles))


@cocotb.test
async def keeps_tags_through_a_long_stall(dut):
    await drive.reset(dut)
    rng = drive.rng()
    tiles = [random_tile(rng, drive.parameters()["k_blocks_max"]) for _ in range(6)]
    await gather(load(dut, tiles), collect(dut, tiles, drive.LongPause(1, 1_000)))


@cocotb.test
async def takes_exactly_the_documented_cycles(dut):
    await drive.reset(dut)
    k_blocks_max, radix_bits = (drive.parameters()[key] for key in ("k_blocks_max", "radix_bits"))
    rng = drive.rng()
    for blocks in range(1, k_blocks_max + 1):
        for selection, units in ((Selection.THRESHOLD, 0), *(
                (Selection.TOP, units) for units in {0, 1, blocks // 2, blocks - 1, blocks})):
            tile = Tile(rng.integers(0, 9, (2, blocks)), selection, units, 4)
            await load(dut, [tile])
            taken = drive.cycle()
            await collect(dut, [tile])
            cycles = drive.cycle() - taken
            documented = detection_cycles(
                blocks, search=selection is Selection.TOP and 0 < units < blocks,
                radix_bits=radix_bits)
            assert cycles == documented, (
                f"{selection}, {units} of {blocks} blocks: {cycles}, not {documented}")


@cocotb.test
@cocotb.parametrize(by_k_block=[False, True])
async def loads_the_next_tile_during_the_search_and_then_stalls(dut, by_k_block):
    await drive.reset(dut)
    blocks = drive.parameters()["k_blocks_max"]
    rng = drive.rng()
    first, second, third = (
        Tile(rng.integers(0, 99, (3, blocks)), Selection.TOP, 1, by_k_block=by_k_block)
        for _ in range(3)
    )
    start = drive.cycle()
    await load(dut, [first, second])
    assert drive.cycle() - start == 6 * blocks, "a tile did not load at one magnitude per cycle"
    loading = cocotb.start_soon(load(dut, [third]))
    await drive.ticks(dut, 500)
    assert not int(dut.i__ready.value), "a third tile was taken while both memories were busy"
    await collect(dut, [first])
    await drive.ticks(dut, 3 * blocks + 3)
    assert loading.done(), "the third tile waits for the second one's tags"
    await collect(dut, [second, third])


@pytest.mark.parametrize("k_blocks_max, radix_bits", [(9, 4), (1, 4), (2, 1), (40, 3)])
def test_outlier_detector(k_blocks_max, radix_bits):
    parameters = {"k_blocks_max": k_blocks_max, "radix_bits": radix_bits}
    name = f"outlier_detector_{k_blocks_max}_{radix_bits}"
    bench.simulate(OutlierDetector(**parameters), __name__, name, parameters=parameters)


@pytest.mark.parametrize("bad, sentence", [
    ({"k_blocks_max": 0}, "able to hold a K-block, not 0"),
    ({"k_blocks_max": 4, "radix_bits": 0}, "1 to 8 bits, not 0"),
])
def test_refuses_impossible_parameters(bad, sentence):
    with pytest.raises(ValueError, match=sentence):
        OutlierDetector(**bad)
