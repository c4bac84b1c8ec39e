"""One GEMM of a model, quantized or not."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Site:
    """One GEMM, C = A @ B^T, that a policy may quantize.

    Attributes
    ----------
    name : str
        Of the layer inside its model; of an attention module's products with ``.qk`` or ``.pv``.
    kind : {"linear", "qk", "pv"}
        A linear layer with its weight as B; scores, with K as B; attention's output, with the
        softmax of the scores as A and V^T as B.
    k, n : int or None
        Length of the reduction and columns of the result, of one head in attention. None where it
        is a number of tokens, which only a call knows, or where the module does not tell.
    heads : int
        Such products per sample; 1 for a linear layer.
    """

    name: str
    kind: Literal["linear", "qk", "pv"]
    k: int | None
    n: int | None
    heads: int = 1

    @property
    def module(self) -> str:
        """Name of the linear layer, or of the attention module."""
        return self.name if self.kind == "linear" else self.name.rpartition(".")[0]


@dataclass(frozen=True)
class NotQuantized:
    """Something that multiplies in a model and stays in floating point.

    Attributes
    ----------
    name : str
        Of the layer, or of an attention module's product as in `Site`.
    reason : str
        Why, as the rest of a sentence that begins with the name.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} {self.reason}"
