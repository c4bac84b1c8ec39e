"""Blocks as lists of commands made from shapes."""

from dataclasses import replace

import numpy as np
import pytest

from golden.memory import Command, Operation
from golden.memory.jobs import JobKind, Selection
from hw.contract.config import Config
from perf.blocks.block_list import DESCRIPTORS, BlockList
from perf.blocks.by_shape import schedule_by_shape
from perf.blocks.figures import BlockFigures, PartFigures, measure
from perf.blocks.models import MODELS, Blocks, dit, pixart, sd3
from perf.rtl.bus_schedule import Latencies, predict_list
from perf.rtl.described_lists import describe_list
from perf.workloads import load_models

SMALL = Config.sized(rows=4, cols=4, k_max=256, bus_bytes=32, vector_lanes=2)

LARGE = Config.sized(bus_bytes=32, vector_lanes=2)

TINY = {"dit": dit(32, 2, 16, 16), "pixart": pixart(32, 2, 16, 5, 8), "sd3": sd3(32, 2, 16, 5, 8)}


@pytest.mark.parametrize("name", MODELS)
def test_a_block_has_the_multiplications_of_its_workload(name):
    """Of a sample; but not adaLN's, of one row per sample, which are no part of the lists."""
    blocks = MODELS[name]
    model = load_models()[blocks.workload]
    block = next(each for each in model.blocks if each.name == "block 1")
    expected = sum(gemm.macs for gemm in block.gemms if gemm.m > model.batch) // model.batch
    assert sum(part.count * part.make(LARGE).multiplications
               for part in blocks.parts) == expected


@pytest.mark.parametrize("name", TINY)
def test_shapes_say_as_much_as_numbers_where_all_is_mx6(name):
    """But for norms, whose cycles follow from numbers: these are given to both."""
    for part in TINY[name]:
        commands = part.make(SMALL).commands
        by_shape = [schedule_by_shape(SMALL, each) for each in commands]
        memory = np.zeros(1 << 20, np.uint8)
        assert max(max(each.a, each.b, each.c) for each in commands) < len(memory) // 2
        described, _ = describe_list(SMALL, commands, memory, 0, (0, DESCRIPTORS))
        described = [replace(numbers, row_cycles=shape.row_cycles)
                     for numbers, shape in zip(described, by_shape, strict=True)]
        found, expected = (predict_list(SMALL, each, Latencies(20, 20), ring=(0, DESCRIPTORS))
                           for each in (by_shape, described))
        assert found == expected


def test_a_part_that_is_there_more_often_counts_as_often():
    one, two = (PartFigures("a part", count, 100, 1024, ()) for count in (1, 2))
    figures = BlockFigures("a block", SMALL, (one, two))
    assert (figures.cycles, figures.multiplications) == (300, 3072)
    assert figures.busy == 3072 / (16 * 16 * 300)


def test_a_block_is_measured_command_by_command():
    figures = measure(Blocks("tiny", "", TINY["pixart"]), SMALL)
    assert [part.name for part in figures.parts] == ["image", "caption"]
    assert 0 < figures.busy < 1
    for part in figures.parts:
        assert sum(cycles for _, cycles in part.commands) == part.cycles
    assert figures.parts[1].commands[-1][0] == "convert 2 times 5 x 16"


def test_a_gemm_whose_blocks_are_looked_at_is_tagged():
    commands = TINY["dit"][0].make(SMALL).commands
    gemm = next(each for each in commands if each.operation == Operation.JOB.value
                and each.kind == JobKind.GEMM.value)
    for selection in Selection:
        fields = gemm.describe() | {"selection": selection.value, "units": 0}
        job, *_ = schedule_by_shape(SMALL, Command(**fields)).jobs
        assert job.untagged == (selection is Selection.HEAD)


def test_a_list_without_commands_has_no_multiplications():
    assert BlockList(SMALL).multiplications == 0
