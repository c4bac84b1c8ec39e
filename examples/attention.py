"""The attention of a captured transformer block: its operands, softmax, and what it should give.

This is self-attention as diffusers' `BasicTransformerBlock` has it in a DiT: q, k, v and out with
biases, no mask, scores over the square root of a head's channels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from examples.gemms import Matrices

PROJECTIONS = ("q", "k", "v")


class LinearLayer(Protocol):
    """A linear layer, as `quality.captured.CapturedLayer`."""

    name: str
    activations: NDArray[np.float16]
    weight: NDArray[np.float16]
    bias: NDArray[np.float16]
    calibration: NDArray[np.float16]


@dataclass(frozen=True)
class Linear:
    """A layer's weight (K, N) and bias (N,), in FP32."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def apply(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Compute the layer in FP64, nothing quantized: rows (M, K) become (M, N)."""
        return rows.astype(np.float64) @ self.weight.astype(np.float64) + self.bias


@dataclass(frozen=True)
class Attention:
    """One attention with what enters it.

    Attributes
    ----------
    tokens : int
        Tokens of a sequence.
    heads : int
    inputs : ndarray of float16, shape (sequences * tokens, channels)
        Of q, k and v.
    linears : dict of str to Linear
        q, k, v and out. The softmax's scale is folded into q.
    calibration : dict of str to ndarray of float16
        Rows that each layer's precisions are chosen on.
    """

    tokens: int
    heads: int
    inputs: NDArray[np.float16]
    linears: Mapping[str, Linear]
    calibration: Mapping[str, NDArray[np.float16]]

    @property
    def channels(self) -> int:
        """Channels of a head."""
        return self.linears["q"].weight.shape[1] // self.heads

    @property
    def sequences(self) -> int:
        """Sequences of tokens."""
        return len(self.inputs) // self.tokens

    def matrices(self, name: str, inputs: NDArray[np.float16]) -> Matrices:
        """Give what a layer multiplies."""
        return Matrices(name=name, activations=inputs, weights=self.linears[name].weight,
                        calibration=self.calibration[name], weight_float_format="fp32")

    def head(self, index: int) -> str:
        """Name a head by its index among all sequences' heads."""
        return f"sequence {index // self.heads}, head {index % self.heads}"

    def split(self, rows: NDArray[np.generic]) -> NDArray[np.generic]:
        """Cut rows of all heads' channels into heads: (sequences * heads, tokens, channels)."""
        parts = rows.reshape(-1, self.tokens, self.heads, rows.shape[1] // self.heads)
        return parts.transpose(0, 2, 1, 3).reshape(-1, self.tokens, parts.shape[-1])

    def merge(self, heads: NDArray[np.generic]) -> NDArray[np.generic]:
        """Put the heads side by side again; undoes `split`."""
        parts = heads.reshape(-1, self.heads, self.tokens, heads.shape[-1])
        return parts.transpose(0, 2, 1, 3).reshape(-1, self.heads * heads.shape[-1])

    def reference(self) -> dict[str, NDArray[np.float64]]:
        """Compute the attention in FP64, nothing quantized.

        Returns
        -------
        dict of str to ndarray
            What each step of `examples.attention_steps` should give: ``q``, ``k``, ``v`` and
            ``out``, shape (1, rows, channels); per head ``Kᵀ`` and ``V``, each the B of a product,
            and ``Q·Kᵀ`` and ``P·V``, shape (sequences * heads, K or M, N).
        """
        found = self.up_to_heads()
        return found | {"out": self.linears["out"].apply(self.merge(found["P·V"]))[None]}

    def up_to_heads(self) -> dict[str, NDArray[np.float64]]:
        """Compute the reference without ``out``, whose layer is not needed."""
        q, k, v = (self.linears[name].apply(self.inputs) for name in PROJECTIONS)
        keys, values = self.split(k).swapaxes(1, 2), self.split(v)
        scores = self.split(q) @ keys
        return {"q": q[None], "k": k[None], "v": v[None], "Kᵀ": keys, "V": values,
                "Q·Kᵀ": scores, "P·V": softmax(scores) @ values}


def softmax(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Compute the softmax along the last axis, in the precision of the scores."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def make_attention(
    layers: Sequence[LinearLayer], tokens: int, heads: int, sequences: int | None = None
) -> Attention:
    """Take the attention from a block's captured layers, and fold the softmax's scale into q.

    Parameters
    ----------
    layers : sequence of LinearLayer
        Among them q, k, v and out.
    tokens, heads : int
        Of a sequence; of the attention.
    sequences : int, optional
        How many of the captured sequences to take, from the first; all if left out.

    Raises
    ------
    ValueError
        If there are not that many sequences.
    """
    named = {layer.name: layer for layer in layers}
    available = len(named["q"].activations) // tokens
    sequences = available if sequences is None else sequences
    if not 1 <= sequences <= available:
        raise ValueError(f"{available} sequences were captured; choose 1 to {available} of them, "
                         f"not {sequences}")
    linears = {
        name: Linear(named[name].weight.astype(np.float32), named[name].bias.astype(np.float32))
        for name in (*PROJECTIONS, "out")
    }
    query = linears["q"]
    scale = np.float32(1 / np.sqrt(query.weight.shape[1] // heads))
    linears["q"] = replace(query, weight=query.weight * scale, bias=query.bias * scale)
    return Attention(
        tokens=tokens, heads=heads, inputs=named["q"].activations[: sequences * tokens],
        linears=linears, calibration={name: named[name].calibration for name in linears})
