"""Attention whose two products, Q @ K^T and P @ V, are quantized.

diffusers' attention processors call ``scaled_dot_product_attention``, inside of which the softmax
P never appears. `QuantizedAttention` runs such a processor, and answers this one call itself:
scores under one scheme, scale, mask and softmax in FP32, as the accelerator's vector unit does, and
the product with V under another. Everything else the processor does as before.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from golden.torch.linear import Mode
from golden.torch.scheme import Scheme


class QuantizedAttention:
    """An attention processor whose products are quantized.

    Attributes
    ----------
    processor : callable
        What it runs.
    qk, pv : Scheme or None
        Of Q @ K^T and of P @ V; None leaves a product in FP32.
    mode : {"fake", "exact"}
        "fake" multiplies the values that the machine would, in FP32; "exact" gives the bits of
        `golden.gemm`.

    Notes
    -----
    Scores, P and sums are FP32 whatever the dtype of the tensors; the result has that of Q. The
    values of every MX format have at most 8 significant bits, so
    ``torch.set_float32_matmul_precision("high")`` rounds no operand of the fake products.
    """

    def __init__(
        self, processor: Callable[..., Tensor], qk: Scheme | None, pv: Scheme | None
    ) -> None:
        self.processor = processor
        self.qk = qk
        self.pv = pv
        self.mode: Mode = "fake"

    @torch.compiler.disable
    def __call__(
        self,
        attn: torch.nn.Module,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Run the processor; diffusers reads the names of the parameters.

        Raises
        ------
        RuntimeError
            If the processor did not call ``scaled_dot_product_attention`` once.
        ValueError
            If it did so in a way that `attend` does not know.
        """
        optional = {"attention_mask": attention_mask, "temb": temb}
        kwargs |= {name: value for name, value in optional.items() if value is not None}
        mode = _Interception(self)
        with mode:
            result = self.processor(
                attn, hidden_states, *args, encoder_hidden_states=encoder_hidden_states, **kwargs
            )
        if mode.calls != 1:
            raise RuntimeError(
                f"{type(self.processor).__name__} called scaled_dot_product_attention "
                f"{mode.calls} times instead of once: its products were not quantized as asked"
            )
        return result

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Do what ``scaled_dot_product_attention`` does, its products quantized.

        Parameters
        ----------
        query : Tensor, shape (..., heads, queries, width)
        key, value : Tensor, shape (..., heads, keys, width)
        attn_mask : Tensor, optional
            Added to the scores, or of bool, False where a key is not to be seen; broadcasts to
            (..., heads, queries, keys). A query that sees no key gets zeros.
        dropout_p, enable_gqa
            Dropout and grouped queries are refused.
        is_causal : bool
            Whether a query sees only keys up to its own place; not together with `attn_mask`.
        scale : float, optional
            Of the scores; ``width ** -0.5`` if left out.
        """
        if dropout_p:
            raise ValueError("quantized attention has no dropout: put the model in eval() mode")
        if enable_gqa or key.shape[-3] != query.shape[-3]:
            raise ValueError("quantized attention needs as many heads of keys as of queries")
        if is_causal and attn_mask is not None:
            raise ValueError("attention takes a mask or is causal, not both")
        with torch.autocast(query.device.type, enabled=False):
            return self._attend(query, key, value, attn_mask, is_causal, scale)

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None,
        is_causal: bool,
        scale: float | None,
    ) -> Tensor:
        scores = self._product(self.qk, query, key)
        scores *= 1 / math.sqrt(query.shape[-1]) if scale is None else scale
        if is_causal:
            attn_mask = scores.new_ones(scores.shape[-2:], dtype=torch.bool).tril()
        if attn_mask is None:
            probabilities = scores.softmax(-1)
        elif attn_mask.dtype == torch.bool:
            hidden = ~attn_mask
            probabilities = scores.masked_fill_(hidden, -math.inf).softmax(-1)
            probabilities = probabilities.masked_fill(hidden, 0.0)
        else:
            probabilities = scores.add_(attn_mask).softmax(-1)
        return self._product(self.pv, probabilities, value.mT).to(query.dtype)

    def _product(self, scheme: Scheme | None, a: Tensor, b: Tensor) -> Tensor:
        """Return A @ B^T in FP32."""
        a, b = a.float(), b.float()
        if scheme is None:
            return a @ b.mT
        if self.mode == "exact":
            return scheme.exact(a, b)
        return scheme.activation(a) @ scheme.weight(b).mT


class _Interception(TorchFunctionMode):
    """Hand calls of ``scaled_dot_product_attention`` to a `QuantizedAttention`, and count them."""

    def __init__(self, attention: QuantizedAttention) -> None:
        super().__init__()
        self.attention = attention
        self.calls = 0

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if function is not functional.scaled_dot_product_attention:
            return function(*args, **(kwargs or {}))
        self.calls += 1
        return self.attention.attend(*args, **(kwargs or {}))
