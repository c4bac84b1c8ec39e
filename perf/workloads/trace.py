"""What a diffusers model computes, seen from outside: every call of a torch function is noted.

Models live on the meta device, so that tensors have shapes and nothing is computed. A function
that is not known here is an error: nothing is left out silently.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from diffusers.models.embeddings import Timesteps
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from perf.workloads.vector_ops import VectorKind, VectorOp

from .model import Gemm, GemmKind

_ONE_TO_ONE = {
    "layer_norm": VectorKind.LAYER_NORM, "rms_norm": VectorKind.RMS_NORM,
    "gelu": VectorKind.GELU, "silu": VectorKind.SILU, "embedding": VectorKind.EMBED,
    "sin": VectorKind.EMBED, "cos": VectorKind.EMBED,
}
_MOVES = frozenset({
    "__get__", "__getitem__", "cat", "chunk", "contiguous", "dim", "dropout", "einsum", "expand",
    "flatten", "float", "is_floating_point", "numel", "permute", "reshape", "size", "split",
    "squeeze", "to", "transpose", "type", "unsqueeze", "view",
})
"""Functions that compute nothing: shapes, types, order; dropout is off."""

_CONSTANTS = frozenset({"arange", "exp"})
"""Functions that make the frequencies of a time step's embedding, the same every time."""


@dataclass(frozen=True)
class Traced:
    """One thing that was computed.

    Attributes
    ----------
    owner : str
        The block that ran it; empty outside of blocks. A block's modules can run outside of it:
        DiT's last layer uses the first block's embedding of the time step.
    what : Gemm or VectorOp
        Its name is that of its module below the owner.
    """

    owner: str
    what: Gemm | VectorOp


class UnknownFunctionError(RuntimeError):
    """A torch function was called that the tracer does not know."""


class Trace(TorchFunctionMode):
    """Note GEMMs and vector operations of all that runs inside ``with trace.watching()``.

    Linear layers and convolutions become GEMMs, a convolution by its unfolded patches; attention
    becomes two GEMMs per head and sample, and a softmax. Multiplication by a row of channels
    becomes ``modulate`` or ``gate_add`` with the addition that follows. Operations with a number
    (1 + scale) concern constants or are divisions by 1, and are left out.

    Parameters
    ----------
    model : nn.Module
        Names in the trace are those of its modules.
    blocks : str
        Name of the list of modules that own what runs inside of them.
    only_gemms : bool
        Leave out everything else, known or not.

    Attributes
    ----------
    found : list of Traced
        In the order in which it ran.
    """

    def __init__(self, model: nn.Module, blocks: str = "", *, only_gemms: bool = False) -> None:
        super().__init__()
        self.found: list[Traced] = []
        self._only_gemms = only_gemms
        self._names = {module: name for name, module in model.named_modules()}
        self._blocks = set(model.get_submodule(blocks)) if blocks else set()
        self._stack: list[nn.Module] = [model]
        self._kept: list[Tensor] = []  # no tensor goes, so that no id comes twice
        self._products: dict[int, Tensor] = {}
        self._readers: dict[tuple[str, int], str] = {}

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run a torch function and note what it does."""
        result = function(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self._kept.append(result)
            self._note(function.__name__, args, kwargs or {}, result)
        return result

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Follow which module runs, and note what it does.

        Raises
        ------
        UnknownFunctionError
            Inside, for a function that is not known; at the end, if a product by channels was not
            added to anything.
        """
        def enter(module: nn.Module, _: Any) -> None:
            self._stack.append(module)

        def leave(*_: Any) -> None:
            self._stack.pop()

        hooks = [each for module in self._names for each in (
            module.register_forward_pre_hook(enter), module.register_forward_hook(leave))]
        try:
            with torch.no_grad(), self:
                yield
        finally:
            for hook in hooks:
                hook.remove()
        if self._products:
            shapes = [tuple(each.shape) for each in self._products.values()]
            raise UnknownFunctionError(f"products of shapes {shapes} are not added to anything")

    @property
    def _owner(self) -> str:
        return next((self._names[each] for each in self._stack if each in self._blocks), "")

    @property
    def _where(self) -> str:
        name = self._names[self._stack[-1]]
        return name.removeprefix(self._owner).removeprefix(".") if self._owner else name

    def _note(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], y: Tensor) -> None:
        in_timesteps = isinstance(self._stack[-1], Timesteps)
        if name in ("linear", "conv2d"):
            bias = args[2] if len(args) > 2 else kwargs.get("bias")
            columns = y.shape[1 if name == "conv2d" else -1]
            self._linear(args[0], args[1], y.numel() // columns, bias is not None)
        elif name == "scaled_dot_product_attention":
            self._attention(*(args[:3] or (kwargs[key] for key in ("query", "key", "value"))))
        elif self._only_gemms:
            return
        elif name in _ONE_TO_ONE:
            self._vector(_ONE_TO_ONE[name], y)
        elif name in ("add", "mul", "div", "sub"):
            tensors = all(isinstance(each, Tensor) for each in args[:2])
            if tensors and not in_timesteps:
                self._elementwise(name, args[:2], y)
        elif name not in _MOVES and not (in_timesteps and name in _CONSTANTS):
            raise UnknownFunctionError(f"{name} in {self._where or 'the model'} is not known")

    def _linear(self, x: Tensor, weight: Tensor, rows: int, bias: bool) -> None:
        name = self._where
        self._kept.append(x)
        first = self._readers.setdefault((self._owner, id(x)), name)
        self._found(Gemm(name, GemmKind.LINEAR, rows, prod(weight.shape[1:]), weight.shape[0],
                         bias=bias, shares="" if first == name else first))

    def _attention(self, q: Tensor, k: Tensor, v: Tensor) -> None:
        *heads, rows, width = q.shape
        columns, count, where = k.shape[-2], prod(heads), self._where
        self._found(Gemm(f"{where}.qk", GemmKind.QK, rows, width, columns, count))
        self._found(VectorOp(where, VectorKind.SOFTMAX, count * rows * columns, columns))
        self._found(Gemm(f"{where}.pv", GemmKind.PV, rows, columns, v.shape[-1], count))

    def _elementwise(self, name: str, operands: Sequence[Tensor], y: Tensor) -> None:
        by_channel = any(y.dim() == 3 and y.shape[1] > 1 and each.shape[-2] == 1
                         for each in operands)
        if name == "mul" and by_channel:
            self._products[id(y)] = y
        elif name == "add":
            products = [self._products.pop(id(each), None) for each in operands]
            if all(each is None for each in products):
                self._vector(VectorKind.ADD, y)
            else:
                self._vector(VectorKind.MODULATE if by_channel else VectorKind.GATE_ADD, y)
        else:
            shapes = [tuple(each.shape) for each in operands]
            raise UnknownFunctionError(f"{name} of {shapes} in {self._where or 'the model'} is "
                                       "not known")

    def _vector(self, kind: VectorKind, y: Tensor) -> None:
        self._found(VectorOp(self._where, kind, y.numel(), y.shape[-1]))

    def _found(self, what: Gemm | VectorOp) -> None:
        if isinstance(what, Gemm) or not self._only_gemms:
            self.found.append(Traced(self._owner, what))
