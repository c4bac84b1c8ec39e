"""A DiT block, drawn so that its channels and results are spread as those of trained ones."""

import numpy as np
from numpy.typing import NDArray

from examples.attention import Attention, Linear
from examples.block.arithmetic import Branch, gelu
from examples.block.block import Block
from examples.block.shape import BlockShape

CHANNEL_SPREAD = 0.5
"""Standard deviation of the logarithm of the channels' sizes, in tokens and in adaLN's scales.

Of both together it is 0.71; before q, k and v of the block that `quality.captured` has, 0.74.
"""

OUTLIER_CHANNELS = 1 / 384
"""Share of the channels that adaLN makes outliers: three of DiT-XL/2's 1152, one at least."""

OUTLIER_SCALE = 10
"""How much larger they are, an assumption."""

BIAS, GATE, SHIFT = 0.05, 0.5, 0.2
"""Standard deviations."""

QUERY_GAIN = 1.5
"""Of q's and k's results, so that the softmax prefers some tokens."""


def draw_block(shape: BlockShape, seed: int) -> Block:
    """Draw a block, tokens for it, and other tokens that its precisions are chosen on.

    Channels differ in size as in a trained DiT: lognormally, with a few outliers, which adaLN's
    scale makes before q, k and v, and before ff1. Weights are drawn layer by layer, so that each
    makes results of variance 1 of the tokens that it is calibrated on: GELU and softmax then work
    where they do in a trained model.
    """
    rng = np.random.default_rng(seed)
    spread = np.exp(CHANNEL_SPREAD * rng.standard_normal(shape.width))
    x, others = (rng.standard_normal((2, shape.tokens, shape.width)) * spread).astype(np.float32)
    branches = [_draw_branch(rng, shape.width) for _ in range(2)]
    linears, rows = {}, {}

    def draw(name: str, given: NDArray[np.floating], columns: int,
             gain: float = 1.0) -> NDArray[np.float64]:
        """Draw a layer for its calibration rows, and return what it makes of them."""
        rows[name] = given.astype(np.float16)
        size = np.sqrt(np.square(given, dtype=np.float64).sum(axis=-1).mean())
        weight = gain / size * rng.standard_normal((given.shape[1], columns))
        linears[name] = Linear(weight.astype(np.float32),
                               (gain * BIAS * rng.standard_normal(columns)).astype(np.float32))
        return linears[name].apply(rows[name])

    given, scale = branches[0].enter(others), (shape.width // shape.heads) ** -0.5
    for name, gain in (("q", QUERY_GAIN * scale), ("k", QUERY_GAIN), ("v", 1.0)):
        draw(name, given, shape.width, gain)
    attention = Attention(tokens=shape.tokens, heads=shape.heads, inputs=rows["q"],
                          linears=dict(linears), calibration=dict(rows))
    heads = attention.merge(attention.up_to_heads()["P·V"])
    others = branches[0].leave(others, draw("out", heads, shape.width))
    hidden = draw("ff1", branches[1].enter(others), shape.hidden)
    draw("ff2", gelu(hidden), shape.width)
    return Block(shape=shape, x=x, to_attention=branches[0], to_feed_forward=branches[1],
                 linears=linears, calibration=rows)


def _draw_branch(rng: np.random.Generator, width: int) -> Branch:
    """Draw adaLN's vectors: 1 + scale is what the channels are multiplied by."""
    factor = np.exp(CHANNEL_SPREAD * rng.standard_normal(width))
    factor[rng.permutation(width)[: max(1, round(OUTLIER_CHANNELS * width))]] *= OUTLIER_SCALE
    shift, gate = SHIFT * rng.standard_normal(width) * factor, GATE * rng.standard_normal(width)
    return Branch(shift.astype(np.float32), (factor - 1).astype(np.float32),
                  gate.astype(np.float32))
