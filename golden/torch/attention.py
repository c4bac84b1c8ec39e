"""Attention whose two products, Q @ K^T and P @ V, are quantized.

diffusers' attention processors call ``scaled_dot_product_attention``, inside of which the softmax
P never appears. `QuantizedAttention` runs such a processor, and answers this one call itself:
scores under one scheme, scale, mask and softmax in FP32, as the accelerator's vector unit does, and
the product with V under another. Everything else the processor does as before.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from golden.torch.linear import Mode
from golden.torch.processors import hidden_backend
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

    def __new__(
        cls, processor: Callable[..., Any], *_: Scheme | None, **__: Scheme | None
    ) -> "QuantizedAttention":
        # diffusers passes on the arguments that the signature of a processor's __call__ names.
        kind = processor if inspect.isroutine(processor) else type(processor)
        return super().__new__(_with_signature(QuantizedAttention, kind))

    def __init__(self, processor: Callable[..., Any], qk: Scheme | None, pv: Scheme | None) -> None:
        self.processor = processor
        self.qk = qk
        self.pv = pv
        self.mode: Mode = "fake"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the processor on what it takes itself.

        Raises
        ------
        RuntimeError
            If the processor did not call ``scaled_dot_product_attention`` once, or diffusers is
            told to compute attention in a way that hides the call.
        ValueError
            If it called in a way that `attend` does not know.
        """
        name = type(self.processor).__name__
        backend = hidden_backend(self.processor)
        if backend:
            raise RuntimeError(
                f"{name} uses the attention backend {backend!r}, inside of which its products "
                "cannot be quantized: use the backend 'native'"
            )
        mode = _Interception(self)
        with mode:
            result = self.processor(*args, **kwargs)
        if mode.calls != 1:
            raise RuntimeError(
                f"{name} called scaled_dot_product_attention {mode.calls} times instead of once: "
                "its products were not quantized as asked; leave them out with exclude"
            )
        return result

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as what it is made of: its class is made for the processor."""
        parts = (self.processor, self.qk, self.pv)
        others = {name: each for name, each in vars(self).items() if name not in _PARTS}
        return QuantizedAttention, parts, others

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
            Where queries are grouped, their heads are a divisor of the queries'.
        attn_mask : Tensor, optional
            Added to the scores, or of bool, False where a key is not to be seen; broadcasts to
            (..., heads, queries, keys). A query that sees no key gets zeros.
        dropout_p : float
            Dropout is refused.
        is_causal : bool
            Whether a query sees only keys up to its own place; not together with `attn_mask`.
        scale : float, optional
            Of the scores; ``width ** -0.5`` if left out.
        enable_gqa : bool
            Whether heads of queries, one group after the other, share a head of keys and values.
            Each is one product with that head.

        Raises
        ------
        ValueError
            If there is dropout, a mask although it is causal, a mask that torch does not know, or
            another number of heads.
        """
        if dropout_p:
            raise ValueError("quantized attention has no dropout: put the model in eval() mode")
        if enable_gqa or key.shape[-3:-2] == (1,):  # which torch broadcasts
            key, value = (_repeated(each, query) for each in (key, value))
        elif key.shape[-3:-2] != query.shape[-3:-2]:
            raise ValueError(
                "quantized attention needs as many heads of keys as of queries, not "
                f"{key.shape[-3]} and {query.shape[-3]}"
            )
        if attn_mask is not None:
            _check_mask(attn_mask, is_causal)
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
        else:
            if attn_mask.dtype == torch.bool:
                scores = scores.masked_fill(~attn_mask, -math.inf)
            else:
                scores = scores + attn_mask.float()
            blind = scores.amax(-1, keepdim=True) == -math.inf
            probabilities = scores.masked_fill(blind, 0.0).softmax(-1).masked_fill(blind, 0.0)
        return self._product(self.pv, probabilities, value.mT).to(query.dtype)

    def _product(self, scheme: Scheme | None, a: Tensor, b: Tensor) -> Tensor:
        """Return A @ B^T in FP32."""
        a, b = a.float(), b.float()
        if scheme is None:
            return a @ b.mT
        if self.mode == "exact":
            return scheme.exact(a, b)
        return scheme.activation(a) @ scheme.weight(b).mT


_PARTS = ("processor", "qk", "pv")


@lru_cache(maxsize=256)
def _with_signature(cls: type, processor: Callable[..., Any]) -> type:
    """Make a class whose ``__call__`` takes what that of a processor, or a function, takes."""
    if isinstance(processor, type):
        parameters = list(inspect.signature(processor.__call__).parameters.values())
    else:
        own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        parameters = [own, *inspect.signature(processor).parameters.values()]

    @torch.compiler.disable  # it counts calls, which a graph cannot
    def call(self: QuantizedAttention, *args: Any, **kwargs: Any) -> Any:
        return cls.__call__(self, *args, **kwargs)

    call.__signature__ = inspect.Signature(parameters)
    return type(cls.__name__, (cls,), {"__call__": call, "__doc__": cls.__doc__})


def _repeated(shared: Tensor, query: Tensor) -> Tensor:
    """Give every head of queries its head of keys."""
    heads, groups = query.shape[-3], shared.shape[-3]
    if heads % groups:
        raise ValueError(f"{heads} heads of queries cannot share {groups} heads of keys")
    return shared.repeat_interleave(heads // groups, -3)


def _check_mask(mask: object, is_causal: bool) -> None:
    if not isinstance(mask, Tensor):
        raise ValueError(f"a mask of attention is a tensor, not a {type(mask).__name__}")
    if mask.dtype != torch.bool and not mask.is_floating_point():
        raise ValueError(f"a mask of attention is of bool or floating point, not {mask.dtype}")
    if is_causal:
        raise ValueError("attention takes a mask or is causal, not both")


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
