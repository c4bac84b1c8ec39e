"""What schemes share while a model runs: a count of the bits they spend, and the time."""

import copy
import threading
from dataclasses import dataclass

import torch


@dataclass
class Tally:
    """Elements that passed and the bits they took, without waiting for the device.

    Attributes
    ----------
    elements : int
    bits : int or Tensor
        A tensor without dimensions, on the device of the operands, where their bits depend on
        their values.
    """

    elements: int = 0
    bits: int | torch.Tensor = 0

    def add(self, elements: int, bits: int | torch.Tensor) -> None:
        """Count one more operand."""
        self.elements += elements
        self.bits = self.bits + bits

    @property
    def mean(self) -> float:
        """Bits per element; NaN where nothing has passed."""
        return float(self.bits) / self.elements if self.elements else float("nan")


class Meter:
    """Counts elements and bits of the operands of one GEMM as they pass, in any thread.

    A scheme counts what it quantizes. What is quantized once and used again (a weight, an input
    that several layers share) is counted again, so that every GEMM that runs counts both of its
    operands.

    Attributes
    ----------
    activations, weights : Tally
        Of all operands since the last `reset`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = threading.local()
        self.last_weight = Tally()
        self.reset()

    @property
    def last_activation(self) -> Tally:
        """The A that this thread has counted last."""
        return getattr(self._last, "activation", Tally())

    @property
    def activation_bits(self) -> float:
        """Mean bits per element of A, whatever its scales take included; NaN if none passed."""
        return self.activations.mean

    @property
    def weight_bits(self) -> float:
        """Mean bits per element of B, whatever its scales take included; NaN if none passed."""
        return self.weights.mean

    def add_activation(self, elements: int, bits: int | torch.Tensor) -> None:
        """Count an A."""
        self._last.activation = Tally(elements, bits)
        with self._lock:
            self.activations.add(elements, bits)

    def add_weight(self, elements: int, bits: int | torch.Tensor) -> None:
        """Count a B that was quantized now."""
        with self._lock:
            self.last_weight = Tally(elements, bits)
            self.weights.add(elements, bits)

    def repeat_weight(self) -> None:
        """Count the last B again."""
        with self._lock:
            self.weights.add(self.last_weight.elements, self.last_weight.bits)

    def reset(self) -> None:
        """Start again from zero. What `repeat_weight` counts is kept."""
        with self._lock:
            self.activations = Tally()
            self.weights = Tally()

    def __getstate__(self) -> dict[str, Tally]:
        """Leave lock and threads out of a copied or pickled meter."""
        names = ("activations", "weights", "last_weight")
        with self._lock:
            return {name: copy.copy(getattr(self, name)) for name in names}

    def __setstate__(self, state: dict[str, Tally]) -> None:
        self.__init__()
        self.__dict__ |= state


class Clock:
    """The timestep of the forward pass that is running, the same for all images of its batch.

    Every thread has its own, so that models can run in several at once.

    Parameters
    ----------
    timestep : float
        Of this thread.

    Attributes
    ----------
    timestep : float
        In the model's own units; NaN before the first pass.
    """

    def __init__(self, timestep: float = float("nan")) -> None:
        self._local = threading.local()
        self.timestep = timestep

    @property
    def timestep(self) -> float:
        return getattr(self._local, "timestep", float("nan"))

    @timestep.setter
    def timestep(self, timestep: float) -> None:
        self._local.timestep = timestep

    def __repr__(self) -> str:
        return f"Clock({self.timestep})"

    def __getstate__(self) -> float:
        return self.timestep

    def __setstate__(self, timestep: float) -> None:
        self.__init__(timestep)
