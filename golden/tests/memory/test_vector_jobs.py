"""Jobs of a machine with a vector unit: every byte of memory after them."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import golden
from golden import MX6, MX9, Policy, quantize, vector
from golden.floats import narrow
from golden.formats import FP16
from golden.memory import Command, Fault, Machine
from golden.memory.checks import check_job
from golden.memory.descriptor import JobFlag, Operation
from golden.memory.faults import CommandError
from golden.memory.fences import FenceError
from golden.memory.jobs import FORMAT_CODES, Function, JobKind, Output, Rows, Selection
from golden.packing import activation_tiles, weight_stream
from golden.precision import mix
from golden.tests.memory.ring_bench import MACHINE, Bench, at_strides, job, rows_of
from golden.vector.statistics import scaled_epsilon

WITH_VECTOR = replace(MACHINE, has_vector=True)
EPSILON = 1e-6


def pattern(number):
    """Give the pattern of an FP32 number."""
    return int(np.float32(number).view(np.uint32))


ONCE = {"count_0": 1, "count_1": 1}


def vector_pass(**values):
    """Give a pass over rows, once unless it is told otherwise."""
    return Command(operation=Operation.VECTOR, **(ONCE | values))


class VectorBench(Bench):
    """A ring of a machine with a vector unit."""

    def __init__(self, **options):
        super().__init__(WITH_VECTOR, **options)

    def rows(self, x):
        """Place rows with gaps; return the fields that say where A lies."""
        stride = x.shape[1] * x.itemsize + 8
        at = self.room(len(x) * stride)
        for row, data in enumerate(rows_of(x)):
            self.memory.write(at + row * stride, data)
        return {"a": at, "a_stride": stride}

    def weights(self, shape):
        """Place B; return it and the fields that say where it lies."""
        w = quantize(self.matrix(*shape), MX6, axis=0)
        b, stride = self.place_tiles(weight_stream(w, 4, 16))
        return w, {"b": b, "b_stride": stride}

    def results(self, expected):
        """Make room for results; return the fields, and what is written."""
        if isinstance(expected, np.ndarray):
            parts, stride = rows_of(expected), expected.shape[1] * expected.itemsize + 4
        else:
            parts = activation_tiles(expected, 4, 32)
            stride = -(-max(map(len, parts)) // 64) * 64
        c = self.room(len(parts) * stride)
        return {"c": c, "c_stride": stride}, at_strides(c, stride, parts)


M, K = 6, 40


@pytest.mark.parametrize("rows", [Rows.LAYER_NORM, Rows.RMS_NORM])
@pytest.mark.parametrize("float_format", ["fp32", "fp16"])
def test_norms_with_modulation_leave_with_their_outliers(rows, float_format):
    bench = VectorBench()
    dtype = {"fp32": np.float32, "fp16": np.float16}[float_format]
    x = (3 * bench.matrix(M, K) + 1).astype(dtype)
    factor, shift = bench.matrix(K), bench.matrix(K)
    norm = vector.layer_norm if rows is Rows.LAYER_NORM else vector.rms_norm
    expected = golden.apply_policy(
        norm(x, EPSILON, factor=factor, shift=shift).result,
        Policy(fraction=Fraction(1, 3), scope="tile", tile_rows=4))
    assert 0 < expected.is_mx9.sum() < expected.is_mx9.size
    fields, writes = bench.results(expected)
    bench.run(vector_pass(m=M, n=K, format=FORMAT_CODES[float_format],
                  output=Output.MX6, selection=Selection.TOP, units=1, rows=rows,
                  scalar=pattern(scaled_epsilon(K, EPSILON)),
                  flags=JobFlag.CHANNEL | JobFlag.RESIDUAL, channel=bench.place(factor.tobytes()),
                  residual=bench.place(shift.tobytes()), **bench.rows(x), **fields), writes=writes)
    assert (bench.ring.completed, bench.ring.fault) == (1, Fault.NONE)


def test_a_linear_combination_is_a_pass_for_each_term():
    bench = VectorBench()
    x, y = bench.matrix(M, K), bench.matrix(M, K)
    at = bench.place(y.tobytes())
    for output in (Output.FP32, Output.FP16):
        expected = vector.linear_combination([(1.5, x)], start=y)
        if output is Output.FP16:
            expected = narrow(expected, FP16)
        fields, writes = bench.results(expected)
        bench.run(vector_pass(m=M, n=K, output=output, scalar=pattern(1.5),
                      flags=JobFlag.SCALED | JobFlag.RESIDUAL, residual=at, residual_stride=4 * K,
                      **bench.rows(x), **fields), writes=writes)


def test_gate_and_residual_are_added_where_a_layer_leaves():
    bench = VectorBench()
    a, n = bench.matrix(M, K), 10
    w, place = bench.weights((K, n))
    bias, gate, x = bench.matrix(n), bench.matrix(n), bench.matrix(M, n)
    c = golden.gemm(quantize(a, MX6), w, k_max=256)
    expected = vector.pipe(c, bias=bias, channel_factor=gate, residual=x).result
    fields, writes = bench.results(expected)
    bench.run(job(JobKind.GEMM, m=M, n=n, k=K, bias=bench.place(bias.tobytes()),
                  channel=bench.place(gate.tobytes()), residual=bench.place(x.tobytes()),
                  residual_stride=4 * n,
                  flags=JobFlag.BIAS | JobFlag.CHANNEL | JobFlag.RESIDUAL, **bench.rows(a), **place,
                  **fields), writes=writes)


@pytest.mark.parametrize("function", [Function.GELU, Function.SILU])
def test_a_function_leaves_as_blocks_that_a_table_marks(function):
    bench = VectorBench()
    a, n = bench.matrix(M, K), 24
    w, place = bench.weights((K, n))
    tags = np.array([True, False])
    c = golden.gemm(quantize(a, MX6), w, k_max=256)
    hidden = vector.pipe(c, function=function.name.lower()).result
    expected = mix(quantize(hidden, MX6), quantize(hidden, MX9), np.tile(tags, (M, 1)))
    fields, writes = bench.results(expected)
    bench.run(job(JobKind.GEMM, m=M, n=n, k=K, output=Output.MX6, function=function,
                  flags=JobFlag.TAGGED, loads_tags=1,
                  tags=bench.place(np.packbits(tags, bitorder="little").tobytes()),
                  **bench.rows(a), **place, **fields), writes=writes)


@pytest.mark.parametrize("by_maximum", [False, True])
def test_an_attention_is_a_list(by_maximum):
    """Powers of scores leave packed, and their sums divide the product with V."""
    bench = VectorBench()
    tokens, d = 6, 20
    q, k, v = (quantize(bench.matrix(*shape), MX6, axis=axis) for shape, axis in (
        ((tokens, d), 1), ((d, tokens), 0), ((tokens, d), 0)))
    at, a_stride = bench.place_tiles(activation_tiles(q, 4, 32))
    b, b_stride = bench.place_tiles(weight_stream(k, 4, 16))
    b2, b2_stride = bench.place_tiles(weight_stream(v, 4, 16))
    scores = golden.gemm(q, k, k_max=256)
    softmax = vector.softmax(scores, MX6, subtract_maximum=by_maximum)
    p_fields, writes = bench.results(softmax.p)
    product = golden.gemm(softmax.p, v, k_max=256)
    o_fields, o_writes = bench.results(
        vector.pipe(product, row_factor=softmax.row_factor[:, None]).result)
    powers = {"output": Output.MX6, "function": Function.EXP2}
    first = {"m": tokens, "n": tokens, "k": d, "a": at, "a_stride": a_stride, "b": b,
             "b_stride": b_stride}
    if by_maximum:
        s_fields, s_writes = bench.results(scores)
        writes += s_writes
        commands = [
            job(JobKind.GEMM_PACKED, **first, **s_fields),
            vector_pass(m=tokens, n=tokens, rows=Rows.MAXIMUM, units=0,
                a=s_fields["c"], a_stride=s_fields["c_stride"], wait_a=1, **powers, **p_fields)]
    else:
        commands = [job(JobKind.GEMM_PACKED, **first, **powers, **p_fields)]
    commands.append(job(
        JobKind.GEMM_PACKED, m=tokens, n=d, k=tokens, rows=Rows.SUM, a=p_fields["c"], wait_a=1,
        a_stride=p_fields["c_stride"], b=b2, b_stride=b2_stride, **o_fields))
    bench.run(*commands, writes=writes + o_writes)
    assert bench.ring.completed == len(commands)


def test_a_sum_ends_where_the_row_of_a_does():
    """K may end within a packed block; what stands behind it is not in the sum."""
    bench = VectorBench()
    p = vector.softmax(np.zeros((3, 32), np.float32), MX6).p
    v = quantize(np.ones((17, 4), np.float32), MX6, axis=0)
    at, a_stride = bench.place_tiles(activation_tiles(p, 4, 32))
    b, b_stride = bench.place_tiles(weight_stream(v, 4, 16))
    # One over 17 in V24 is a little more than that.
    expected = vector.multiply(np.full((3, 4), 17, np.float32), vector.reciprocal(np.float32(17)))
    fields, writes = bench.results(expected)
    bench.run(job(JobKind.GEMM_PACKED, m=3, n=4, k=17, rows=Rows.SUM, a=at, a_stride=a_stride, b=b,
                  b_stride=b_stride, **fields), writes=writes)


def test_rows_that_are_too_long_to_be_measured_are_refused():
    with pytest.raises(CommandError, match="K_TOO_LARGE"):
        check_job(replace(WITH_VECTOR, k_max=100_000), Command(**NORM | {"n": 65_537}))


def test_a_power_that_does_not_exist_stops_the_list():
    bench = VectorBench()
    x = bench.matrix(M, K)
    x[3, 7] = 96
    command = vector_pass(m=M, n=K, function=Function.EXP2, c=bench.room(M * 4 * K),
                  c_stride=4 * K, **bench.rows(x))
    bench.ring.submit([command])
    assert (bench.ring.completed, bench.ring.fault) == (0, Fault.SATURATED)
    assert bench.ring.undefined == [(command.c + row * 4 * K, 4 * K) for row in range(M)]
    bench.ring.skip()
    assert bench.ring.completed == 1


def test_both_batch_levels_step_through_factors_and_residuals():
    bench = VectorBench()
    x, factor, y = bench.matrix(4, 2, 16), bench.matrix(2, 16), bench.matrix(4, 2, 16)
    c = bench.room(x.nbytes)
    expected = np.stack([vector.pipe(x[2 * outer + inner], channel_factor=factor[outer],
                                     residual=y[2 * outer + inner]).result
                         for outer in range(2) for inner in range(2)])
    steps = {f"{name}_step_{level}": size for name in ("a", "c", "residual")
             for level, size in ((0, 128), (1, 256))}
    bench.run(vector_pass(m=2, n=16, count_0=2, count_1=2, c=c, c_stride=64,
                  a=bench.place(x.tobytes()), a_stride=64,
                  channel=bench.place(factor.tobytes()), channel_step_1=64,
                  residual=bench.place(y.tobytes()), residual_stride=64,
                  flags=JobFlag.CHANNEL | JobFlag.RESIDUAL, **steps),
              writes=[(c, expected.tobytes())])


def test_a_residual_waits_by_a_fence_of_its_own():
    def run(**waits):
        bench = VectorBench(checks_fences=True)
        x = bench.matrix(2, 16)
        middle, c = bench.room(x.nbytes), bench.room(x.nbytes)
        pass_ = {"m": 2, "n": 16, "a_stride": 64, "c_stride": 64}
        at = bench.place(x.tobytes())
        bench.ring.submit([
            vector_pass(a=at, c=middle, **pass_),
            vector_pass(a=at, c=c, flags=JobFlag.RESIDUAL, residual=middle,
                residual_stride=64, **pass_, **waits)])
        return bench.ring.completed

    assert run(wait_residual=1) == 2
    for waits in ({}, {"wait_a": 1, "wait_side": 1}):
        with pytest.raises(FenceError, match=r"residual what command 0 .*wait_residual must be"):
            run(**waits)


VECTOR = {"operation": Operation.VECTOR, "m": 5, "n": 40}
PACKED = {"kind": JobKind.GEMM_PACKED, "m": 5, "n": 3, "k": 40, "tiles": 2}
GEMM = PACKED | {"kind": JobKind.GEMM}
NORM = VECTOR | {"rows": Rows.LAYER_NORM, "scalar": pattern(1e-3)}
TAGGED = {"flags": JobFlag.TAGGED, "output": Output.MX6}


@pytest.mark.parametrize("values", [
    VECTOR, NORM, VECTOR | {"table": 9}, NORM | {"rows": Rows.RMS_NORM},
    VECTOR | {"output": Output.MX9, "selection": 9, "units": 99}, PACKED | {"rows": Rows.SUM},
    VECTOR | {"rows": Rows.MAXIMUM, "flags": JobFlag.SCALED}, GEMM | TAGGED,
    GEMM | {"flags": 127 & ~JobFlag.TAGGED, "function": Function.EXP2}, PACKED | TAGGED,
    PACKED | {"flags": JobFlag.BIAS | JobFlag.RESIDUAL, "function": Function.GELU}])
def test_what_fits_together_is_taken(values):
    check_job(WITH_VECTOR, Command(**values))


@pytest.mark.parametrize("reason, values", [
    ("UNKNOWN_KIND", {"kind": 4}), ("UNKNOWN_FUNCTION", GEMM | {"function": 4}),
    ("UNKNOWN_ROWS", VECTOR | {"rows": 5}), ("BAD_COMBINATION", GEMM | {"flags": 128}),
    ("BAD_COMBINATION", VECTOR | {"flags": JobFlag.REORDER}),
    ("BAD_COMBINATION", VECTOR | {"flags": JobFlag.MEASURE}),
    ("BAD_COMBINATION", VECTOR | {"rows": Rows.SUM}), ("BAD_COMBINATION", GEMM | {"rows": 4}),
    *(("BAD_COMBINATION", PACKED | {"rows": rows}) for rows in (1, 2, 3)),
    *(("BAD_COMBINATION", NORM | {"rows": rows, "flags": JobFlag.BIAS})
      for rows in (Rows.LAYER_NORM, Rows.RMS_NORM)),
    ("BAD_COMBINATION", VECTOR | {"rows": Rows.MAXIMUM, "flags": JobFlag.BIAS}),
    ("BAD_COMBINATION", NORM | {"flags": JobFlag.SCALED}),
    ("BAD_COMBINATION", PACKED | {"rows": Rows.SUM, "flags": JobFlag.SCALED}),
    *(("BAD_COMBINATION", GEMM | {"function": function, "flags": JobFlag.CHANNEL})
      for function in (Function.GELU, Function.SILU)),
    ("BAD_COMBINATION", VECTOR | TAGGED), ("BAD_COMBINATION", GEMM | {"flags": JobFlag.TAGGED}),
    ("BAD_COMBINATION", GEMM | TAGGED | {"output": Output.MX9}),
    ("BAD_COMBINATION", GEMM | TAGGED | {"selection": Selection.STATIC}),
    *(("BAD_COMBINATION", {"kind": JobKind.CONVERT, "n": 3, "k": 40} | stage) for stage in (
        {"function": 1}, {"rows": 4}, {"flags": JobFlag.RESIDUAL}, {"flags": JobFlag.SCALED})),
    ("ZERO_SIZE", VECTOR | {"m": 0}), ("K_TOO_LARGE", VECTOR | {"n": 257}),
    ("K_TOO_LARGE", GEMM | TAGGED | {"n": 257}),
    ("UNKNOWN_FORMAT", VECTOR | {"format": 3}), ("UNKNOWN_OUTPUT", VECTOR | {"output": 5}),
    ("UNKNOWN_SELECTION", VECTOR | {"output": Output.MX6, "selection": 4}),
    ("TOO_MANY_UNITS", VECTOR | {"output": Output.MX6, "units": 4}),
    *(("BAD_SCALAR", NORM | {"scalar": scalar})
      for scalar in (0, 0x7FFFFF, 0x7F800000, 0x7FC00000, pattern(-1))),
    ("UNKNOWN_TABLE", GEMM | TAGGED | {"table": 2})])
def test_what_does_not_is_refused_by_name(reason, values):
    with pytest.raises(CommandError) as error:
        check_job(WITH_VECTOR, Command(**values))
    assert (error.value.fault, error.value.detail) == (Fault.REFUSED, reason)


def test_a_machine_without_one_refuses_all_of_it():
    for values, fault in (({"function": Function.EXP2}, Fault.RESERVED),
                          ({"residual": 64}, Fault.RESERVED), ({"scalar": 1}, Fault.RESERVED),
                          ({"flags": JobFlag.CHANNEL}, Fault.REFUSED),
                          ({"operation": Operation.VECTOR}, Fault.UNKNOWN_OPERATION)):
        bench = Bench(Machine(rows=4, cols=4))
        good = GEMM if "operation" not in values else {"m": 5, "n": 3}
        bench.ring.submit([Command(**(good | ONCE | {"c_stride": 12} | values))])
        assert (bench.ring.completed, bench.ring.fault) == (0, fault), values
