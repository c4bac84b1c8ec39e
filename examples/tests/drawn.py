"""A drawn attention, small and of sizes that are multiples of nothing."""

from types import SimpleNamespace

import numpy as np

from examples.attention import Attention, make_attention

TOKENS, HEADS, CHANNELS, SEQUENCES = 21, 2, 18, 2


def drawn_layers(seed: int = 1) -> list[SimpleNamespace]:
    """Draw its layers; the last head is large."""
    rng = np.random.default_rng(seed)
    width = HEADS * CHANNELS
    rows = rng.standard_normal((2, SEQUENCES * TOKENS, width)).astype("f2")
    scale = np.repeat(1.0 + np.arange(HEADS), CHANNELS)
    return [
        SimpleNamespace(
            name=name, activations=rows[0], calibration=rows[1],
            weight=(rng.standard_normal((width, width)) / np.sqrt(width) * scale).astype("f2"),
            bias=rng.standard_normal(width).astype("f2"))
        for name in ("q", "k", "v", "out")
    ]


def drawn_attention(sequences: int = SEQUENCES) -> Attention:
    """Draw the whole of it, or its first sequences."""
    return make_attention(drawn_layers(), TOKENS, HEADS, sequences)
