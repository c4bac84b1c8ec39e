"""The vector unit's torch twins: golden's bits of everything, on random and on special patterns."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from golden import vector  # noqa: E402
from golden.formats import MX6, MX9  # noqa: E402
from golden.mx import quantize  # noqa: E402
from golden.tests.helpers import assert_same_bits, assert_same_codes  # noqa: E402
from golden.tests.proof.drawn import CORNERS, draw_floats  # noqa: E402
from golden.torch import quantize as torch_quantize  # noqa: E402
from golden.torch import vector as twins  # noqa: E402

FUNCTIONS = ("to_lane", "exp2", "gelu", "silu", "reciprocal", "reciprocal_root")
EPSILON = 1e-6


def to_torch(x):
    """Return a tensor, or what is no float32 array as it is."""
    return torch.from_numpy(x.copy()) if isinstance(x, np.ndarray) else x


def assert_same(ours, theirs):
    """Compare a twin's tensor, or codes, with golden's."""
    if hasattr(theirs, "mantissa"):
        assert_same_codes(ours.numpy(), theirs)
    elif ours.dtype in (torch.float16, torch.bfloat16):
        assert np.array_equal(ours.view(torch.int16).numpy().view(np.uint16), theirs)
    else:
        assert_same_bits(ours.numpy(), np.asarray(theirs))


@pytest.fixture(params=[False, True], ids=["", "flushing"])
def flushing(request):
    torch.set_flush_denormal(request.param)
    yield request.param
    torch.set_flush_denormal(False)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_goldens_bits(name, flushing):
    rng = np.random.default_rng(0)
    bits = np.concatenate([CORNERS, rng.integers(0, 1 << 32, 1 << 16, np.uint32)])
    x = np.concatenate([bits.view(np.float32), rng.normal(0, 20, 1 << 16).astype(np.float32)])
    assert_same(getattr(twins, name)(to_torch(x)), getattr(vector, name)(x))
    single = np.array(1.5, np.float32)
    assert getattr(twins, name)(torch.tensor(1.5)) == float(getattr(vector, name)(single))


def test_saturation_is_told_alike():
    x = np.concatenate([CORNERS.view(np.float32), np.linspace(95.9, 96.1, 999, dtype=np.float32)])
    assert np.array_equal(twins.exp2_saturates(to_torch(x)).numpy(), vector.exp2_saturates(x))


def test_products_of_corners_and_of_any_numbers(flushing):
    rng = np.random.default_rng(1)
    x = np.concatenate([CORNERS, rng.integers(0, 1 << 32, 1000, np.uint32)]).view(np.float32)
    assert_same(twins.multiply(to_torch(x)[:, None], to_torch(x)), vector.multiply(x[:, None], x))


@pytest.mark.parametrize("seed", range(30))
def test_rows_have_goldens_bits(seed, flushing):
    rng = np.random.default_rng(seed)
    shape = (2, 3, int(rng.integers(1, 90)))
    x, factor, shift = draw_floats(rng, shape), *draw_floats(rng, (2, 1, shape[-1]))
    t, statistics = to_torch(x), vector.row_statistics(x)
    assert_same(twins.row_maximum(t), vector.row_maximum(x))
    assert_same(twins.row_mean(t), vector.row_mean(statistics))
    for is_centred in (False, True):
        assert_same(twins.row_scale(t, EPSILON, is_centred=is_centred),
                    vector.row_scale(statistics, EPSILON, is_centred=is_centred))  # fmt: skip
    count = int(rng.integers(1, shape[-1] + 1))
    for name in ("layer_norm", "rms_norm"):
        for output in ("fp32", "fp16", "bf16", "MX6", "MX9"):
            theirs = getattr(vector, name)(x, EPSILON, factor=factor, shift=shift, output=output,
                                           valid_columns=count)  # fmt: skip
            ours = getattr(twins, name)(t, EPSILON, factor=to_torch(factor), shift=to_torch(shift),
                                        output=output, valid_columns=count)  # fmt: skip
            assert_same(ours.result, theirs.result)


@pytest.mark.parametrize("seed", range(20))
def test_softmax_has_goldens_bits(seed, flushing):
    rng = np.random.default_rng(seed)
    x = draw_floats(rng, (2, 3, int(rng.integers(1, 90))))
    count = rng.integers(0, x.shape[-1] + 1, (2, 3))
    tags = rng.random(-(-x.shape[-1] // 16)) < 0.5
    for fmt, chosen in ((MX6, None), (MX9, None), (MX6, tags)):
        for subtract in (False, True):
            rounding = ("half_even", "truncate")[seed % 2]
            options = {"subtract_maximum": subtract, "rounding": rounding}
            theirs = vector.softmax(x, fmt, mx9_blocks=chosen, valid_columns=count, **options)
            ours = twins.softmax(to_torch(x), fmt, mx9_blocks=to_torch(chosen),
                                 valid_columns=to_torch(count), **options)  # fmt: skip
            assert_same(ours.p, theirs.p)
            assert_same(ours.sums, theirs.sums)
            assert_same(ours.row_factor, theirs.row_factor)
            assert (ours.saturated, ours.zero_rows) == (theirs.saturated, theirs.zero_rows)


@pytest.mark.parametrize("fmt", ["MX4", "MX6", "MX9"])
def test_sums_of_any_numbers(fmt):
    for seed in range(10):
        x = draw_floats(np.random.default_rng(seed), (5, 70))
        assert_same(twins.row_sums(torch_quantize(to_torch(x), fmt)),
                    vector.row_sums(quantize(x, fmt)))  # fmt: skip


@pytest.mark.parametrize("function", [None, "exp2", "gelu", "silu"])
@pytest.mark.parametrize("seed", range(6))
def test_the_pipe_has_goldens_bits(function, seed, flushing):
    rng = np.random.default_rng(seed)
    shape = (2, 3, 40)
    given = {"row_factor": draw_floats(rng, (3, 1)), "residual": draw_floats(rng, shape)}
    given |= ({"bias": draw_floats(rng, (40,))} if seed % 2 else
              {"row_offset": draw_floats(rng, (2, 3, 1))})  # fmt: skip
    if function not in ("gelu", "silu"):
        given["channel_factor"] = draw_floats(rng, (1, 40))
    x = draw_floats(rng, shape)
    theirs = vector.pipe(x, function=function, valid_columns=37, **given)
    operands = {name: to_torch(each) for name, each in given.items()}
    ours = twins.pipe(to_torch(x), function=function, valid_columns=37, **operands)
    assert_same(ours.result, theirs.result)
    assert ours.saturated == theirs.saturated


def test_combinations_have_goldens_bits(flushing):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        tensors, start = draw_floats(rng, (3, 4, 30)), draw_floats(rng, (4, 30))
        coefficients = rng.normal(0, 2, 3).tolist()
        theirs = vector.linear_combination(list(zip(coefficients, tensors, strict=True)), start)
        ours = twins.linear_combination(
            [(c, to_torch(x)) for c, x in zip(coefficients, tensors, strict=True)], to_torch(start)
        )
        assert_same(ours, theirs)


def test_halves_are_widened():
    x = torch.tensor([[1.5, -2.25, 6e-8]])
    for dtype in (torch.float16, torch.bfloat16):
        assert torch.equal(twins.gelu(x.to(dtype)), twins.gelu(x.to(dtype).float()))


def test_nothing_has_a_gradient():
    x = torch.ones(2, 4, requires_grad=True)
    assert not twins.layer_norm(x, EPSILON).result.requires_grad


@pytest.mark.parametrize(("call", "error", "says"), [
    (lambda x: twins.exp2(x.double()), TypeError, "expected float32, float16 or bfloat16"),
    (lambda x: twins.exp2(x.numpy()), TypeError, "this is a NumPy array"),
    (lambda x: twins.pipe(x[0, 0]), ValueError, "a single number is no row"),
    (lambda x: twins.pipe(x, bias=x, row_offset=x), ValueError, "one adder before the row factor"),
    (lambda x: twins.pipe(x, bias=x[:, :3]), ValueError, "bias of shape .* does not fit"),
    (lambda x: twins.pipe(x, output="fp8"), ValueError, "output must be one of"),
    (lambda x: twins.pipe(x, output="MX9", mx9_blocks=[True]), ValueError, "of an MX6 output"),
    (lambda x: twins.pipe(x, output="MX6", mx9_blocks=[True] * 3), ValueError, "fits blocks"),
    (lambda x: twins.pipe(x, valid_columns=5), ValueError, "valid_columns must be from 0 to 4"),
    (lambda x: twins.pipe(x, valid_columns=[1, 2, 3]), ValueError, "do not fit rows"),
    (lambda x: twins.layer_norm(x, 0), ValueError, "epsilon must be above zero"),
    (lambda x: twins.layer_norm(x, 1, valid_columns=9), ValueError, "must be from 1 to 4"),
    (lambda x: twins.row_maximum(x[:, :0]), ValueError, "rows must have from 1 to 65536"),
    (lambda x: twins.row_mean(x[0, 0]), ValueError, "a single number is no row"),
    (lambda x: twins.linear_combination([]), ValueError, "at least one term"),
    (lambda x: twins.linear_combination([("1", x)]), TypeError, "a coefficient must be a number"),
    (lambda x: twins.row_sums(torch_quantize(x, "MX6", axis=0)), ValueError, "the last axis"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(call, error, says):
    with pytest.raises(error, match=says):
        call(torch.ones(2, 4))
