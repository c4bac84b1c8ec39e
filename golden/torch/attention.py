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

from golden.torch.codes import check_floats, check_layout
from golden.torch.fake import straight_through
from golden.torch.linear import MODES, Mode
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
        `golden.gemm`, with the gradients of "fake".

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
        TypeError
            If queries, keys or values are no dense tensors of FP32, FP16 or BF16.
        ValueError
            If there is dropout, a mask although it is causal, a mask that torch does not know,
            another number of heads, shapes that do not fit, or no such mode.
        """
        query, key, value = (
            _checked(name, each)
            for name, each in (("queries", query), ("keys", key), ("values", value))
        )
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {self.mode!r}")
        _check_shapes(query, key, value)
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
            _check_mask(attn_mask, is_causal, (*query.shape[:-1], key.shape[-2]))
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
        if self.qk is not None and self.mode == "exact":  # the scheme's own, which it may keep
            scores = scores.clone(memory_format=torch.contiguous_format)
        factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
        scores = scores * factor if scores.requires_grad else scores.mul_(factor)
        if is_causal:
            attn_mask = scores.new_ones(scores.shape[-2:], dtype=torch.bool).tril()
        is_traced = torch.is_grad_enabled() and (
            scores.requires_grad or (attn_mask is not None and attn_mask.requires_grad)
        )
        softmax = _probabilities if is_traced else _probabilities_in_place
        p = softmax(scores, attn_mask)
        del scores  # or it takes memory until the end
        return self._product(self.pv, p, value.mT, reuse=not is_traced).to(query.dtype)

    def _product(self, scheme: Scheme | None, a: Tensor, b: Tensor, reuse: bool = False) -> Tensor:
        """Return A @ B^T in FP32; A's memory may be used for something else if it says so."""
        a, b = a.float(), b.float()
        if scheme is None:
            return a @ b.mT
        if self.mode != "exact":
            return _fake_product(scheme, a, b, reuse)
        exact = scheme.exact(a.detach(), b.detach())
        if not (torch.is_grad_enabled() and (a.requires_grad or b.requires_grad)):
            return exact
        fake = _fake_product(scheme, a, b, reuse=False)
        return straight_through(fake, exact).clone()  # a view could not be written to


def _fake_product(scheme: Scheme, a: Tensor, b: Tensor, reuse: bool) -> Tensor:
    settings = {"reuse": True} if reuse and _can_reuse(scheme) else {}
    return scheme.activation(a, **settings) @ scheme.weight(b).mT


def _can_reuse(scheme: Scheme) -> bool:
    """Return whether the `activation` that is called may be told to use the memory of A."""
    # What is wrapped may take more than what is around it.
    return "reuse" in inspect.signature(scheme.activation, follow_wrapped=False).parameters


def _probabilities(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Return the softmax of masked scores; zeros where a query sees no key."""
    if mask is None:
        return scores.softmax(-1)
    if mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, -math.inf)
    else:
        scores = scores + mask.float()
    blind = scores.amax(-1, keepdim=True) == -math.inf
    return scores.masked_fill(blind, 0.0).softmax(-1).masked_fill(blind, 0.0)


def _probabilities_in_place(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Do the same in the memory of the scores, for a pass without gradients."""
    if mask is None:
        return _softmax_in_place(scores)
    if mask.dtype == torch.bool:
        scores.masked_fill_(~mask, -math.inf)
    else:
        scores += mask.float()
    blind = scores.amax(-1, keepdim=True) == -math.inf
    return _softmax_in_place(scores.masked_fill_(blind, 0.0)).masked_fill_(blind, 0.0)


def _softmax_in_place(scores: Tensor) -> Tensor:
    """Write the softmax of rows over them, some rows at a time: each is by itself."""
    rows = scores.view(math.prod(scores.shape[:-1]), scores.shape[-1])
    for part in rows.split(max(1, _AT_ONCE // max(1, rows.shape[-1]))):
        part.copy_(part.softmax(-1))
    return scores


_AT_ONCE = 1 << 20
"""Scores whose softmax is taken at once."""

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


def _checked(name: str, x: object) -> Tensor:
    try:
        return check_floats(x)
    except TypeError as error:
        raise TypeError(f"{name} of attention: {error}") from None


def _check_shapes(query: Tensor, key: Tensor, value: Tensor) -> None:
    """Raise a ValueError unless queries and keys, and keys and values, can be multiplied."""
    if min(query.dim(), key.dim(), value.dim()) < 2:
        problem = "need two dimensions or more"
    elif (query.dim() == 2) != (key.dim() == 2):
        problem = "need heads in queries and keys, or in neither"
    elif query.shape[-1] != key.shape[-1]:
        problem = "need queries and keys of one width"
    elif key.shape[-2] != value.shape[-2]:
        problem = "need as many values as keys"
    else:
        return
    shapes = ", ".join(str(tuple(each.shape)) for each in (query, key, value))
    raise ValueError(f"queries, keys and values of attention {problem}, not shapes {shapes}")


def _check_mask(mask: object, is_causal: bool, scores: tuple[int, ...]) -> None:
    if not isinstance(mask, Tensor):
        raise ValueError(f"a mask of attention is a tensor, not a {type(mask).__name__}")
    if mask.dtype != torch.bool and not mask.is_floating_point():
        raise ValueError(f"a mask of attention is of bool or floating point, not {mask.dtype}")
    if is_causal:
        raise ValueError("attention takes a mask or is causal, not both")
    check_layout(mask)
    sizes = zip(reversed(mask.shape), reversed(scores), strict=False)
    if mask.dim() > len(scores) or any(own not in (1, size) for own, size in sizes):
        raise ValueError(
            f"a mask of shape {tuple(mask.shape)} does not fit scores of shape {scores}"
        )


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
