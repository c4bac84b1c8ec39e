"""What schemes share while a model runs: a count of the bits they spend, and the time."""

import math
import threading
from dataclasses import dataclass, replace

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
    """Counts elements and bits of the operands of one GEMM as they pass.

    A scheme counts what it quantizes. What is quantized once and used again (a weight, an input
    that several layers share) is counted again by `repeat_activation` and `repeat_weight`, so that
    every GEMM that runs counts both of its operands.

    Threads may count at the same time.

    Attributes
    ----------
    activations, weights : Tally
        Of all operands since the last `reset`.
    """

    def __init__(self) -> None:
        self.activations, self.weights = Tally(), Tally()
        self._latest_activation, self._latest_weight = Tally(), Tally()
        self._lock, self._threads = threading.Lock(), threading.local()

    @property
    def last_activation(self) -> Tally:
        """The A that this thread has counted last, or else any thread."""
        return getattr(self._threads, "activation", self._latest_activation)

    @property
    def last_weight(self) -> Tally:
        """The B that this thread has counted last, or else any thread."""
        return getattr(self._threads, "weight", self._latest_weight)

    @property
    def activation_bits(self) -> float:
        """Mean bits per element of A, whatever its scales take included; NaN if none passed."""
        with self._lock:
            return self.activations.mean

    @property
    def weight_bits(self) -> float:
        """Mean bits per element of B, whatever its scales take included; NaN if none passed."""
        with self._lock:
            return self.weights.mean

    def add_activation(self, elements: int, bits: int | torch.Tensor) -> None:
        """Count an A that was quantized now."""
        last = self._threads.activation = Tally(elements, bits)
        with self._lock:
            self._latest_activation = last
            self.activations.add(elements, bits)

    def add_weight(self, elements: int, bits: int | torch.Tensor) -> None:
        """Count a B that was quantized now."""
        last = self._threads.weight = Tally(elements, bits)
        with self._lock:
            self._latest_weight = last
            self.weights.add(elements, bits)

    def repeat_activation(self, of: "Meter") -> None:
        """Count the A that another meter has counted last."""
        last = of.last_activation
        self.add_activation(last.elements, last.bits)

    def repeat_weight(self) -> None:
        """Count the last B again."""
        last = self.last_weight
        with self._lock:
            self.weights.add(last.elements, last.bits)

    def reset(self) -> None:
        """Start again from zero. What `repeat_weight` counts is kept."""
        with self._lock:
            self.activations, self.weights = Tally(), Tally()

    def __getstate__(self) -> dict[str, Tally]:
        """Copy and pickle the counts, which belong to no thread."""
        with self._lock:
            totals = {"activations": replace(self.activations), "weights": replace(self.weights)}
        last = {"_latest_activation": self.last_activation, "_latest_weight": self.last_weight}
        return totals | last

    def __setstate__(self, state: dict[str, Tally]) -> None:
        """Count on, in any thread."""
        self.__init__()
        vars(self).update(state)


class Clock:
    """The timestep of the forward pass that is running, the same for all images of its batch.

    Each thread has a time of its own, since each may run a pass.

    Parameters
    ----------
    timestep : float
        Of the thread that makes the clock.
    """

    def __init__(self, timestep: float = math.nan) -> None:
        self._threads = threading.local()
        self.timestep = timestep

    @property
    def timestep(self) -> float:
        """In the model's own units; NaN in a thread that has not run a pass."""
        return getattr(self._threads, "timestep", math.nan)

    @timestep.setter
    def timestep(self, timestep: float) -> None:
        self._threads.timestep = timestep

    def __repr__(self) -> str:
        return f"Clock({self.timestep})"

    def __reduce__(self) -> tuple[type["Clock"], tuple[float]]:
        """Copy and pickle with the time of this thread."""
        return Clock, (self.timestep,)
