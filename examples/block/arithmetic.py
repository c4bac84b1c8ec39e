"""What a DiT block does beside its GEMMs: on the host, in the precision of what it is given.

Peebles and Xie, "Scalable Diffusion Models with Transformers" (ICCV 2023), section 3.2, and
`timm`'s MLP: LayerNorm without weights, adaLN's modulation, GELU by tanh, gated residuals. The
softmax is `examples.attention.softmax`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EPSILON = 1e-6
"""That LayerNorm adds to the variance, as DiT has it."""


def layer_norm(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Bring each row to mean 0 and variance 1, (..., channels)."""
    centered = x - x.mean(axis=-1, keepdims=True)
    return centered / np.sqrt((centered * centered).mean(axis=-1, keepdims=True)
                              + x.dtype.type(EPSILON))


def gelu(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Compute GELU's approximation by tanh."""
    inner = x.dtype.type(np.sqrt(2 / np.pi)) * (x + x.dtype.type(0.044715) * x * x * x)
    return x.dtype.type(0.5) * x * (1 + np.tanh(inner))


@dataclass(frozen=True)
class Branch:
    """One of a block's two residual branches: what adaLN gives it for a timestep and a class.

    Attributes
    ----------
    shift, scale, gate : ndarray of float32, shape (channels,)
    """

    shift: NDArray[np.float32]
    scale: NDArray[np.float32]
    gate: NDArray[np.float32]

    def enter(self, x: NDArray[np.floating]) -> NDArray[np.floating]:
        """Normalize and modulate tokens (tokens, channels): what the branch is given."""
        return layer_norm(x) * (1 + self.scale) + self.shift

    def leave(self, x: NDArray[np.floating], made: NDArray[np.floating]) -> NDArray[np.floating]:
        """Add to the tokens what the branch made of them, through its gate."""
        return x + self.gate * made
