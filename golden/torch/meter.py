"""What schemes share while a model runs: a count of the bits they spend, and the time."""

from dataclasses import dataclass, field

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


@dataclass
class Meter:
    """Counts elements and bits of the operands of one GEMM as they pass.

    A scheme counts what it quantizes. What is quantized once and used again (a weight, an input
    that several layers share) is counted again by `repeat_activation` and `repeat_weight`, so that
    every GEMM that runs counts both of its operands.

    Attributes
    ----------
    activations, weights : Tally
        Of all operands since the last `reset`.
    """

    activations: Tally = field(default_factory=Tally)
    weights: Tally = field(default_factory=Tally)
    last_activation: Tally = field(default_factory=Tally)
    last_weight: Tally = field(default_factory=Tally)

    @property
    def activation_bits(self) -> float:
        """Mean bits per element of A, whatever its scales take included; NaN if none passed."""
        return self.activations.mean

    @property
    def weight_bits(self) -> float:
        """Mean bits per element of B, whatever its scales take included; NaN if none passed."""
        return self.weights.mean

    def add_activation(self, elements: int, bits: int | torch.Tensor) -> None:
        """Count an A that was quantized now."""
        self.last_activation = Tally(elements, bits)
        self.activations.add(elements, bits)

    def add_weight(self, elements: int, bits: int | torch.Tensor) -> None:
        """Count a B that was quantized now."""
        self.last_weight = Tally(elements, bits)
        self.weights.add(elements, bits)

    def repeat_activation(self, of: "Meter") -> None:
        """Count the A that another meter has counted last."""
        self.add_activation(of.last_activation.elements, of.last_activation.bits)

    def repeat_weight(self) -> None:
        """Count the last B again."""
        self.weights.add(self.last_weight.elements, self.last_weight.bits)

    def reset(self) -> None:
        """Start again from zero. What `repeat_weight` counts is kept."""
        self.activations = Tally()
        self.weights = Tally()


@dataclass
class Clock:
    """The timestep of the forward pass that is running, the same for all images of its batch.

    Attributes
    ----------
    timestep : float
        In the model's own units; NaN before the first pass.
    """

    timestep: float = float("nan")
