"""The input that several quantized layers share, such as those of q, k and v."""

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from golden.torch.held import bits as bits_of
from golden.torch.meter import Meter

if TYPE_CHECKING:
    from golden.torch.linear import QuantizedLinear


@dataclass(eq=False)
class _Last:
    """What a thread's last input was and became.

    Attributes
    ----------
    input : callable
        The input itself, or None when it lives no longer.
    bits : Tensor or None
        A copy of what it held.
    state : tuple
        What else must be the same for its values to be.
    values : Tensor or None
    meter : Meter or None
        Of the layer that quantized it.
    readers : WeakSet of QuantizedLinear
        That were given the values.
    """

    input: Callable[[], torch.Tensor | None] = lambda: None
    bits: torch.Tensor | None = None
    state: tuple[object, ...] = ()
    values: torch.Tensor | None = None
    meter: Meter | None = None
    readers: "weakref.WeakSet[QuantizedLinear]" = field(default_factory=weakref.WeakSet)

    def forget(self, _: object = None) -> None:
        """Let go of the tensors, since their input is gone."""
        self.bits = self.values = None
        self.state = ()  # which holds the graph that the input came from


class SharedInput:
    """Quantizes an input once for all layers that read it one after the other, such as q, k and v.

    Give one object to the layers that may read the same tensor. For each thread it holds the values
    of the last input only, and only while that input lives.
    """

    def __init__(self) -> None:
        self._threads = threading.local()

    def values(self, x: torch.Tensor, reader: "QuantizedLinear") -> torch.Tensor:
        """Return `reader.scheme.activation(x)`, from the layer before if that had the same input.

        The same is the same tensor with the same bits in it, with the same place in the graph of
        gradients and the same `Scheme.activation_key`. The bits are compared with a copy, so a
        write is seen however it was done. What a layer is given twice is quantized anew.
        """
        scheme = reader.scheme
        if scheme.activation_key is None or x.is_meta:
            return scheme.activation(x)
        traced = torch.is_grad_enabled() and x.requires_grad
        graph = (x.grad_fn, x._version) if traced else None
        state = (torch.is_grad_enabled(), x.requires_grad, graph, scheme.activation_key)
        last: _Last = getattr(self._threads, "last", None) or _Last()
        values, bits = last.values, last.bits
        alike = values is not None and bits is not None and last.input() is x
        if alike and reader not in last.readers and last.state == state:
            now = bits_of(x)
            if now.dtype == bits.dtype and torch.equal(now, bits):
                scheme.meter.repeat_activation(last.meter)
                last.readers.add(reader)
                return values
        last = _Last(bits=bits_of(x).clone(), state=state, meter=scheme.meter)
        last.values = values = scheme.activation(x)
        last.input = weakref.ref(x, last.forget)
        last.readers.add(reader)
        self._threads.last = last
        return values

    def __deepcopy__(self, memo: dict[int, object]) -> "SharedInput":
        """Return one without an input, for the layers of a copied model."""
        return SharedInput()

    def __reduce__(self) -> tuple[type["SharedInput"], tuple[()]]:
        """Leave the input out of a pickled model."""
        return SharedInput, ()
