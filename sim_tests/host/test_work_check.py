"""Works whose data are not their job's are refused, and nothing is sent."""

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

import golden
from golden import MX4, MX6, MX9, Policy
from hw.contract.job_codes import Output, Selection
from hw.host.requests import conversion_work, gemm_work
from sim_tests.host.register_stand_in import SMALL

RNG = np.random.default_rng(1)
A, B = (RNG.standard_normal(shape).astype(np.float32) for shape in ((5, 40), (40, 6)))
GEMM = gemm_work(SMALL, A, B)
BIASED = gemm_work(SMALL, A, B, np.ones(6, np.float32))
PACKED = gemm_work(SMALL, golden.quantize(A, MX6), B)
ORDERED = gemm_work(SMALL, A, B, policy=Policy(
    tile_rows=4, scope="tile", order="calibrated", permutation=range(40)))
CONVERSION = conversion_work(SMALL, A)


def of_job(work, **changes):
    return replace(work, job=replace(work.job, **changes))


WRONG = {
    "none": (None, "works must be of hw.host.work.Work, not NoneType"),
    "array": (A, "not ndarray"),
    "job": (replace(GEMM, job="gemm"), "the job of a work must be a Job, not str"),
    "kind": (of_job(GEMM, kind=0), "a job's kind must be of JobKind, not 0"),
    "output": (of_job(GEMM, output="fp32"), "a job's output must be of Output"),
    "format": (of_job(GEMM, float_format="fp8"), "one of fp32, fp16, bf16, not 'fp8'"),
    "other format": (of_job(GEMM, float_format="bf16"), "must be of bfloat16 or uint16"),
    "no tiles": (of_job(GEMM, tiles=0), "a job's tiles must be at least 1, not 0"),
    "m": (of_job(GEMM, m=6), r"of shape \(6, 40\) for their job, not of float32 and \(5, 40\)"),
    "m float": (of_job(GEMM, m=5.0), "a job's m must be a whole number, not 5.0"),
    "n": (of_job(GEMM, n=7), r"the weights must have the shape \(40, 7\)"),
    "k": (of_job(GEMM, k=39), r"of shape \(5, 39\) for their job"),
    "threshold": (of_job(GEMM, threshold=1 << 32), "threshold must fit 32 bits"),
    "negative": (of_job(GEMM, units=-1), "a job's units must be at least 0, not -1"),
    "no activations": (replace(GEMM, activations=None), "activations must be an array, not None"),
    "not packed": (replace(PACKED, activations=A), "activations must be an MXTensor, not ndarray"),
    "packed": (replace(GEMM, activations=PACKED.activations), "must be an array, not MXTensor"),
    "no weights": (replace(GEMM, weights=None), "the weights must be an MXTensor, not NoneType"),
    "axis": (replace(GEMM, weights=golden.quantize(B, MX6)), "blocked along axis 0, not"),
    "needless weights": (replace(CONVERSION, weights=GEMM.weights), "a conversion has none"),
    "no bias": (replace(BIASED, bias=None), "the work has no bias, but its job reads one"),
    "bias": (replace(GEMM, bias=BIASED.bias), "the work has bias, but its job reads none"),
    "short bias": (replace(BIASED, bias=BIASED.bias[1:]), r"bias must be an array of shape \(6,\)"),
    "wide bias": (replace(BIASED, bias=BIASED.bias.astype(float)), "the bias must be of float32"),
    "order": (replace(GEMM, order=ORDERED.order), "the work has order, but its job reads none"),
    "short order": (replace(ORDERED, order=ORDERED.order[1:]), r"order must be .* shape \(40,\)"),
    "tags": (replace(GEMM, static_tags=np.ones(3, bool)), "the work has static_tags, but"),
    "short tags": (replace(of_job(GEMM, selection=Selection.STATIC), static_tags=np.ones(2, bool)),
                   r"static_tags must be an array of shape \(3,\)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_data_that_are_not_the_jobs_are_refused_and_nothing_is_sent(machine, lines, name):
    work, sentence = WRONG[name]
    with pytest.raises((TypeError, ValueError), match=sentence):
        machine.run([GEMM, work])
    assert not lines.sent and not lines.registers.jobs


def planes(work, **changes):
    return replace(work, activations=replace(work.activations, **changes))


def changed(plane, value):
    made = np.array(getattr(PACKED.activations, plane))
    made[1, 1] = value
    return planes(PACKED, **{plane: made})


BROKEN = {
    "mantissa": (changed("mantissa", 16), "activations is broken: a mantissa is 16"),
    "mx4": (planes(PACKED, format=MX4), "a mantissa is"),
    "sign": (changed("sign", 2), "a sign is 2"),
    "microexponent": (changed("microexponent", 3), "a microexponent is 3"),
    "precision": (changed("is_mx9", True), "claims to be in MX6, but its is_mx9 differs"),
    "format": (planes(PACKED, format=MX9), "claims to be in MX9"),
    "blocks": (planes(PACKED, exponent=PACKED.activations.exponent[:, 1:]),
               r"its exponent must be an array of uint8 of shape \(5, 3\)"),
    "wide": (planes(PACKED, exponent=PACKED.activations.exponent.astype(int)), "array of uint8"),
    "list": (planes(PACKED, sign=PACKED.activations.sign.tolist()), "its sign must be an array"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_tensors_are_refused_and_nothing_is_sent(machine, lines, name):
    work, sentence = BROKEN[name]
    with pytest.raises(ValueError, match=sentence):
        machine.gemm(work.activations, work.weights)
    assert not lines.sent and not lines.registers.jobs


@pytest.mark.parametrize(("arguments", "sentence"), [
    ({"counters": ["cycles", "nonsense"]}, "there is no counter 'nonsense', but cycles, beats"),
    ({"counters": "cycles"}, "counters must be a list of names, not 'cycles'"),
    ({"counters": [3]}, "there is no counter 3"),
    ({"progress": 3}, "progress must be a function of two numbers, not 3"),
])
def test_wrong_arguments_of_a_run_are_refused_and_nothing_is_sent(
        machine, lines, arguments, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        machine.run([GEMM], **arguments)
    assert not lines.sent and not lines.registers.jobs


@pytest.mark.parametrize(("x", "arguments", "sentence"), [
    (A, {"transposed": True, "policy": "top"}, "policy must be a golden.Policy, not a str"),
    (A, {"transposed": "no"}, "transposed must be True or False, not 'no'"),
    (PACKED.activations, {}, "must be floats, not an MXTensor"),
])
def test_conversions_of_what_is_none_are_refused(machine, x, arguments, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        machine.convert(x, **arguments)


@pytest.mark.parametrize("k", [-1, SMALL.k_max + 1, 2.0, True])
def test_maxima_are_of_channels_that_there_are(machine, k):
    with pytest.raises((TypeError, ValueError), match=r"k must be|over the machine's limit"):
        machine.channel_maxima(k)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_a_bias_may_be_in_any_format_whose_numbers_fp32_has(dtype):
    bias = np.array([1, -0.5, np.nan, np.inf, 0, 2], dtype)
    work = gemm_work(SMALL, A, B, bias, output="fp16")
    assert work.bias.dtype == np.float32 and work.job.output is Output.FP16
    assert np.array_equal(work.bias, bias.astype(np.float32), equal_nan=True)


@pytest.mark.filterwarnings("error")
def test_a_bias_that_fp32_lacks_is_refused_in_silence():
    with pytest.raises(ValueError, match="must fit FP32"):
        gemm_work(SMALL, A, B, np.full(6, 1e300))
