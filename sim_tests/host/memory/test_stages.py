"""Stages of commands on a machine of golden with a vector unit: to the bit, and what is refused."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import golden
from golden import MX6, MX9, Policy, vector
from golden.floats import narrow
from golden.formats import FP16
from golden.precision import mix
from hw.host.memory import Stages, every, top
from sim_tests.host.memory.benches import connect, normal, same
from sim_tests.host.memory.golden_device import SMALL, GoldenDevice

CONFIG = replace(SMALL, vector_lanes=4)
M, N, K = 9, 38, 50


def host_of():
    """Make a host of a machine with a vector unit."""
    return connect(device=GoldenDevice(CONFIG))[0]


def weights(k=K, n=N, seed=2):
    """Return the B of a GEMM, quantized."""
    return golden.quantize(normal(k, n, seed=seed), MX6, axis=0)


@pytest.mark.parametrize("rows", ["layer_norm", "rms_norm"])
@pytest.mark.parametrize("selection, fraction", [
    (None, 0), (top(1), Fraction(1, 3)), (every(True), 1)])
def test_norms_are_modulated_and_packed_with_their_outliers(rows, selection, fraction):
    host, x = host_of(), 3 * normal(M, N) + 1
    memory, commands = host.memory, host.commands()
    factor, shift = normal(N, seed=3), normal(N, seed=4)
    c = memory.empty((M, N), "mixed")
    commands.vector(memory.place(x), c, selection=selection, stages=Stages(
        rows=rows, epsilon=1e-5, factor=memory.place_bias(factor),
        residual=memory.place_bias(shift)))
    host.run(commands)
    norm = vector.layer_norm if rows == "layer_norm" else vector.rms_norm
    assert same(c.read(), golden.apply_policy(
        norm(x, 1e-5, factor=factor, shift=shift).result,
        Policy(fraction=fraction, scope="tile", tile_rows=SMALL.rows)))


def test_static_tags_choose_blocks_of_passes_and_of_results():
    host, x, tags = host_of(), normal(M, N), np.array([True, False, True])
    memory, commands = host.memory, host.commands()
    passed, result = (memory.empty((M, N), "mixed") for _ in range(2))
    given = memory.place_tags(tags)
    commands.vector(memory.place(x), passed, stages=Stages(scale=2), tags=given)
    a, b = normal(M, K), weights()
    commands.gemm(memory.place(a), memory.place_weights(b), result,
                  stages=Stages(function="gelu", tags=given))
    host.run(commands)
    for found, values in ((passed, np.float32(2) * x), (result, vector.gelu(golden.gemm(
            golden.quantize(a, MX6), b, k_max=SMALL.k_max)))):
        six, nine = (golden.quantize(values, fmt) for fmt in (MX6, MX9))
        assert same(found.read(), mix(six, nine, np.broadcast_to(tags, (M, 3))))


def test_gate_and_residual_are_added_where_a_layer_leaves():
    host, a, b = host_of(), normal(M, K), weights()
    memory, commands = host.memory, host.commands()
    bias, gate, residual = normal(N, seed=3), normal(N, seed=4), normal(M, N, seed=5)
    for output in ("fp32", "fp16"):
        c = memory.empty((M, N), output)
        commands.gemm(memory.place(a), memory.place_weights(b), c, bias=memory.place_bias(bias),
                      stages=Stages(factor=memory.place_bias(gate),
                                    residual=memory.place(residual)))
        host.run(commands)
        commands = host.commands()
        expected = vector.pipe(golden.gemm(golden.quantize(a, MX6), b, k_max=SMALL.k_max),
                               bias=bias, channel_factor=gate, residual=residual).result
        if output == "fp16":
            expected = narrow(expected, FP16).view(np.float16)
        assert same(c.read(), expected)


@pytest.mark.parametrize("by_maximum", [False, True])
def test_a_softmax_is_part_of_a_list(by_maximum):
    """Of several heads: scores, powers and their sums, without the host."""
    host, heads, tokens, d = host_of(), 3, 10, 12
    memory, commands = host.memory, host.commands()
    q, v = normal(heads, tokens, d), normal(heads, tokens, d, seed=3)
    k = golden.quantize(normal(heads, d, tokens, seed=2), MX6, axis=-2)
    p, out = memory.empty((heads, tokens, tokens), "mx9"), memory.empty((heads, tokens, d))
    given = memory.place(q), memory.place_weights(k)
    if by_maximum:
        scores = memory.empty((heads, tokens, tokens))
        commands.gemm(*given, scores)
        commands.vector(scores, p, stages=Stages(rows="maximum", function="exp2"))
    else:
        commands.gemm(*given, p, stages=Stages(function="exp2"))
    w = memory.place_weights(golden.quantize(v, MX6, axis=-2))
    commands.gemm(p, w, out, stages=Stages(rows="sum"))
    host.run(commands)
    for head in range(heads):
        part = replace(k, shape=k.shape[1:], axis=0, **{name: getattr(k, name)[head] for name in (
            "exponent", "microexponent", "mantissa", "sign", "is_mx9")})
        scores = golden.gemm(golden.quantize(q[head], MX6), part, k_max=SMALL.k_max)
        softmax = vector.softmax(scores, MX9, subtract_maximum=by_maximum)
        product = golden.gemm(softmax.p, golden.quantize(v[head], MX6, axis=0), k_max=SMALL.k_max)
        expected = vector.pipe(product, row_factor=softmax.row_factor[:, None]).result
        assert same(out[head].read(), expected)


def test_waits_follow_from_what_a_command_meets():
    host = host_of()
    memory, commands = host.memory, host.commands()
    x, y, z = (memory.empty((M, N)) for _ in range(3))
    one, two = Stages(scale=2), Stages(residual=y)
    commands.vector(memory.place(normal(M, N)), y, stages=one)
    commands.vector(memory.place(normal(M, N)), x, stages=one)
    commands.vector(x, z, stages=two)
    *_, last = commands
    assert (last.wait_a, last.wait_residual, last.wait_side) == (1, 2, 0)
    host.run(commands)


def test_iterations_share_what_has_no_batches():
    host, x = host_of(), normal(2, 3, M, N)
    memory, commands = host.memory, host.commands()
    factor, residual = normal(3, N, seed=3), normal(M, N, seed=4)
    c = memory.empty((2, 3, M, N))
    commands.vector(memory.place(x), c, stages=Stages(
        factor=memory.place_bias(factor), residual=memory.place(residual)))
    host.run(commands)
    assert same(c.read(), np.stack([[vector.pipe(
        x[i, j], channel_factor=factor[j], residual=residual).result for j in range(3)]
        for i in range(2)]))


REFUSED = {
    "rows": ("rows must be one of", lambda memory: Stages(rows="mean")),
    "function": ("function must be one of", lambda memory: Stages(function="relu")),
    "epsilon": ("epsilon is for", lambda memory: Stages(epsilon=1e-6)),
    "scale of norms": ("no.*scale|none for a scale", lambda memory: Stages(
        rows="rms_norm", scale=2)),
    "factor of gates": ("multiplier", lambda memory: Stages(
        function="gelu", factor=memory.place_bias(normal(N)))),
}


@pytest.mark.parametrize("says, make", REFUSED.values(), ids=REFUSED)
def test_what_excludes_each_other_is_refused_at_once(says, make):
    with pytest.raises(ValueError, match=says):
        make(host_of().memory)


def test_what_does_not_fit_a_command_is_refused():
    host = host_of()
    memory, commands = host.memory, host.commands()
    x, c = memory.place(normal(M, N)), memory.empty((M, N))
    a, w = memory.place(normal(M, K)), memory.place_weights(weights())
    tags = memory.place_tags([True, False, True])
    for says, call in (
            ("for a pass", lambda: commands.gemm(a, w, c, stages=Stages(rows="maximum"))),
            ("sum for packed", lambda: commands.gemm(a, w, c, stages=Stages(rows="sum"))),
            ('"mixed", and only there', lambda: commands.gemm(a, w, c, stages=Stages(tags=tags))),
            ('"mixed", and only there', lambda: commands.gemm(
                a, w, memory.empty((M, N), "mixed"))),
            ("those of a GEMM", lambda: commands.vector(x, c, stages=Stages(tags=tags))),
            ("as they are read", lambda: commands.vector(
                x, c, stages=Stages(rows="layer_norm"), bias=memory.place_bias(normal(N)))),
            ("no blocks to choose", lambda: commands.vector(
                x, c, stages=Stages(), selection=top(1))),
            ("no room for blocks", lambda: commands.vector(
                x, memory.empty((M, N), "mx6"), stages=Stages(), selection=top(1))),
            ("shape", lambda: commands.vector(
                x, c, stages=Stages(residual=memory.place(normal(M, N + 1))))),
            ("fp32", lambda: commands.vector(x, c, stages=Stages(
                residual=memory.place(normal(M, N).astype(np.float16))))),
            ("overwrite the residual", lambda: commands.vector(
                x, c, stages=Stages(residual=c))),
            ("as A is", lambda: commands.vector(x, memory.empty((M, N + 1)), stages=Stages()))):
        with pytest.raises(ValueError, match=says):
            call()
    assert not len(commands)


def test_a_machine_without_the_unit_says_so():
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    with pytest.raises(ValueError, match="no vector unit"):
        commands.vector(memory.place(normal(M, N)), memory.empty((M, N)), stages=Stages())
