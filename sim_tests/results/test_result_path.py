"""From accumulators to queued results: anchors, biases, ragged tiles, releases, room, speed."""

from collections import deque

import cocotb
import numpy as np
import pytest

from golden.accumulator import to_fp32_bits
from golden.floats import add
from hw.array.mac_array import array_latency
from hw.contract.job_codes import Output
from hw.contract.result_rows import result_rows_layout
from hw.results.result_path import ResultPath, drain_latency
from hw.streams.stream_fifo import StreamFIFO
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over, small_config


def draw_tiles(rng, config, count, whole=False):
    """Draw what the array and the issuer say of tiles: fields of their ports by name."""
    rows, cols, groups = config.rows, config.cols, config.drain_cycles

    def anchors(lanes):
        around = rng.integers(110, 146, (count, lanes))
        return np.where(rng.random((count, lanes)) < 0.04, rng.choice([0, 1, 254, 255]), around)

    # Lanes of rows that the array lacks hold anything.
    length = rng.integers(1, config.acc_width, (count, groups, config.drain_lanes))
    accumulators = rng.integers(0, 1 << 62, length.shape) >> 62 - length
    accumulators = np.where(rng.random(length.shape) < 0.5, accumulators >> 1, ~accumulators >> 1)
    bias = rng.integers(0, 1 << 32, (count, cols))
    bias = np.where(rng.random(bias.shape) < 0.9, bias % (50 << 23) + (100 << 23), bias)
    bias = np.where(rng.random(bias.shape) < 0.1, rng.choice([0, 1 << 31]), bias)
    return {
        "tile": {
            "rows": np.full(count, rows) if whole else rng.integers(1, rows + 1, count),
            "cols": rng.integers(1, cols + 1, count),
            "output": rng.choice([output.value for output in Output], count),
            "has_bias": rng.integers(0, 2, count),
            "token_tile": rng.integers(0, config.tile_slots, count),
            "part": rng.integers(0, max(1, 16 // cols), count),
            "block_ends": rng.integers(0, 2, count),
            "k_blocks": rng.integers(1, config.k_blocks_max + 1, count),
            "releases_act": rng.integers(0, 2, count),
            "releases_weight": rng.integers(0, 2, count),
            "job_last": rng.integers(0, 2, count),
        },
        "act_anchors": anchors(rows), "weight_anchors": anchors(cols),
        "bias": bias, "rows": accumulators,
    }


def expected_groups(config, tiles):
    """Say what must leave, as fields of `result_rows_layout`, and which results count."""
    patterns = []
    there = []
    fields = {name: [] for name in ("rows", "cols", "output", "token_tile", "part", "block_ends",
                                    "tile_last", "job_last")}
    for number, accumulators in enumerate(tiles["rows"]):
        tile = {name: int(values[number]) for name, values in tiles["tile"].items()}
        act, weight = (tiles[f"{side}_anchors"][number] for side in ("act", "weight"))
        sums = accumulators.reshape(-1, config.cols)[: config.rows]
        numbers = to_fp32_bits(sums, act[:, None] + weight, config.fraction_bits,
                               (act[:, None] == 255) | (weight == 255))
        if tile["has_bias"]:
            biases = tiles["bias"][number].astype(np.uint32).view(np.float32)
            numbers = add(numbers.view(np.float32), biases).view(np.uint32)
        for row in range(0, tile["rows"], config.drain_rows):
            rows = min(config.drain_rows, tile["rows"] - row)
            is_there = np.zeros((config.drain_rows, config.cols), bool)
            is_there[:rows, : tile["cols"]] = True
            group = np.zeros(is_there.shape, np.uint32)
            group[:rows] = numbers[row : row + rows]
            patterns.append(np.where(is_there, group, 0).ravel())
            there.append(is_there.ravel())
            is_last = row + rows == tile["rows"]
            own = tile | {"rows": rows, "tile_last": is_last,
                          "job_last": is_last and tile["job_last"]}
            for name in fields:
                fields[name].append(int(own[name]))
    return fields | {"results": np.array(patterns)}, np.array(there)


class ArrayModel:
    """Plays issuer and array: ends tiles as early as it may, `latency` later drains them.

    Attributes
    ----------
    captured_at, left_at : list of int
        Cycles in which a tile was captured, in which a group left the queue.
    """

    def __init__(self, dut, config, tiles, idle):
        ports = ResultPath(config).signature.members
        self.dut, self.config, self.tiles, self.idle = dut, config, tiles, idle
        self.words = {name: drive.pack(ports[name].shape, tiles[name])
                      for name in ("tile", "act_anchors", "weight_anchors")}
        biases = np.ascontiguousarray(tiles["bias"].astype("<u4"))
        self.words["bias"] = [int.from_bytes(line.tobytes(), "little") for line in biases]
        self.rows = [drive.pack(ports["rows"].shape, groups) for groups in tiles["rows"]]
        self.widths = {name: len(getattr(dut, name)) for name in (*self.words, "rows")}
        self.captured_at, self.left_at = [], []

    async def run(self):
        """Run until every tile is drained."""
        config, dut, rng = self.config, self.dut, drive.rng("array")
        latency = array_latency(config)
        interval = max(config.drain_cycles, latency)
        room, may_end, cycle, quiet = config.result_depth, 0, 0, 0
        ahead, captures, draining = deque(range(len(self.rows))), deque(), deque()
        while ahead or captures or draining:
            ends = bool(ahead) and cycle >= may_end and room >= config.drain_cycles and (
                rng.random() >= self.idle)
            captured = bool(captures) and captures[0][0] == cycle
            junk = {name: int.from_bytes(rng.bytes(width // 8 + 1), "little") & (1 << width) - 1
                    for name, width in self.widths.items()}
            if ends:
                number = ahead.popleft()
                junk |= {name: words[number] for name, words in self.words.items()}
                captures.append((cycle + latency, number))
                may_end = cycle + interval
                room -= -(-int(self.tiles["tile"]["rows"][number]) // config.drain_rows)
            if captured:
                _, tile = captures.popleft()
                assert not draining, "the model drains two tiles at once"
                draining.extend(self.rows[tile])
                self.captured_at.append(cycle)
            row_valid = bool(draining)
            if row_valid:
                junk["rows"] = draining.popleft()
            for name, word in junk.items():
                getattr(dut, name).value = word
            dut.tile_ends.value, dut.captured.value = int(ends), int(captured)
            dut.row_valid.value = int(row_valid)
            await drive.ticks(dut, 1)  # what is read now was there before this edge
            self._check_releases(tile if captured else None)
            left = int(dut.row_left.value)
            assert left == (int(dut.o__valid.value) and int(dut.o__ready.value)), "row_left"
            room += left
            quiet = 0 if left or ends or row_valid else quiet + 1
            assert quiet < 1_000, f"hung with {len(ahead)} tiles to come"
            self.left_at += [cycle] * left
            cycle += 1
        for name in ("tile_ends", "captured", "row_valid"):
            getattr(dut, name).value = 0
        while True:
            await drive.ticks(dut, 1)
            self.left_at += [cycle] * int(dut.row_left.value)
            cycle += 1

    def _check_releases(self, tile):
        """Compare what is released in the cycle of a capture; nothing is in others."""
        for side in ("act", "weight"):
            expected = 0 if tile is None else int(self.tiles["tile"][f"releases_{side}"][tile])
            assert int(getattr(self.dut, f"releases_{side}").value) == expected, f"{side} {tile}"
        if tile is not None:
            assert int(self.dut.released_blocks.value) == self.tiles["tile"]["k_blocks"][tile]


async def drain(dut, tiles, idle=0.0, stall=0.0):
    """Send tiles through, compare every group, and return the model."""
    config = configuration()
    await drive.reset(dut)
    array = ArrayModel(dut, config, tiles, idle)
    expected, there = expected_groups(config, tiles)
    running = cocotb.start_soon(array.run())
    words = await drive.receive(dut, "o", len(there), stall)
    running.cancel()
    actual = drive.unpack(result_rows_layout(config), words)
    actual["results"] = np.where(there, actual["results"], 0)
    drive.compare(actual, expected, "group")
    return array


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5, 0.9, drive.LongPause(40, 300)])
async def drains_ragged_tiles(dut, idle, stall):
    rng, config = drive.rng(), configuration()
    await drain(dut, draw_tiles(rng, config, drive.amount(150, 2_000)), idle, stall)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def never_stalls_the_array(dut):
    config, count = configuration(), 60
    array = await drain(dut, draw_tiles(drive.rng(), config, count, whole=True))
    interval = max(config.drain_cycles, array_latency(config))
    assert list(np.diff(array.captured_at)) == [interval] * (count - 1)
    latency = drain_latency(config) + StreamFIFO.latency
    expected = [cycle + latency + group for cycle in array.captured_at
                for group in range(config.drain_cycles)]
    assert array.left_at == expected[: len(array.left_at)], "a group left early or late"
    assert len(array.left_at) >= len(expected) - 1  # the last leaves as the model is stopped


@pytest.mark.parametrize("rows, cols, drain_rows, stages", [
    (2, 3, 1, 0),  # tiles come as close as biases allow
    (1, 2, 1, 0), (5, 2, 2, 1), (3, 4, 2, 2), (8, 2, 4, 0), (3, 1, 4, 1),
])
def test_result_path(rows, cols, drain_rows, stages):
    config = small_config(rows=rows, cols=cols, drain_lanes=drain_rows * cols, cell_stages=stages)
    bench.simulate(ResultPath(config), __name__, f"result_path_{rows}x{cols}_{drain_rows}",
                   parameters=handed_over(config))
