"""Lists of commands on a machine of golden: every kind, to the bit, and what is refused."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import golden
from golden import MX6, MX9
from golden.memory import Command
from hw.contract.config import Config
from hw.host.memory import above, every, top
from sim_tests.host.memory.benches import connect, normal, policy, product, same
from sim_tests.host.memory.golden_device import GoldenDevice

OUTPUTS = ("fp32", "fp16", "bf16", "mx6", "mx9")
DTYPES = {"fp32": np.float32, "fp16": np.float16, "bf16": ml_dtypes.bfloat16}


def quantized(a, **choices):
    """Quantize as the small machine does, all in MX6 where nobody chooses."""
    return golden.apply_policy(a, policy(**{"fraction": 0} | choices))


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("name", DTYPES)
def test_a_gemm_is_goldens_in_every_format(name, output):
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    a, b, bias = normal(10, 50).astype(DTYPES[name]), normal(50, 18, seed=2), normal(18, seed=3)
    plain, biased = memory.empty((10, 18), output), memory.empty((10, 18), output)
    x, w = memory.place(a), memory.place_weights(b, "mx9")
    commands.gemm(x, w, plain)
    commands.gemm(x, w, biased, bias=memory.place_bias(bias))
    host.run(commands)
    weights = golden.quantize(b, MX9, axis=0)
    assert same(plain.read(), product(quantized(a), weights, output=output))
    assert same(biased.read(), product(quantized(a), weights, bias, output))


SELECTIONS = {
    "none": (None, {"fraction": 0}), "top": (top(2), {"fraction": Fraction(2, 4)}),
    "above": (above(2.5), {"fraction": 1, "selection": "threshold", "threshold": 2.5}),
    "all": (every(True), {"fraction": 1}), "no one": (every(False), {"fraction": 0}),
}


@pytest.mark.parametrize("selection, choices", SELECTIONS.values(), ids=SELECTIONS)
@pytest.mark.parametrize("kind", ["gemm", "convert", "convert_transposed"])
def test_selections_choose_as_golden_does(kind, selection, choices):
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    x, b = normal(10, 60), normal(60, 5, seed=2)
    given_x = memory.place(x.T if kind == "convert_transposed" else x)
    if kind == "gemm":
        result = memory.empty((10, 5))
        commands.gemm(given_x, memory.place_weights(b), result, selection=selection)
        expected = product(quantized(x, **choices), golden.quantize(b, MX6, axis=0))
    else:
        result = memory.empty_weights((60, 10))
        getattr(commands, kind)(given_x, result, selection=selection)
        expected = golden.convert(x, policy(**choices))
    host.run(commands)
    assert same(result.read(), expected)


@pytest.mark.parametrize("with_order", [False, True])
@pytest.mark.parametrize("with_tags", [False, True])
def test_orders_and_tags_are_loaded(with_order, with_tags):
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    rng, a, b = np.random.default_rng(5), normal(9, 40), normal(40, 7, seed=2)
    bias = normal(7, seed=3)
    expected = []
    for number in range(3):  # more than there are tables
        order, tags = rng.permutation(40), np.roll([True, False, False], number)
        choices = {"order": "calibrated", "permutation": order} if with_order else {}
        if with_tags:
            choices |= {"fraction": 1, "selection": "static", "static_tags": tags}
        handles = {"order": memory.place_order(order)} if with_order else {}
        handles |= {"tags": memory.place_tags(tags)} if with_tags else {}
        c, w = memory.empty((9, 7)), memory.empty_weights((40, 9))
        commands.gemm(memory.place(a), memory.place_weights(b), c, bias=memory.place_bias(bias),
                      **handles)
        commands.convert(memory.place(a), w, **handles)
        expected += [(c, product(quantized(a, **choices), golden.quantize(b, MX6, axis=0), bias)),
                     (w, golden.convert(a, policy(**{"fraction": 0} | choices)))]
    used = [each.table for each in commands]
    assert used == ([0, 1, 0, 1, 0, 1] if with_order or with_tags else [0] * 6)
    host.run(commands)
    for found, wanted in expected:
        assert same(found.read(), wanted)


@pytest.mark.parametrize("between", ["mx6", "mx9"])
def test_a_chain_stays_packed(between):
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    x = normal(9, 33)
    weights = [normal(33, 40, seed=2), normal(40, 17, seed=3), normal(17, 6, seed=4)]
    handle, tensor = memory.place_activations(x, "mx9"), golden.quantize(x, MX9)
    for number, w in enumerate(weights):
        output = between if number < 2 else "fp32"
        after = memory.empty((9, w.shape[1]), output)
        commands.gemm(handle, memory.place_weights(w), after)
        handle, tensor = after, product(tensor, golden.quantize(w, MX6, axis=0), output=output)
    host.run(commands)
    assert same(handle.read(), tensor)


def test_attention_is_four_commands():
    samples, heads, tokens, d = 2, 3, 6, 16
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    qkv = normal(samples, tokens, 3 * heads * d)
    x = memory.place(qkv)
    q, k, v = (x.columns(part * heads * d, (part + 1) * heads * d).split_columns(heads)
               for part in range(3))
    keys = memory.empty_weights((samples, heads, d, tokens))
    values = memory.empty_weights((samples, heads, tokens, d))
    scores = memory.empty((samples, heads, tokens, tokens))
    out = memory.empty((samples, tokens, heads * d), "fp16")
    commands.convert(k, keys)
    commands.convert_transposed(v, values, selection=top(1))
    commands.gemm(q, keys, scores, selection=every(True))
    commands.gemm(scores, values, out.split_columns(heads))
    host.run(commands)
    found = out.read()
    parts = qkv.reshape(samples, tokens, 3, heads, d)
    for s in range(samples):
        for h in range(heads):
            head_q, head_k, head_v = (parts[s, :, part, h] for part in range(3))
            product_s = product(quantized(head_q, fraction=1),
                                golden.convert(head_k, policy(fraction=0)))
            expected = product(quantized(product_s), golden.convert(
                head_v, policy(fraction=1), transposed=True), output="fp16")
            assert same(np.ascontiguousarray(found[s, :, h * d : (h + 1) * d]), expected)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_batches_share_what_lacks_their_dimensions(data):
    batch = tuple(data.draw(st.lists(st.integers(1, 3), max_size=2)))
    m, k, n = (data.draw(st.integers(1, 20)) for _ in range(3))
    output = data.draw(st.sampled_from(OUTPUTS))

    def part_of(batch):
        kept = batch[data.draw(st.integers(0, len(batch))):]
        return tuple(1 if data.draw(st.booleans()) else size for size in kept)

    a, b, bias = (normal(*part_of(batch), *shape, seed=seed)
                  for seed, shape in enumerate(((m, k), (k, n), (n,))))
    packed = data.draw(st.booleans())
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    c = memory.empty((*batch, m, n), output)
    commands.gemm(memory.place_activations(a) if packed else memory.place(a),
                  memory.place_weights(b), c, bias=memory.place_bias(bias))
    host.run(commands)
    a, b, bias = (np.broadcast_to(x, (*batch, *x.shape[-own:]))
                  for x, own in ((a, 2), (b, 2), (bias, 1)))
    for index in np.ndindex(*batch):
        expected = product(golden.quantize(a[index], MX6), golden.quantize(b[index], MX6, axis=0),
                           bias[index], output)
        found = c
        for at in index:
            found = found[at]
        assert same(found.read(), expected)


def test_a_list_runs_again_with_other_numbers():
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    w = normal(16, 4, seed=9)
    x, c = memory.place(normal(4, 16)), memory.empty((4, 4))
    commands.gemm(x, memory.place_weights(w), c)
    for seed in range(3):
        x.write(normal(4, 16, seed=seed))
        host.run(commands)
        assert same(c.read(), product(quantized(normal(4, 16, seed=seed)),
                                      golden.quantize(w, MX6, axis=0)))


def test_tiles_are_as_many_as_half_of_the_chip_holds_or_as_is_said():
    host, _ = connect(device=GoldenDevice(Config.sized(
        rows=4, cols=4, k_max=256, bus_bytes=32, tile_slots=8)))
    memory, commands = host.memory, host.commands()
    operands = {k: (memory.place(normal(64, k)), memory.place_weights(normal(k, 4)))
                for k in (16, 256)}
    c = memory.empty((64, 4))
    for k, tiles in ((16, None), (256, None), (16, 8), (256, 6), (256, 1)):
        commands.gemm(*operands[k], c, tiles=tiles)
    assert [each.tiles for each in commands] == [4, 3, 8, 6, 1]
    for k, tiles in ((16, 9), (256, 7), (16, 0)):
        with pytest.raises(ValueError, match=r"1 to \d+ token tiles|at least 1"):
            commands.gemm(*operands[k], c, tiles=tiles)


def test_how_a_command_ends_is_in_its_descriptor():
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    x, w, c = memory.place(normal(4, 16)), memory.place_weights(normal(16, 4)), memory.empty((4, 4))
    commands.gemm(x, w, c, interrupt=True)
    commands.convert(x, memory.empty_weights((16, 4)), notify=True, measure=True)
    commands.wait(memory.place_word(), 5, goes_on=True)
    ends = [[name for name in ("interrupt", "notify", "goes_on") if getattr(each, name)]
            for each in commands]
    assert ends == [["interrupt"], ["notify"], ["goes_on"]]
    assert [each.flags for each in commands] == [0, 4, 0] and len(commands) == 3
    assert all(Command.unpack(each.pack()) == each for each in commands)


def refusal(name, call, words, error=ValueError):
    return pytest.param(call, error, words, id=name)


@pytest.mark.parametrize("call, error, words", [
    refusal("an array", lambda c, m, o: c.gemm(normal(4, 16), o.w, o.c), "A must be a Matrix or "
            "PackedActivations in memory, not a ndarray: place it", TypeError),
    refusal("weights that are numbers", lambda c, m, o: c.gemm(o.x, o.x, o.c),
            "B must be a PackedWeights in memory", TypeError),
    refusal("another K", lambda c, m, o: c.gemm(o.x.columns(0, 8), o.w, o.c),
            r"B must be a matrix \(8, 4\) for an A of \(4, 8\), not \(16, 4\)"),
    refusal("another M", lambda c, m, o: c.gemm(o.x, o.w, o.c.rows(0, 3)),
            r"C must be a matrix \(4, 4\)"),
    refusal("a bias of another length", lambda c, m, o: c.gemm(
        o.x, o.w, o.c, bias=m.place_bias(normal(5))), "the bias must have 4 numbers"),
    refusal("batches that do not fit", lambda c, m, o: c.gemm(
        m.empty((3, 4, 16)), o.w, m.empty((2, 4, 4))), r"A has the batch dimensions \(3,\)"),
    refusal("more batches than results", lambda c, m, o: c.gemm(m.empty((3, 4, 16)), o.w, o.c),
            r"A has the batch dimensions \(3,\), but C \(\)"),
    refusal("results onto A", lambda c, m, o: c.gemm(o.x, o.w, o.x.columns(12, 16)),
            "would overwrite A while it is read"),
    refusal("a conversion onto itself", lambda c, m, o: c.gemm(
        m.place_activations(normal(4, 16), "mx6"), o.w, o.x.columns(0, 4),
        selection=top(1)), "A is packed already: a selection would change nothing"),
    refusal("tags for what is packed", lambda c, m, o: c.gemm(
        m.place_activations(normal(4, 16)), o.w, o.c, tags=m.place_tags([1])), "packed already"),
    refusal("both selections", lambda c, m, o: c.gemm(
        o.x, o.w, o.c, tags=m.place_tags([1]), selection=top(1)), "give one of both"),
    refusal("too few tags", lambda c, m, o: c.gemm(o.x, o.w, o.c, tags=m.place_tags([1, 0])),
            "the tags must have 1 entries for K = 16, not 2"),
    refusal("too long an order", lambda c, m, o: c.gemm(
        o.x, o.w, o.c, order=m.place_order(range(17))), "the order must have 16 entries"),
    refusal("tags as an order", lambda c, m, o: c.gemm(o.x, o.w, o.c, order=m.place_tags([1])),
            "the order must be a Order", TypeError),
    refusal("more units than blocks", lambda c, m, o: c.gemm(o.x, o.w, o.c, selection=top(2)),
            "2 K-blocks are to be MX9, but K = 16 has 1"),
    refusal("a selection by name", lambda c, m, o: c.gemm(o.x, o.w, o.c, selection="top"),
            "one of hw.host.memory.top", TypeError),
    refusal("a word of another end", lambda c, m, o: c.gemm(o.x, o.w, o.c, interupt=True),
            "a command has no 'interupt'", TypeError),
    refusal("a number for a bool", lambda c, m, o: c.gemm(o.x, o.w, o.c, notify=1),
            "notify must be True or False", TypeError),
    refusal("mixed tiles as results", lambda c, m, o: c.gemm(
        o.x, o.w, m.place_activations(golden.apply_policy(normal(4, 4), policy()))),
        'by tags where C is "mixed"'),
    refusal("a conversion that does not fit", lambda c, m, o: c.convert(
        m.empty((4, 64)), m.place_weights(normal(64, 4)), selection=every(True)),
            "tiles of up to 416 bytes need more room than the weights' stride of 320: make it"),
    refusal("a conversion of another shape", lambda c, m, o: c.convert(
        o.x, m.empty_weights((4, 16))), r"must be a matrix \(16, 4\), not \(4, 16\)"),
    refusal("a transposed one of another shape", lambda c, m, o: c.convert_transposed(
        o.x, m.empty_weights((16, 4))), r"must be a matrix \(16, 4\), not \(4, 16\)"),
    refusal("a number as a word", lambda c, m, o: c.wait(5, 1), "must be a Word", TypeError),
    refusal("a count below zero", lambda c, m, o: c.wait(m.place_word(), -1), "at least 0"),
    refusal("a threshold below zero", lambda c, m, o: c.gemm(o.x, o.w, o.c, selection=above(-1)),
            "must be a magnitude"),
    refusal("a threshold that is none", lambda c, m, o: above(float("nan")), "be a magnitude"),
    refusal("every of a number", lambda c, m, o: every(1), "True or False", TypeError),
])
def test_what_does_not_fit_is_refused_and_leaves_the_list_as_it_was(call, error, words):
    host, _ = connect()
    memory, commands = host.memory, host.commands()

    class Operands:
        x, w = memory.place(normal(4, 16)), memory.place_weights(normal(16, 4))
        c = memory.empty((4, 4))

    with pytest.raises(error, match=words):
        call(commands, memory, Operands)
    assert len(commands) == 0
    commands.gemm(Operands.x, Operands.w, Operands.c)
    host.run(commands)


def test_counts_and_steps_have_to_fit_their_fields():
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    x, w = memory.place(normal(1, 1)), memory.place_weights(normal(1, 1))
    c = memory.empty((1 << 16, 1, 1), "fp16")
    with pytest.raises(ValueError, match="count_0 = 65536 does not fit into the 16 bits"):
        commands.gemm(x, w, c)


def test_what_the_machine_was_not_built_for_is_refused():
    host, _ = connect(device=GoldenDevice(Config.sized(
        rows=4, cols=6, k_max=256, bus_bytes=32, float_formats=("fp16",))))
    memory, commands = host.memory, host.commands()
    w = memory.place_weights(normal(16, 4))
    with pytest.raises(ValueError, match="reads fp16, but the numbers are fp32"):
        commands.gemm(memory.place(normal(4, 16)), w, memory.empty((4, 4)))
    with pytest.raises(ValueError, match="results are in fp32, fp16, bf16, not in mx6"):
        commands.gemm(memory.place(normal(4, 16, dtype=np.float16)), w, memory.empty((4, 4), "mx6"))
