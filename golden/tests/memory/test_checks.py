"""Which jobs are refused, by which name, and which operands can lie nowhere."""

import numpy as np
import pytest

from golden.memory import Command, Fault, Machine
from golden.memory.checks import check_job, check_table
from golden.memory.descriptor import FIELD, JobFlag
from golden.memory.faults import CommandError
from golden.memory.jobs import JobKind, Output, Selection
from golden.memory.layouts import check_places
from golden.memory.tables import Table, tags_of

MACHINE = Machine(rows=4, cols=4, k_max=256, act_depth=48, tile_slots=8,
                  float_formats=("fp32", "fp16"),
                  outputs=tuple(set(Output) - {Output.MX6, Output.MX9}))

GEMM = {"kind": JobKind.GEMM, "m": 5, "n": 3, "k": 40, "tiles": 2}
PACKED, CONVERT, TRANSPOSED = (
    GEMM | {"kind": kind}
    for kind in (JobKind.GEMM_PACKED, JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED))

GOOD = [
    GEMM, PACKED, CONVERT, TRANSPOSED, GEMM | {"k": 256, "tiles": 3}, GEMM | {"units": 3},
    GEMM | {"tiles": 8, "k": 96}, GEMM | {"selection": Selection.HEAD, "units": 1},
    GEMM | {"selection": Selection.THRESHOLD, "threshold": 0x7F800000, "units": 99},
    GEMM | {"flags": 7}, CONVERT | {"flags": JobFlag.REORDER | JobFlag.MEASURE, "m": 0},
    PACKED | {"format": 3, "selection": 9, "units": 99, "table": 9},
    CONVERT | {"tiles": 99}, GEMM | {"output": Output.BF16, "format": 1}, GEMM | {"table": 99}]

BAD = [
    ("UNKNOWN_KIND", GEMM | {"kind": 4}), ("UNKNOWN_KIND", GEMM | {"kind": 128}),
    ("BAD_COMBINATION", GEMM | {"flags": 8}), ("BAD_COMBINATION", CONVERT | {"flags": 1}),
    ("BAD_COMBINATION", CONVERT | {"output": 1}), ("BAD_COMBINATION", PACKED | {"flags": 2}),
    ("BAD_COMBINATION", TRANSPOSED | {"flags": 4}), ("BAD_COMBINATION", PACKED | {"flags": 4}),
    ("ZERO_SIZE", GEMM | {"m": 0}), ("ZERO_SIZE", CONVERT | {"n": 0}),
    ("ZERO_SIZE", GEMM | {"k": 0}),
    ("K_TOO_LARGE", GEMM | {"k": 257, "tiles": 1}), ("K_TOO_LARGE", CONVERT | {"k": 257}),
    ("TILES_OUT_OF_RANGE", GEMM | {"tiles": 0}), ("TILES_OUT_OF_RANGE", PACKED | {"tiles": 9}),
    ("TILES_OUT_OF_RANGE", GEMM | {"k": 256, "tiles": 4}),
    ("TILES_OUT_OF_RANGE", GEMM | {"k": 97, "tiles": 8}),
    ("UNKNOWN_FORMAT", GEMM | {"format": 2}), ("UNKNOWN_FORMAT", CONVERT | {"format": 3}),
    ("UNKNOWN_OUTPUT", GEMM | {"output": Output.MX6}), ("UNKNOWN_OUTPUT", PACKED | {"output": 5}),
    ("UNKNOWN_SELECTION", GEMM | {"selection": 4}),
    ("TOO_MANY_UNITS", GEMM | {"units": 4}),
    ("TOO_MANY_UNITS", CONVERT | {"selection": Selection.HEAD, "units": 2}),
    ("BAD_THRESHOLD", GEMM | {"selection": Selection.THRESHOLD, "threshold": 0x7F800001}),
    ("BAD_THRESHOLD", GEMM | {"selection": Selection.THRESHOLD, "threshold": 1 << 31}),
    ("UNKNOWN_TABLE", GEMM | {"flags": JobFlag.REORDER, "table": 2}),
    ("UNKNOWN_TABLE", GEMM | {"selection": Selection.STATIC, "table": 2}),
    ("UNKNOWN_TABLE", PACKED | {"loads_tags": 1, "table": 2}),
    ("UNKNOWN_KIND", {"kind": 9, "flags": 8, "k": 300}),  # the first that holds
    ("BAD_COMBINATION", CONVERT | {"flags": 9, "k": 0})]


@pytest.mark.parametrize("values", GOOD)
def test_what_the_machine_can_do_is_taken(values):
    check_job(MACHINE, Command(**values))


@pytest.mark.parametrize("reason, values", BAD)
def test_what_it_cannot_do_is_refused_by_name(reason, values):
    with pytest.raises(CommandError) as error:
        check_job(MACHINE, Command(**values))
    assert (error.value.fault, error.value.detail) == (Fault.REFUSED, reason)


ORDER = np.roll(np.arange(40), 7)
STATIC = {"selection": Selection.STATIC}


@pytest.mark.parametrize("reason, values, order, tags", [
    ("", {"flags": JobFlag.REORDER}, ORDER, ()), ("", STATIC, (), (1, 0, 1)),
    ("", {}, (1, 1), (1,)), ("", {"kind": JobKind.GEMM_PACKED} | STATIC, (), ()),
    ("ORDER_DOUBLE", {"flags": JobFlag.REORDER}, [*ORDER[:-1], ORDER[0]], ()),
    ("ORDER_INCOMPLETE", {"flags": JobFlag.REORDER}, ORDER[:-1], ()),
    ("ORDER_INCOMPLETE", {"flags": JobFlag.REORDER}, (), ()),
    ("ORDER_INCOMPLETE", {"flags": JobFlag.REORDER}, [*ORDER[:-1], 77], ()),
    ("ORDER_INCOMPLETE", {"flags": JobFlag.REORDER}, np.arange(41), ()),
    ("TAGS_INCOMPLETE", STATIC, ORDER, (1, 0)), ("TAGS_INCOMPLETE", STATIC, ORDER, (1, 0, 1, 0))])
def test_a_table_fits_its_job_or_is_refused_by_name(reason, values, order, tags):
    table = Table(np.asarray(order, np.int64), np.asarray(tags, bool))
    command = Command(**(GEMM | values))
    if not reason:
        check_table(command, table)
        return
    with pytest.raises(CommandError) as error:
        check_table(command, table)
    assert (error.value.fault, error.value.detail) == (Fault.REFUSED, reason)


def test_tags_are_those_of_the_k_blocks_alone():
    assert tags_of(b"\xff\xff", 9).tolist() == [True] * 9


ALIGNED = [
    ("a", 4, {}), ("a", 2, {"format": 1}), ("a", 64, {"kind": JobKind.GEMM_PACKED}),
    ("b", 64, {}), ("c", 4, {}), ("c", 2, {"output": Output.FP16}),
    ("c", 64, {"output": Output.MX6}), ("c", 64, {"kind": JobKind.CONVERT}),
    ("bias", 4, {"flags": JobFlag.BIAS}), ("order", 64, {"loads_order": 1}),
    ("tags", 64, {"loads_tags": 1})]


@pytest.mark.parametrize("name, unit, values", [
    (f"{operand}{end}", unit, values) for operand, unit, values in ALIGNED
    for end in ("", "_stride", "_step_0", "_step_1") if f"{operand}{end}".upper() in FIELD])
def test_every_place_is_a_multiple(name, unit, values):
    values = GEMM | {"m": 1} | values
    for multiple in range(3):
        check_places(MACHINE, Command(**(values | {name: multiple * unit})))
    for wrong in {1, unit // 2, unit - 1, unit + 1}:
        with pytest.raises(CommandError, match=f"{name} is .*no multiple of {unit}") as error:
            check_places(MACHINE, Command(**(values | {name: wrong})))
        assert error.value.fault is Fault.UNALIGNED


@pytest.mark.parametrize("operand, unit, values", ALIGNED)
def test_every_address_is_one_of_the_bus(operand, unit, values):
    last = (1 << MACHINE.address_bits) - unit
    values = GEMM | {"m": 1} | values
    check_places(MACHINE, Command(**(values | {operand: last})))
    for beyond in (last + unit, 1 << 63):
        with pytest.raises(CommandError) as error:
            check_places(MACHINE, Command(**(values | {operand: beyond})))
        assert error.value.fault is Fault.OUTSIDE


@pytest.mark.parametrize("operand, values", [
    ("b", {"kind": JobKind.CONVERT}), ("bias", {}), ("order", {}), ("tags", {})])
def test_nobody_looks_at_an_operand_that_there_is_not(operand, values):
    check_places(MACHINE, Command(**(GEMM | {"m": 1} | values | {operand: (1 << 63) + 1})))


@pytest.mark.parametrize("values, stride", [
    ({}, 12), ({"output": Output.FP16}, 6), ({"output": Output.BF16, "n": 9}, 18)])
def test_rows_of_results_do_not_overlap(values, stride):
    values = GEMM | values
    check_places(MACHINE, Command(**(values | {"c_stride": stride})))
    short = values | {"c_stride": stride - (4 if stride == 12 else 2)}
    check_places(MACHINE, Command(**(short | {"m": 1})))
    with pytest.raises(CommandError) as error:
        check_places(MACHINE, Command(**short))
    assert error.value.fault is Fault.OVERLONG
