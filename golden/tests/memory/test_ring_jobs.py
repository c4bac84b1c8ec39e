"""Jobs of a list: every byte of memory after them."""

from dataclasses import replace

import numpy as np
import pytest

import golden
from golden import MX6, MX9, Policy, quantize
from golden.memory import Fault
from golden.memory.descriptor import JobFlag
from golden.memory.jobs import JobKind, Output, Selection
from golden.packing import activation_tiles, weight_stream
from golden.tests.memory.ring_bench import BASE, MACHINE, Bench, at_strides, job, rows_of, small_job


@pytest.mark.parametrize("output", [Output.FP32, Output.FP16, Output.BF16])
@pytest.mark.parametrize("bias", [False, True])
def test_a_gemm_of_numbers_writes_rows(output, bias):
    bench = Bench()
    m, n, k, a_stride, c_stride = 9, 6, 50, 50 * 4 + 12, 6 * 4 + 8
    a, w = bench.matrix(m, k), quantize(bench.matrix(k, n), MX9, axis=0)
    biases = bench.matrix(n)
    at = bench.room(m * a_stride)
    for row in range(m):
        bench.memory.write(at + row * a_stride, a[row].tobytes())
    b, b_stride = bench.place_tiles(weight_stream(w, 4, 16))
    c, side = bench.room(m * c_stride), bench.place(biases.tobytes())
    expected = golden.gemm(
        golden.apply_policy(a, Policy(fraction=0.25, scope="tile", tile_rows=4)), w, k_max=256,
        bias=biases if bias else None, output=output.name)
    bench.run(job(JobKind.GEMM, m=m, n=n, k=k, output=output, units=1, a=at, b=b, c=c, bias=side,
                  flags=JobFlag.BIAS * bias, a_stride=a_stride, b_stride=b_stride,
                  c_stride=c_stride, interrupt=1),
              writes=at_strides(c, c_stride, rows_of(expected)))
    assert (bench.ring.completed, bench.ring.interrupts, bench.ring.fault) == (1, 1, Fault.NONE)


@pytest.mark.parametrize("output", [Output.MX6, Output.MX9])
def test_packed_results_are_the_next_jobs_activations(output):
    bench = Bench()
    m, n, k = 6, 40, 33
    a = quantize(bench.matrix(m, k), MX9)
    first, second = (quantize(bench.matrix(*shape), MX6, axis=0) for shape in ((k, n), (n, 5)))
    at, a_stride = bench.place_tiles(activation_tiles(a, 4, 32))
    b, b_stride = bench.place_tiles(weight_stream(first, 4, 16))
    b2, b2_stride = bench.place_tiles(weight_stream(second, 4, 16))
    middle = quantize(golden.gemm(a, first, k_max=256), MX6 if output is Output.MX6 else MX9)
    packets = activation_tiles(middle, 4, 32)
    stride = -(-max(map(len, packets)) // 64) * 64
    c, c2 = bench.room(2 * stride), bench.room(m * 20)
    expected = golden.gemm(middle, second, k_max=256)
    bench.run(
        job(JobKind.GEMM_PACKED, m=m, n=n, k=k, output=output, a=at, b=b, c=c, a_stride=a_stride,
            b_stride=b_stride, c_stride=stride),
        job(JobKind.GEMM_PACKED, m=m, n=5, k=n, a=c, b=b2, c=c2, a_stride=stride,
            b_stride=b2_stride, c_stride=20, wait_a=1),
        writes=at_strides(c, stride, packets) + at_strides(c2, 20, rows_of(expected)))
    assert bench.ring.completed == 2


@pytest.mark.parametrize("transposed", [False, True])
def test_conversions_make_weights(transposed):
    bench = Bench()
    n, k = 7, 35
    x = bench.matrix(k, n) if transposed else bench.matrix(n, k)
    packets = weight_stream(golden.convert(
        x, Policy(fraction=1, selection="threshold", threshold=2.0, scope="tile", tile_rows=4),
        transposed=transposed), 4, 16)
    stride = -(-max(map(len, packets)) // 64) * 64
    at, c = bench.place(x.tobytes()), bench.room(stride * 2)
    kind = JobKind.CONVERT_TRANSPOSED if transposed else JobKind.CONVERT
    command = job(kind, n=n, k=k, selection=Selection.THRESHOLD, threshold=0x40000000, a=at, c=c,
                  a_stride=x.shape[1] * 4, c_stride=stride)
    bench.run(command, writes=at_strides(c, stride, packets))


def test_one_descriptor_is_all_heads_of_all_samples():
    bench = Bench()
    heads, samples, tokens, d = 3, 2, 5, 16
    q = bench.matrix(samples, tokens, heads, d)
    keys = bench.matrix(samples, heads, d, tokens)
    tiles = [[weight_stream(quantize(keys[s, h], MX6, axis=0), 4, 16) for h in range(heads)]
             for s in range(samples)]
    stride = 64 * -(-max(len(packet) for s in tiles for h in s for packet in h) // 64)
    at, b = bench.place(q.tobytes()), bench.room(stride * 2 * heads * samples)
    c = bench.room(samples * heads * tokens * tokens * 4)
    row, head, sample = tokens * 4, tokens * tokens * 4, heads * tokens * tokens * 4
    writes = []
    for s in range(samples):
        for h in range(heads):
            for number, packet in enumerate(tiles[s][h]):
                bench.memory.write(b + ((s * heads + h) * 2 + number) * stride, packet)
            scores = golden.gemm(quantize(q[s, :, h], MX6), quantize(keys[s, h], MX6, axis=0),
                                 k_max=256)
            writes += at_strides(c + s * sample + h * head, row, rows_of(scores))
    bench.run(job(JobKind.GEMM, m=tokens, n=tokens, k=d, a=at, b=b, c=c, a_stride=heads * d * 4,
                  b_stride=stride, c_stride=row, count_0=heads, count_1=samples, a_step_0=d * 4,
                  a_step_1=tokens * heads * d * 4, b_step_0=2 * stride,
                  b_step_1=2 * heads * stride, c_step_0=head, c_step_1=sample), writes=writes)


def test_tables_are_loaded_and_stay():
    bench = Bench()
    m, n, k = 5, 4, 40
    a, order = bench.matrix(m, k), bench.rng.permutation(k)
    tags = np.array([True, False, True])
    policy = Policy(fraction=1, selection="static", static_tags=tags, scope="tile", tile_rows=4,
                    order="calibrated", permutation=order)
    w = quantize(bench.matrix(k, n), MX6, axis=0)
    at, b = bench.place(a.tobytes()), bench.place_tiles(weight_stream(w, 4, 16))[0]
    order_at = bench.place(order.astype("<u2").tobytes())
    tags_at = bench.place(np.packbits(tags, bitorder="little").tobytes())
    c, c2 = bench.room(m * 16), bench.room(m * 16)
    expected = rows_of(golden.gemm(golden.apply_policy(a, policy), w, k_max=256))
    common = {"m": m, "n": n, "k": k, "a": at, "b": b, "a_stride": k * 4, "b_stride": 1024,
              "c_stride": 16, "flags": JobFlag.REORDER, "selection": Selection.STATIC, "table": 1}
    bench.run(job(JobKind.GEMM, c=c, loads_order=1, loads_tags=1, order=order_at, tags=tags_at,
                  **common), job(JobKind.GEMM, c=c2, **common),
              writes=at_strides(c, 16, expected) + at_strides(c2, 16, expected))


@pytest.mark.parametrize("wrong, refusal", [
    ({3: 256}, "ORDER_INCOMPLETE"), ({3: 65535, 9: 256}, "ORDER_INCOMPLETE"),
    ({3: 256, 9: 8}, "ORDER_DOUBLE"), ({9: 8}, "ORDER_DOUBLE")])
def test_channels_that_the_machine_does_not_have_are_left_out_of_an_order(wrong, refusal):
    bench = Bench()
    order = np.arange(16)
    for place, channel in wrong.items():
        order[place] = channel
    at = bench.place(order.astype("<u2").tobytes())
    bench.ring.submit([small_job(bench, loads_order=1, order=at, flags=JobFlag.REORDER)[0]])
    assert (bench.ring.fault, bench.ring.refusal) == (Fault.REFUSED, refusal)


@pytest.mark.parametrize("what", ["order", "tags"])
def test_what_cannot_be_read_leaves_an_empty_table(what):
    """What it held before is gone, so that nobody takes it for what was asked for."""
    bench = Bench()
    order = bench.place(np.arange(16).astype("<u2").tobytes())
    tags = bench.place(b"\1")
    uses = {"flags": JobFlag.REORDER, "selection": Selection.STATIC}
    good, _ = small_job(bench, loads_order=1, order=order, loads_tags=1, tags=tags, **uses)
    bad, _ = small_job(bench, **{f"loads_{what}": 1, what: BASE + (1 << 30)}, **uses)
    after, _ = small_job(bench, **uses)
    bench.ring.submit([good, bad, after])
    assert (bench.ring.completed, bench.ring.fault) == (1, Fault.READ_DECERR)
    bench.ring.skip()
    assert (bench.ring.completed, bench.ring.refusal) == (
        2, {"order": "ORDER_INCOMPLETE", "tags": "TAGS_INCOMPLETE"}[what])


def test_one_tile_alone_needs_no_stride():
    bench = Bench()
    w = quantize(bench.matrix(20, 4), MX6, axis=0)
    a = quantize(bench.matrix(4, 20), MX9)
    at, _ = bench.place_tiles(activation_tiles(a, 4, 32))
    b, _ = bench.place_tiles(weight_stream(w, 4, 16))
    c = bench.room(64)
    bench.run(job(JobKind.GEMM_PACKED, m=4, n=4, k=20, a=at, b=b, c=c, c_stride=16),
              writes=at_strides(c, 16, rows_of(golden.gemm(a, w, k_max=256))))


@pytest.mark.parametrize("units", [0, 1])
def test_a_head_is_all_or_none(units):
    bench = Bench()
    m, n, k = 4, 3, 33
    a, w = bench.matrix(m, k), quantize(bench.matrix(k, n), MX6, axis=0)
    b, b_stride = bench.place_tiles(weight_stream(w, 4, 16))
    at, c = bench.place(a.tobytes()), bench.room(64)
    expected = golden.gemm(quantize(a, MX9 if units else MX6), w, k_max=256)
    bench.run(job(JobKind.GEMM, m=m, n=n, k=k, selection=Selection.HEAD, units=units, a=at, b=b,
                  c=c, a_stride=4 * k, b_stride=b_stride, c_stride=12),
              writes=at_strides(c, 12, rows_of(expected)))


@pytest.mark.parametrize("changes", [{"rounding": "truncate"}, {"acc_width": 24}, {"k_max": 4096}])
def test_what_is_computed_is_the_machines(changes):
    machine = replace(MACHINE, **changes)
    bench = Bench(machine)
    m, n, k = 4, 16, 100
    a = (bench.matrix(m, k) * 2.0 ** bench.rng.integers(-12, 12, k)).astype(np.float32)
    w = quantize(bench.matrix(k, n), MX9, axis=0)
    b, b_stride = bench.place_tiles(weight_stream(w, 4, 16))
    at, c = bench.place(a.tobytes()), bench.room(256)
    x = quantize(a, MX6, rounding=machine.rounding)
    results = golden.gemm(x, w, acc_width=machine.acc_width, k_max=machine.k_max)
    other = golden.gemm(quantize(a, MX6), w, k_max=256)
    assert not np.array_equal(results, other)  # it makes a difference
    bench.run(job(JobKind.GEMM, m=m, n=n, k=k, a=at, b=b, c=c, a_stride=4 * k, b_stride=b_stride,
                  c_stride=4 * n), writes=at_strides(c, 4 * n, rows_of(results)))
    packed = bench.room(256)
    packet, = activation_tiles(quantize(results, MX6, rounding=machine.rounding), 4, 32)
    bench.run(job(JobKind.GEMM, m=m, n=n, k=k, output=Output.MX6, a=at, b=b, c=packed,
                  a_stride=4 * k, b_stride=b_stride), writes=[(packed, packet)])
