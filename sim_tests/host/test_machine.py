"""The machine as software sees it: arrays in, arrays out, and what is refused."""

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

import golden.floats
from golden import MX4, MX6, MX9, Policy
from golden.packing import activation_rows, weight_stream
from hw.contract.job_codes import JobKind, Output
from hw.host.carrier import ACTIVATIONS, WEIGHTS
from hw.host.driver_errors import (
    NoMachineError,
)
from hw.host.job_request import Job
from hw.host.machine import Machine
from hw.host.requests import conversion_work, gemm_work
from hw.host.results import as_array
from sim_tests.host.lines import replies_of
from sim_tests.host.register_stand_in import SMALL
from simulation.works.expected import expected_results, operand_a, operand_b
from simulation.works.random_works import make_work


def numbers(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_the_machine_says_how_it_was_built(machine):
    assert replace(machine.config, float_formats=SMALL.float_formats) == SMALL
    assert machine.config.drain_rows == 2


def test_another_machine_is_refused(lines):
    lines.registers.values["ID"] ^= 1
    with pytest.raises(NoMachineError, match="no accelerator answers"):
        Machine(lines)


def test_a_gemm_is_sent_as_packets_and_put_together_again(machine, lines):
    a, b = numbers(9, 20), golden.quantize(numbers(20, 6, seed=2), MX9, axis=0)
    lines.will_give(*replies_of(SMALL, gemm_work(SMALL, a, b)))
    c = machine.gemm(a, b)
    expected = golden.gemm(golden.quantize(a, MX6, rounding="truncate"), b,
                           acc_width=SMALL.acc_width, k_max=SMALL.k_max)
    assert c.dtype == np.float32 and c.tobytes() == expected.tobytes()
    sent = {name: [packet for stream, packet in lines.sent if stream == name]
            for name in (ACTIVATIONS, WEIGHTS)}
    assert sent[ACTIVATIONS] == activation_rows(a)
    once = weight_stream(b, SMALL.cols, SMALL.weight_bytes)
    assert sent[WEIGHTS] == once * 1


def test_weights_are_sent_for_every_group_of_resident_tiles(machine, lines):
    work = make_work(SMALL, np.random.default_rng(1), 9, 6, 20, tiles=1)
    lines.will_give(*replies_of(SMALL, work))
    outcome, = machine.run([work])
    assert outcome.results.tobytes() == expected_results(SMALL, work).tobytes()
    assert outcome.counters["cycles"] == 1 << 33
    assert lines.registers.jobs == [work.job.registers()]
    weights = [packet for stream, packet in lines.sent if stream == WEIGHTS]
    assert weights == weight_stream(work.weights, SMALL.cols, SMALL.weight_bytes, work.bias) * 3


def test_an_output_is_named_in_any_case():
    assert gemm_work(SMALL, A, B, output="MX9").job.output is Output.MX9


@pytest.mark.parametrize("output", ["fp16", "bf16", "mx6", "mx9"])
def test_results_come_as_what_golden_computes_with(output):
    rng = np.random.default_rng(3)
    work = make_work(SMALL, rng, 9, 21, 40, output=Output[output.upper()], bias=True)
    made = as_array(SMALL, work.job, expected_results(SMALL, work))
    c = golden.gemm(operand_a(SMALL, work), operand_b(SMALL, work), bias=work.bias,
                    acc_width=SMALL.acc_width, k_max=SMALL.k_max,
                    output="fp32" if output.startswith("mx") else output)
    if output.startswith("mx"):
        wanted = golden.quantize(c, {"mx6": MX6, "mx9": MX9}[output], rounding="truncate")
        assert made.dequantize().tobytes() == wanted.dequantize().tobytes()
        assert (made.is_mx9 == wanted.is_mx9).all()
    else:
        assert made.dtype == c.dtype and made.tobytes() == c.tobytes()


@pytest.mark.parametrize("transposed", [False, True])
def test_a_conversion_gives_the_weight(machine, lines, transposed):
    x = numbers(10, 40)
    work = conversion_work(SMALL, x, transposed)
    kind = JobKind.CONVERT_TRANSPOSED if transposed else JobKind.CONVERT
    assert work.job.kind is kind
    lines.will_give(*expected_results(SMALL, work))
    made = machine.convert(x, transposed=transposed)
    wanted = golden.convert(x, Policy(fraction=0), transposed=transposed, rounding="truncate")
    assert made.shape == wanted.shape == ((10, 40) if transposed else (40, 10))
    assert made.dequantize().tobytes() == wanted.dequantize().tobytes()
    assert all(stream == ACTIVATIONS for stream, _ in lines.sent)


POLICIES = {
    "top": Policy(fraction=0.4, scope="tile", tile_rows=4),
    "threshold": Policy(selection="threshold", threshold=1.7, tile_rows=4),
    "static": Policy(fraction=0.4, selection="static", static_tags=[1, 0, 0], tile_rows=4),
    "ordered": Policy(fraction=0.4, scope="tile", tile_rows=4, order="calibrated",
                      permutation=np.random.default_rng(5).permutation(40)),
    "all": Policy(fraction=1, scope="tile", tile_rows=4),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_asks_for_what_golden_chooses(name):
    policy, a, b = POLICIES[name], numbers(9, 40), numbers(40, 6, seed=2)
    work = gemm_work(SMALL, a, b, policy=policy)
    wanted = golden.apply_policy(a, policy, rounding="truncate")
    made = operand_a(SMALL, work)
    assert 0 < wanted.is_mx9.mean() <= 1
    assert (made.is_mx9 == wanted.is_mx9).all()
    assert made.dequantize().tobytes() == wanted.dequantize().tobytes()
    weight = golden.quantize_weight(b, np.zeros(3, bool), policy)
    assert work.weights.dequantize().tobytes() == weight.dequantize().tobytes()


A, B = numbers(5, 40), numbers(40, 6)


@pytest.mark.parametrize(("arguments", "sentence"), [
    ({"a": A[:, :39]}, "A has 39 columns, but B 40 rows"),
    ({"a": A[0]}, r"A must be a matrix with elements, not of shape \(40,\)"),
    ({"a": A[:0]}, "A must be a matrix with elements"),
    ({"a": A.astype("f2")}, "the machine reads fp32, bf16, but A is fp16"),
    ({"a": A.astype("f8")}, "A must be of float32, float16, bfloat16, not float64: convert it"),
    ({"a": A.astype(int)}, "A must be of float32, float16, bfloat16, not int64"),
    ({"a": A.view("u4")}, "not uint32: if these are patterns, widen them first"),
    ({"a": np.ma.masked_greater(A, 0)}, "A has masked entries"),
    ({"b": B.astype(int)}, "B must be of float32, float16, bfloat16, not int64"),
    ({"b": golden.quantize(B, MX6)}, "B must be blocked along K, its axis 0"),
    ({"a": golden.quantize(A, MX6, axis=0)}, "A must be blocked along K, its axis 1"),
    ({"a": golden.quantize(A, MX6), "policy": POLICIES["top"]}, "A is quantized already"),
    ({"a": numbers(2, 301), "b": numbers(301, 2)}, "K = 301 is over the machine's limit of 300"),
    ({"bias": np.zeros(5, "f4")}, "the bias must be 6 floats, one for each column of B"),
    ({"bias": np.arange(6)}, "the bias must be 6 floats"),
    ({"bias": np.full(6, 0.1)}, "the bias must fit FP32"),
    ({"output": "fp8"}, "output must be one of fp32, fp16, bf16, mx6, mx9, not 'fp8'"),
    ({"output": MX6}, "output must be one of fp32, fp16, bf16, mx6, mx9, not MXFormat"),
    ({"policy": Policy(tile_rows=4)}, "in each tile: give the policy scope='tile'"),
    ({"policy": Policy(scope="tile")}, "give granularity 'channel_block' and tile_rows=4"),
    ({"policy": Policy(granularity="block", tile_rows=4)}, "not 'block' and 4"),
    ({"policy": Policy(granularity="head")}, "not 'head' and None"),
    ({"policy": "top"}, "policy must be a golden.Policy, not a str"),
    ({"policy": Policy(tile_rows=4, order="calibrated", permutation=[1, 0], scope="tile")},
     "the permutation orders 2 channels"),
    ({"policy": Policy(tile_rows=4, selection="static", static_tags=[1, 0])},
     "static tags are 3 bools, one for each K-block"),
    ({"policy": Policy(tile_rows=4, selection="static", static_tags=[1, 0, 0])},
     "a fraction of 0.05 allows 0"),
])
def test_what_does_not_fit_is_refused_and_nothing_is_sent(machine, lines, arguments, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        machine.gemm(**{"a": A, "b": B} | arguments)
    assert not lines.sent and not lines.registers.jobs


def test_a_transposed_conversion_in_an_order_is_refused(machine):
    policy = Policy(tile_rows=4, scope="tile", order="calibrated", permutation=[1, 0])
    with pytest.raises(ValueError, match="a transposed conversion can't put channels"):
        machine.convert(numbers(2, 5), transposed=True, policy=policy)


def test_bfloat16_is_read_as_it_is(machine, lines):
    a, b = A.astype(ml_dtypes.bfloat16), B.astype(ml_dtypes.bfloat16)
    wide = [golden.floats.widen(x) for x in (a, b)]
    expected = golden.gemm(
        golden.quantize(wide[0], MX6, rounding="truncate"), golden.quantize(wide[1], MX6, axis=0),
        acc_width=SMALL.acc_width, k_max=SMALL.k_max)
    work = gemm_work(SMALL, a, b)
    assert work.job.float_format == "bf16"
    lines.will_give(*replies_of(SMALL, work))
    assert machine.gemm(a, b).tobytes() == expected.tobytes()
    rows = [packet for stream, packet in lines.sent if stream == ACTIVATIONS]
    assert rows == [row.tobytes() for row in a]


@pytest.mark.parametrize("transposed", [False, True])
def test_bfloat16_is_converted_as_it_is(machine, lines, transposed):
    x = numbers(40, 10).astype(ml_dtypes.bfloat16)
    work = conversion_work(SMALL, x, transposed)
    assert work.job.float_format == "bf16"
    lines.will_give(*expected_results(SMALL, work))
    wanted = golden.convert(golden.floats.widen(x), Policy(fraction=0), transposed=transposed,
                            rounding="truncate")
    assert machine.convert(x, transposed=transposed).dequantize().tobytes() == (
        wanted.dequantize().tobytes())


def test_a_job_takes_the_weights_that_it_is_given():
    weights = golden.quantize(B, MX4, axis=0)
    assert gemm_work(SMALL, A, weights).weights is weights
    assert isinstance(gemm_work(SMALL, A, B).job, Job)
