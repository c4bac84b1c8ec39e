"""Reads that do not wait for what they read are found; others are none of its business."""

import numpy as np
import pytest

from golden import MX6, quantize
from golden.memory import Command, FenceError
from golden.memory.descriptor import JobFlag
from golden.memory.jobs import JobKind
from golden.packing import weight_stream
from golden.tests.memory.ring_bench import Bench, job


def chain(bench, operand):
    """Place three commands, the last of which reads what the first writes; return all."""
    k, rows = 16, 4
    x = bench.place(bench.matrix(rows, k).tobytes())
    w, stride = bench.place_tiles(weight_stream(quantize(bench.matrix(k, k), MX6, axis=0), 4, 16))
    gemm = {"m": rows, "n": k, "k": k, "a": x, "b": w, "a_stride": 4 * k, "b_stride": stride,
            "c_stride": 4 * k}
    other = job(JobKind.GEMM, c=bench.room(4096), **gemm)
    if operand == "b":
        writer = job(JobKind.CONVERT, n=k, k=k, a=bench.place(bench.matrix(k, k).tobytes()),
                     a_stride=4 * k, c=bench.room(4096), c_stride=1024)
        reads = {"b": writer.c, "b_stride": 1024}
    else:
        writer = job(JobKind.GEMM, c=bench.room(4096), **gemm)
        reads = {"a": {"a": writer.c},
                 "bias": {"bias": writer.c + 64, "flags": JobFlag.BIAS}}[operand]
    reader = job(JobKind.GEMM, **gemm | {"c": bench.room(4096)} | reads)
    return [writer, other, reader]


WAITS = {"a": "wait_a", "b": "wait_b", "bias": "wait_side"}


@pytest.mark.parametrize("operand", WAITS)
@pytest.mark.parametrize("distance, is_found", [(0, True), (1, False), (2, False), (3, True)])
def test_a_read_waits_for_its_writer_or_for_one_behind_it(operand, distance, is_found):
    bench = Bench(checks_fences=True)
    *before, reader = chain(bench, operand)
    reader = Command(**(reader.describe() | {WAITS[operand]: distance}))
    if not is_found:
        bench.ring.submit([*before, reader])
        assert bench.ring.completed == 3
        return
    with pytest.raises(FenceError, match=(
            f"command 2 of the list reads as {operand} what command 0 writes: {WAITS[operand]} "
            "must be from 1 to 2")):
        bench.ring.submit([*before, reader])


def test_another_doorbell_is_rung_when_the_list_before_has_ended():
    bench = Bench(checks_fences=True)
    *before, reader = chain(bench, "a")
    bench.ring.submit(before)
    bench.ring.submit([reader])
    assert bench.ring.completed == 3


def test_the_last_writer_counts():
    bench = Bench(checks_fences=True)
    writer, _, reader = chain(bench, "a")
    reader = Command(**(reader.describe() | {"wait_a": 2}))
    with pytest.raises(FenceError, match="what command 1 writes: wait_a must be from 1 to 1"):
        bench.ring.submit([writer, writer, reader])


def test_own_results_cannot_be_waited_for():
    bench = Bench(checks_fences=True)
    command = chain(bench, "a")[0]
    command = Command(**(command.describe() | {"count_0": 2, "a": command.c, "wait_a": 1}))
    with pytest.raises(FenceError, match=r"command 0 of the list .* command 0 .*no wait can help"):
        bench.ring.submit([command])


def test_without_the_option_a_list_runs_in_its_order():
    bench = Bench()
    commands = chain(bench, "a")
    bench.ring.submit(commands)
    assert bench.ring.completed == len(commands)
    assert np.any(bench.data)
