"""A DiT block with what enters it: attention and feed-forward, each a residual branch."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from examples.attention import Attention, Linear
from examples.block.arithmetic import Branch, gelu
from examples.block.shape import BlockShape
from examples.gemms import Matrices

FEED_FORWARD = ("ff1", "ff2")

OUTPUT = "block"
"""What the host makes of the last list's results, by its name in `Block.reference`."""


@dataclass(frozen=True)
class Block:
    """One block, and one sequence of tokens.

    Attributes
    ----------
    shape : BlockShape
    x : ndarray of float32, shape (tokens, width)
    to_attention, to_feed_forward : Branch
    linears : mapping of str to Linear
        q, k, v, out, ff1 and ff2. The softmax's scale is folded into q.
    calibration : mapping of str to ndarray of float16
        Rows that each layer's precisions are chosen on.
    """

    shape: BlockShape
    x: NDArray[np.float32]
    to_attention: Branch
    to_feed_forward: Branch
    linears: Mapping[str, Linear]
    calibration: Mapping[str, NDArray[np.float16]]

    @property
    def attention(self) -> Attention:
        """The attention, given what the host's FP32 makes of the tokens, in FP16."""
        layers = [name for name in self.linears if name not in FEED_FORWARD]
        return Attention(
            tokens=self.shape.tokens, heads=self.shape.heads,
            inputs=self.to_attention.enter(self.x).astype(np.float16),
            linears={name: self.linears[name] for name in layers},
            calibration={name: self.calibration[name] for name in layers})

    def matrices(self, name: str) -> Matrices:
        """Give the weights of a layer of the feed-forward, and rows to choose precisions on."""
        return Matrices(name=name, activations=self.calibration[name],
                        weights=self.linears[name].weight, weight_float_format="fp32")

    def reference(self) -> dict[str, NDArray[np.float64]]:
        """Compute the block in FP64, nothing quantized and nothing rounded between its layers.

        Returns
        -------
        dict of str to ndarray
            The attention's steps, as `Attention.reference` has them; ``ff1``, ``ff2`` and the
            block's output ``block``, shape (1, tokens, channels).
        """
        x = self.x.astype(np.float64)
        found = replace(self.attention, inputs=self.to_attention.enter(x)).reference()
        x = self.to_attention.leave(x, found["out"][0])
        hidden = self.linears["ff1"].apply(self.to_feed_forward.enter(x))
        made = self.linears["ff2"].apply(gelu(hidden))
        return found | {"ff1": hidden[None], "ff2": made[None],
                        OUTPUT: self.to_feed_forward.leave(x, made)[None]}
