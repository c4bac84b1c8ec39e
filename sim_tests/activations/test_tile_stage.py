"""From aligned blocks to rounded ones: all kinds of jobs, all selections, room, full rate."""

from fractions import Fraction
from itertools import pairwise

import cocotb
import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In
from cocotb.triggers import gather

from golden import MX6, MX9, Policy, apply_policy, quantize
from golden.mx import to_blocks
from hw.activations.outlier_detector import OutlierDetector, detection_cycles
from hw.activations.tile_stage import TileStage
from hw.blocks.block_aligner import BlockAligner, largest_in_fours
from hw.blocks.widen import Elements
from hw.contract.job_codes import AnyKind, JobKind, Selection
from hw.contract.outlier_policy import Tag, magnitude_layout, policy_layout
from hw.contract.tile_block import tile_block_layout
from hw.streams.register_slice import register_slice
from hw.streams.stream_buffer import StreamBuffer
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over, matrix, small_config
from sim_tests.stimuli.tile_blocks import OF_ROWS, TiledJob, job_words, stream_fields

KINDS = (JobKind.GEMM, JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED)
TAGGED = {"tags_o": KINDS[1:], "pass_tags": (AnyKind.VECTOR_PACKED,)}
"""Whose tags leave, by the stream."""
BLIND = (Selection.STATIC, Selection.HEAD)
"""Selections that do not look at magnitudes."""


def tag_streams(config):
    """List the streams of tags that a machine has."""
    return [name for name in TAGGED if name != "pass_tags" or config.vector_lanes]


def arriving_layout(config):
    """Describe a block at the bench's input; its magnitude is found by the aligner."""
    return data.StructLayout({
        "elements": Elements, "place": magnitude_layout(config.k_blocks_max), "untagged": 1,
        "policy": policy_layout(config.k_blocks_max)})


class DetectingStage(wiring.Component):
    """A `TileStage` behind the aligner that feeds it, with its `OutlierDetector`."""

    def __init__(self, config):
        self.config, self.stage = config, TileStage(config)
        kept = ("jobs", "static_tags", "o", *tag_streams(config))
        super().__init__({name: self.stage.signature.members[name] for name in kept} | {
            "i": In(stream.Signature(arriving_layout(config)))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.stage = stage = self.stage
        m.submodules.aligner = aligner = BlockAligner()
        m.submodules.detector = detector = OutlierDetector(k_blocks_max=self.config.k_blocks_max)
        for name in ("jobs", "static_tags", "o", *tag_streams(self.config)):
            wiring.connect(m, getattr(stage, name), wiring.flipped(getattr(self, name)))
        wiring.connect(m, detector.o, stage.tags)
        aligned = aligner.o
        # What the detector must know goes through registers that move as the aligner's do.
        places = [stream.Signature(arriving_layout(self.config)).create(path=(f"place_{stage}",))
                  for stage in range(aligner.latency)]
        for before, after in pairwise(places):
            register_slice(m, before, after, before.p)
        m.submodules.leaves = leaves = StreamBuffer(arriving_layout(self.config))
        wiring.connect(m, places[-1], leaves.i)
        m.d.comb += [places[0].p.eq(self.i.p), places[0].valid.eq(self.i.valid),
                     leaves.o.ready.eq(aligned.ready)]
        beside, magnitudes = leaves.o.p, [element[:-1] for element in self.i.p.elements]
        takes = detector.i.ready | beside.untagged
        m.d.comb += [
            aligner.i.p.elements.eq(self.i.p.elements), aligner.i.valid.eq(self.i.valid),
            *(place.eq(found) for place, found in zip(
                aligner.i.p.largest_at, largest_in_fours(m, magnitudes), strict=True)),
            self.i.ready.eq(aligner.i.ready),
            stage.i.p.eq(aligned.p.block), stage.i.valid.eq(aligned.valid & takes),
            detector.i.p.eq(beside.place), detector.i.p.magnitude.eq(aligned.p.largest),
            detector.policy.eq(beside.policy),
            detector.i.valid.eq(aligned.valid & stage.i.ready & ~beside.untagged),
            aligned.ready.eq(stage.i.ready & takes),
        ]
        return m


def tables(config):
    """Draw the static tags of every table, the same ones throughout a test."""
    return drive.rng("tables").random((config.tables, config.k_blocks_max)) < 0.5


def draw(rng, config, kind, rows, k, selection):
    """Draw a job and what golden makes of it."""
    x, blocks = matrix(rng, rows, k, nans=int(rng.integers(0, 2))), -(-k // 16)
    lanes = config.rows if kind in OF_ROWS else config.cols
    table, units = int(rng.integers(config.tables)), int(rng.integers(0, blocks + 1))
    fields = {"selection": selection.value, "units": units,
              "threshold": int(np.abs(x).view(np.uint32)[0, 0] & 0x7F7FFFFF)}
    if selection is Selection.HEAD:
        fields["units"] = units = int(rng.integers(0, 2))
        tensor = quantize(x, MX9 if units else MX6, rounding=config.rounding)
        return TiledJob(x, tensor, kind, fields)
    policy = {
        Selection.TOP: {"fraction": Fraction(units, blocks), "scope": "tile"},
        Selection.THRESHOLD: {
            "selection": "threshold", "threshold": np.uint32(fields["threshold"]).view(np.float32)},
        Selection.STATIC: {
            "selection": "static", "fraction": 1, "static_tags": tables(config)[table, :blocks]},
    }[selection]
    tensor = apply_policy(x, Policy(tile_rows=lanes, **policy), config.rounding)
    return TiledJob(x, tensor, kind, fields, table)


def arriving_words(config, job):
    """Pack a job's blocks as they come: row by row, or K-block by K-block."""
    rng, words = drive.rng("ignored"), []
    policy = dict(job.policy)
    if Selection(policy["selection"]) in BLIND:  # what is then detected must not matter
        policy["selection"] = int(rng.integers(0, 2))
    order = "F" if job.kind is JobKind.CONVERT_TRANSPOSED else "C"
    for x, tensor in job.tiles(config):
        row, k_block = (index.ravel(order) for index in np.indices(tensor.exponent.shape))
        words += drive.pack(arriving_layout(config), {
            "elements": to_blocks(x, -1)[row, k_block].view(np.uint32),
            "place": {"k_block": k_block, "row_first": row == 0,
                      "tile_last": np.arange(row.size) == row.size - 1},
            "policy": policy, "untagged": job.is_untagged})
    return words


class Watch:
    """Note when blocks and tags are transferred, and answer for the table of static tags."""

    def __init__(self, dut, config):
        self.dut, self.tables = dut, tables(config)
        self.cycles = {name: [] for name in ("i", "o", *tag_streams(config))}

    async def follow(self):
        """Watch for ever."""
        dut = self.dut
        while True:
            await drive.ticks(dut, 1)
            for name, cycles in self.cycles.items():
                if int(getattr(dut, f"{name}__valid").value) and int(
                        getattr(dut, f"{name}__ready").value):
                    cycles.append(drive.cycle())
            if int(dut.static_tags__en.value):
                table, k_block = (int(getattr(dut, f"static_tags__{name}").value)
                                  for name in ("table", "k_block"))
                dut.static_tags__is_mx9.value = int(self.tables[table, k_block])


async def convert(dut, jobs, idle=0.0, stall=0.0, tag_stall=0.0):
    """Run jobs, compare all that comes out, return when it came."""
    config = configuration()
    await drive.reset(dut)
    watch = Watch(dut, config)
    watching = cocotb.start_soon(watch.follow())
    tiles, streams = stream_fields(config, jobs), tag_streams(config)
    tagged = {name: [tensor.is_mx9[0] for job in jobs if job.kind in TAGGED[name]
                     for _, tensor in job.tiles(config)] for name in streams}
    sizes = [len(fields["row"]) for fields in tiles]
    _, _, blocks, *tags = await gather(
        drive.send(dut, "jobs", job_words(config, jobs), idle),
        drive.send(dut, "i", [word for job in jobs for word in arriving_words(config, job)], idle),
        drive.receive(dut, "o", sum(sizes), stall),
        *(drive.receive(dut, name, sum(map(len, tagged[name])), tag_stall) for name in streams))
    for name in ("o", *streams):
        getattr(dut, f"{name}__ready").value = 1
    await drive.ticks(dut, 20)
    watching.cancel()
    counts = [len(watch.cycles[name]) for name in ("o", *streams)]
    assert counts == [len(blocks), *map(len, tags)], "more came than there is"
    for number, (fields, end) in enumerate(zip(tiles, np.cumsum(sizes), strict=True)):
        actual = drive.unpack(tile_block_layout(config), blocks[end - sizes[number] : end])
        drive.compare(actual, fields, f"tile {number}", idle=idle, stall=stall)
    for name, words in zip(streams, tags, strict=True):
        if tagged[name]:
            last = np.concatenate([np.arange(len(each)) == len(each) - 1 for each in tagged[name]])
            drive.compare(drive.unpack(Tag, words),
                          {"is_mx9": np.concatenate(tagged[name]), "last": last}, name)
        check_order(config, jobs, watch, name)
    return watch.cycles


def check_order(config, jobs, watch, name):
    """Check that each tag of a stream had left before the first block of its K-block did."""
    tags, blocks, at = watch.cycles[name], watch.cycles["o"], 0
    sent = 0
    for job in jobs:
        for _, tensor in job.tiles(config):
            rows, k_blocks = tensor.exponent.shape
            for k_block in range(k_blocks if job.kind in TAGGED[name] else 0):
                assert tags[sent] < blocks[at + k_block * rows], f"tag {sent} came late"
                sent += 1
            at += rows * k_blocks


def all_kinds(rng, config, count):
    """Draw jobs of every kind and selection, of up to three whole tiles and a ragged one."""
    lanes = max(config.rows, config.cols)
    kinds = (*KINDS, AnyKind.VECTOR_PACKED) if config.vector_lanes else KINDS
    chosen = [(kind, selection) for kind in kinds for selection in Selection]
    for number in range(count):
        kind, selection = chosen[number % len(chosen)]
        rows = int(rng.integers(1, 3 * lanes + 2))
        yield draw(rng, config, kind, rows, int(rng.integers(1, config.k_max + 1)), selection)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5], tag_stall=[0.0, 0.8])
async def matches_golden_in_all_kinds_of_jobs(dut, idle, stall, tag_stall):
    rng, config = drive.rng(), configuration()
    jobs = list(all_kinds(rng, config, drive.amount(24, 120)))
    await convert(dut, [jobs[index] for index in rng.permutation(len(jobs))], idle, stall,
                  tag_stall)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(kind=KINDS)
async def converts_every_number_of_k_blocks(dut, kind):
    rng, config = drive.rng(), configuration()
    lengths = {1, *range(16, config.k_max + 1, 16), max(1, config.k_max - 1)}
    await convert(dut, [draw(rng, config, kind, config.rows + config.cols, k, Selection.STATIC)
                        for k in sorted(lengths)])


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(kind=KINDS)
async def keeps_all_through_long_stalls(dut, kind):
    rng, config = drive.rng(), configuration()
    jobs = [draw(rng, config, kind, 5 * config.cols, config.k_max, Selection.TOP)
            for _ in range(2)]
    await convert(dut, jobs, stall=drive.LongPause(config.k_blocks_max, 1_000),
                  tag_stall=drive.LongPause(1, 500))


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(kind=KINDS)
async def hands_out_a_block_per_cycle_from_tile_to_tile(dut, kind):
    """Two tiles of two jobs are stored and tagged, while ``o`` stalls; then all leave in a row."""
    rng, config = drive.rng(), configuration()
    lanes = config.rows if kind is JobKind.GEMM else config.cols
    blocks = min(config.stage_depth // (2 * lanes), config.k_blocks_max)
    jobs = [draw(rng, config, kind, lanes, min(16 * blocks, config.k_max), Selection.TOP)
            for _ in range(2)]
    cycles = await convert(dut, jobs, stall=drive.LongPause(0, 1_000))
    assert np.all(np.diff(cycles["o"]) == 1), np.diff(cycles["o"])
    assert np.all(np.diff(cycles["i"]) == 1), np.diff(cycles["i"])


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(kind=KINDS)
async def starts_as_soon_as_the_tile_is_tagged(dut, kind):
    rng, config = drive.rng(), configuration()
    lanes = config.rows if kind is JobKind.GEMM else config.cols
    for blocks in {1, config.k_blocks_max}:
        job = draw(rng, config, kind, lanes, min(16 * blocks, config.k_max), Selection.THRESHOLD)
        cycles = await convert(dut, [job])
        first_tag = detection_cycles(blocks, search=False) - (blocks - 1)
        assert cycles["o"][0] - cycles["i"][-1] == (
            BlockAligner.latency + first_tag + TileStage.latency)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def hands_out_untagged_blocks_as_they_come(dut):
    rng, config = drive.rng(), configuration()
    x = matrix(rng, 3 * config.rows + 1, config.k_max, nans=1)
    job = TiledJob(x, quantize(x, MX6, rounding=config.rounding),
                   policy={"selection": Selection.HEAD.value, "units": 0})
    cycles = await convert(dut, [job], idle=drive.LongPause(1, 10))  # its tile is announced then
    took = np.subtract(cycles["o"], cycles["i"])[1:]
    assert np.all(took == BlockAligner.latency + TileStage.untagged_latency), took


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def stores_later_tiles_as_far_as_there_is_room(dut):
    """The first tile waits at ``o``; its room goes to others only when all of it has been read."""
    rng, config = drive.rng(), configuration()
    for kind in (JobKind.GEMM,) if config.rows > config.cols else KINDS[1:]:
        tile = config.tile_rows_max * config.k_blocks_max
        assert 3 < tile and config.stage_depth < 3 * tile  # more than wait in registers
        job = draw(rng, config, kind, 4 * config.tile_rows_max, config.k_max, Selection.THRESHOLD)
        cycles = await convert(dut, [job], stall=drive.LongPause(0, 1_000))
        early = sum(cycle < cycles["o"][0] for cycle in cycles["i"])
        # The buffer behind the aligner holds one block more than the cycles that it takes.
        assert early == config.stage_depth + BlockAligner.latency + 1, f"{early} blocks were taken"


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(kind=KINDS)
async def loses_no_tag_when_more_are_settled_than_can_wait(dut, kind):
    """Many small tiles are stored and tagged before the first block leaves."""
    rng, config = drive.rng(), configuration()
    jobs = [draw(rng, config, kind, 1, k, Selection.STATIC)
            for k in [config.k_max] * 6 + [1] * config.stage_depth]
    await convert(dut, jobs, stall=drive.LongPause(0, 1_000))


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(kind=[JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED])
async def hands_out_a_tiles_tags_while_its_blocks_stall(dut, kind):
    rng, config = drive.rng(), configuration()
    job = draw(rng, config, kind, 2 * config.cols, config.k_max, Selection.TOP)
    cycles = await convert(dut, [job], stall=drive.LongPause(0, 1_000))
    assert cycles["tags_o"][config.k_blocks_max - 1] < cycles["o"][0]


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def forgets_everything_at_reset(dut):
    rng, config = drive.rng(), configuration()
    for cycles in (3, 20, 40, 60):
        jobs = list(all_kinds(rng, config, 5))
        await drive.reset(dut)
        tasks = [cocotb.start_soon(task) for task in (
            drive.send(dut, "jobs", job_words(config, jobs)),
            drive.send(dut, "i", [word for job in jobs for word in arriving_words(config, job)]),
            drive.receive(dut, "o", 1_000, 0.5), drive.receive(dut, "tags_o", 1_000, 0.5))]
        await drive.ticks(dut, cycles)
        for task in tasks:
            task.cancel()
        await convert(dut, jobs)


@pytest.mark.parametrize("name, changes", [
    ("2x3", {"rows": 2, "cols": 3, "k_max": 80}),
    ("5x1", {"rows": 5, "cols": 1, "k_max": 64, "stage_depth": 51, "rounding": "truncate"}),
    ("1x4", {"rows": 1, "cols": 4, "k_max": 1, "stage_depth": 9, "tables": 1}),
])
def test_tile_stage(name, changes):
    config = small_config(**changes)
    bench.simulate(DetectingStage(config), __name__, f"tile_stage{name}",
                   parameters=handed_over(config))
