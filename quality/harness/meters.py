"""How many bits the operands of a model's GEMMs took, as sums that can be added up."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import nn

from quality.harness.settings import UNQUANTIZED_BITS


class SiteBits(NamedTuple):
    """Elements that passed a site and the bits they took.

    Attributes
    ----------
    a_elements, a_bits : int
        Of the left operand: a layer's input, Q, the softmax.
    b_elements, b_bits : int
        Of the right one: a layer's weight, once for each evaluation, K, V.
    """

    a_elements: int = 0
    a_bits: int = 0
    b_elements: int = 0
    b_bits: int = 0

    def plus(self, other: "SiteBits") -> "SiteBits":
        """Add up two counts."""
        return SiteBits(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def a_width(self) -> float:
        """Mean bits of an element of the left operand."""
        return mean_width(self.a_bits, self.a_elements)

    @property
    def b_width(self) -> float:
        """Mean bits of an element of the right operand."""
        return mean_width(self.b_bits, self.b_elements)


def mean_width(bits: int, elements: int) -> float:
    """Return bits per element; `UNQUANTIZED_BITS` where nothing was quantized."""
    return bits / elements if elements else UNQUANTIZED_BITS


def mean_widths(sites: Mapping[str, SiteBits]) -> tuple[float, float]:
    """Return the mean bits of an activation and of a weight over all sites.

    Both operands of attention's products are activations; weights are those of linear layers.
    """
    activations, weights = SiteBits(), SiteBits()
    for name, counts in sites.items():
        if name.endswith((".qk", ".pv")):
            both = SiteBits(counts.a_elements + counts.b_elements, counts.a_bits + counts.b_bits)
            activations = activations.plus(both)
        else:
            activations = activations.plus(counts._replace(b_elements=0, b_bits=0))
            weights = weights.plus(counts)
    return activations.a_width, weights.b_width


def read_meters(transformer: nn.Module) -> dict[str, SiteBits]:
    """Return what has passed each site since `reset_meters`; nothing of an unquantized model."""
    from golden.torch import meters

    return {
        name: SiteBits(
            meter.activations.elements,
            int(meter.activations.bits),
            meter.weights.elements,
            int(meter.weights.bits),
        )
        for name, meter in meters(transformer).items()
    }


def reset_meters(transformer: nn.Module) -> None:
    """Set all counts to zero."""
    from golden.torch import meters

    for meter in meters(transformer).values():
        meter.reset()
