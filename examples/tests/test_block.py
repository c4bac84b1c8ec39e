"""A DiT block: its arithmetic, and its lists on golden's ring."""

import math
from dataclasses import replace

import numpy as np
import pytest

import golden
from examples.attention import softmax
from examples.attention_steps import PrecisionChoice
from examples.block.arithmetic import Branch, gelu, layer_norm
from examples.block.block import Block
from examples.block.drawn import OUTLIER_SCALE, draw_block
from examples.block.in_memory import BlockInMemory
from examples.block.shape import BlockShape
from examples.gemms import Style, quantize_weights
from examples.lists.attention import choose_heads
from examples.lists.precisions import mx9_shares
from examples.lists.running import RING_SIZE
from examples.tests.drawn_block import CHOICES, SHAPE, drawn, run_on_golden
from golden import MX6, MX9, Policy
from golden.memory.descriptor import BYTES
from golden.memory.fences import FenceError
from golden.memory.jobs import JobKind
from hw.contract.config import Config
from hw.host.memory import Memory
from hw.host.memory.fences import Fences
from sim_tests.host.memory.benches import same
from sim_tests.host.memory.golden_device import SMALL

LEAST_QSNR = {Style.MX6: 24, Style.MIXDIT: 27, Style.MX9: 41}
"""Of the block's output against FP64, in dB: measured, and rounded down."""


class Composed:
    """A block by golden's public functions alone: no memory, no commands, no strides.

    It notes every operand, so that what is counted on lists can be held against them.
    """

    def __init__(self, block: Block, choice: PrecisionChoice):
        self.block, self.choice = block, choice
        self.operands: list[tuple[golden.MXTensor, golden.MXTensor]] = []

    def policy(self, selected=None) -> Policy | None:
        """Return the policy of a choice of the lists; None where all blocks are alike."""
        if self.choice.style is not Style.MIXDIT:
            return None
        threshold = np.uint32(selected.threshold).view(np.float32)
        return Policy(fraction=1, selection="threshold", threshold=float(threshold),
                      tile_rows=SMALL.rows)

    def gemm(self, x, b, policy, output="fp32", bias=None):
        a = (golden.apply_policy(x, policy) if policy is not None
             else golden.quantize(x, self.format))
        self.operands.append((a, b))
        return golden.gemm(a, b, acc_width=SMALL.acc_width, k_max=SMALL.k_max, bias=bias,
                           output=output)

    @property
    def format(self):
        return MX9 if self.choice.style is Style.MX9 else MX6

    def linear(self, name, x, matrices, output="fp32"):
        policy, b = quantize_weights(matrices, self.choice.style, self.choice.fraction, SMALL)
        return self.gemm(x, b, policy if policy.threshold is not None else None, output,
                         self.block.linears[name].bias)

    def weights(self, x, policy, transposed):
        if policy is not None:
            return golden.convert(x, policy, transposed=transposed)
        return golden.quantize(x if transposed else x.T, self.format, axis=0)

    def attention(self, x):
        attention, width = self.block.attention, SHAPE.width // SHAPE.heads
        chosen = choose_heads(attention, self.choice, SMALL)
        policies = {name: self.policy(getattr(chosen, name)) for name in "qkv"}
        x = self.block.to_attention.enter(x).astype(np.float16)
        made = {name: self.linear(name, x, attention.matrices(name, attention.calibration[name]),
                                  "fp16") for name in "qkv"}
        scores, values = [], []
        for head in range(SHAPE.heads):
            q, k, v = (made[name][:, head * width : (head + 1) * width] for name in "qkv")
            scores.append(self.gemm(q, self.weights(k, policies["k"], False), policies["q"]))
            values.append(self.weights(v, policies["v"], True))
        probabilities = softmax(np.stack(scores)).astype(np.float16)
        policy = None
        if self.choice.style is Style.MIXDIT:
            policy = Policy(fraction=self.choice.head_fraction, tile_rows=SMALL.rows)
            policy = replace(policy, selection="threshold",
                             threshold=golden.calibrate_threshold([probabilities], policy))
        heads = np.concatenate([self.gemm(p, v, policy, "fp16")
                                for p, v in zip(probabilities, values, strict=True)], axis=1)
        return self.linear("out", heads, attention.matrices("out", attention.calibration["out"]))

    def run(self) -> dict[str, np.ndarray]:
        block = self.block
        out = self.attention(block.x)
        x = block.to_attention.leave(block.x, out)
        given = block.to_feed_forward.enter(x).astype(np.float16)
        ff1 = self.linear("ff1", given, block.matrices("ff1"))
        ff2 = self.linear("ff2", gelu(ff1).astype(np.float16), block.matrices("ff2"))
        return {"out": out, "ff1": ff1, "ff2": ff2, "block": block.to_feed_forward.leave(x, ff2)}


@pytest.mark.parametrize("style", list(Style))
def test_the_lists_are_what_goldens_functions_make_to_the_bit(style):
    tensors, lists = run_on_golden(style)
    assert [len(each) for each in lists] == [6, 2, 1, 1]
    composed, found = Composed(drawn(), CHOICES[style]), tensors.read()
    for step, numbers in composed.run().items():
        assert same(found[step][0], numbers), step
    products = [each for commands in lists for each in commands
                if each.kind == JobKind.GEMM.value]
    assert sum(each.count_0 * each.count_1 for each in products) == len(composed.operands)


@pytest.mark.parametrize("style", list(Style))
def test_the_block_stays_near_fp64(style):
    tensors, _ = run_on_golden(style)
    found, reference = tensors.read(), drawn().reference()
    assert found.keys() == reference.keys()
    assert all(found[step].shape == numbers.shape for step, numbers in reference.items())
    qsnr = golden.qsnr(reference["block"], found["block"])
    assert LEAST_QSNR[style] < qsnr < LEAST_QSNR[style] + 2


def test_shares_of_mx9_are_those_of_the_operands():
    _, lists = run_on_golden(Style.MIXDIT)
    composed = Composed(drawn(), CHOICES[Style.MIXDIT])
    composed.run()
    (a, b), rows = composed.operands[-1], SMALL.rows
    assert mx9_shares(lists[-1]) == (a.is_mx9[::rows].mean(), b.is_mx9.mean())
    # Of Q·Kᵀ, the same for all heads, and q, k and v before it.
    scores = composed.operands[: 3 + SHAPE.heads]
    tags = [np.concatenate(each) for each in zip(*(
        (a.is_mx9[::rows].ravel(), b.is_mx9.ravel()) for a, b in scores), strict=True)]
    assert mx9_shares(lists[0]) == tuple(each.mean() for each in tags)
    assert all(0.1 < share < 0.5 for share in mx9_shares(lists[0]))


def test_commands_that_do_not_wait_are_refused(monkeypatch):
    monkeypatch.setattr(Fences, "distances", lambda self, reads: {})
    with pytest.raises(FenceError, match="wait_a must be from 1 to 2"):
        run_on_golden(Style.MX6)


def test_the_hosts_arithmetic_is_that_of_a_dit():
    rng = np.random.default_rng(1)
    x, made = 3 * rng.standard_normal((2, 5, 48)) + 1
    shift, scale, gate = rng.standard_normal((3, 48))
    normed = np.array([[(each - np.mean(row)) / math.sqrt(np.var(row) + 1e-6) for each in row]
                       for row in x])
    branch = Branch(shift, scale, gate)
    assert np.allclose(layer_norm(x), normed, rtol=0, atol=1e-12)
    assert np.allclose(branch.enter(x), normed * (1 + scale) + shift, rtol=0, atol=1e-12)
    assert np.array_equal(branch.leave(x, made), x + gate * made)
    exact = np.array([[each / 2 * (1 + math.erf(each / math.sqrt(2))) for each in row]
                      for row in x])
    assert 0 < np.abs(gelu(x) - exact).max() < 5e-4  # as far as its approximation is from GELU


def test_the_host_computes_in_fp32_what_it_is_given_in_fp32():
    x, branch = drawn().x, drawn().to_attention
    assert x.dtype == np.float32
    for made in (layer_norm(x), gelu(x), branch.enter(x), branch.leave(x, x)):
        assert made.dtype == np.float32


def test_drawn_channels_have_outliers_and_layers_work_where_trained_ones_do():
    block = draw_block(BlockShape(tokens=64, width=384, heads=6), 1)
    size = np.sqrt(np.square(block.attention.inputs.astype(np.float64)).mean(axis=0))
    assert OUTLIER_SCALE / 3 < size.max() / np.median(size) < OUTLIER_SCALE * 3
    assert 0.5 < np.log(size).std() < 1
    reference = block.reference()
    for step in ("v", "ff1", "ff2"):
        assert 0.5 < reference[step].std() < 2, step
    assert 1 < reference["Q·Kᵀ"].std() < 5


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"tokens": 0}, "tokens must be at least 1, not 0"),
    ({"width": 50, "heads": 4}, "a width of 50 channels makes no 4 equal heads"),
    ({"mlp_ratio": 2.51}, r"mlp_ratio=2.51 times 60 channels must be a whole number of at least 1"),
    ({"mlp_ratio": 0.01}, "must be a whole number"),
    ({"mlp_ratio": math.inf}, "must be a whole number"),
    ({"mlp_ratio": math.nan}, "must be a whole number"),
    ({"mlp_ratio": -1.0}, "must be a whole number"),
])
def test_sizes_that_are_none_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(SHAPE, **changes)


def test_a_ratio_is_the_decimal_that_it_prints_as():
    assert BlockShape(tokens=1, width=30, heads=1, mlp_ratio=0.1).hidden == 3  # 0.1 * 30 > 3


@pytest.mark.parametrize(("changes", "what"), [
    ({"width": 720, "mlp_ratio": 1.0}, "width"), ({"mlp_ratio": 10.0}, "feed-forward"),
    ({"tokens": 600}, "attention")])
def test_a_machine_with_too_small_a_k_is_refused(changes, what):
    with pytest.raises(ValueError, match=f"the {what} makes a GEMM of K = .*; give a larger"):
        replace(SHAPE, **changes).check_machine(SMALL)


@pytest.mark.parametrize("bus_bytes", [8, 64])
@pytest.mark.parametrize("cols", [1, 5])
@pytest.mark.parametrize("shape", [
    BlockShape(tokens=1, width=1, heads=1, mlp_ratio=1.0), SHAPE,
    BlockShape(tokens=300, width=32, heads=32), BlockShape(tokens=5, width=300, heads=1)])
def test_its_memory_has_room_for_it(shape, cols, bus_bytes):
    class Nothing:
        def write_memory(self, address, data): ...
        def flush(self, address, size): ...

    config = Config.sized(rows=3, cols=cols, k_max=2048, bus_bytes=bus_bytes)
    memory = Memory(Nothing(), config, 0, shape.memory_bytes(config) - RING_SIZE * BYTES)
    BlockInMemory(draw_block(shape, 1), PrecisionChoice(Style.MX9), memory)
