"""Token-wise dynamic quantization with balanced channels, after ViDiT-Q (Zhao et al., ICLR 2025).

From its public description (arXiv 2406.02540, sections 4.1 and 4.2): uniform affine codes, one
range per token, taken at run time, and one per output channel of the weights. Channels are balanced
twice, and what is done to A is undone in B: each is divided by a fixed scale as in SmoothQuant
(Xiao et al., ICML 2023), from the ranges at the noisiest timestep, where the imbalance is worst;
then the channels are rotated by a Hadamard matrix as in QuaRot (Ashkboos et al., NeurIPS 2024),
which spreads what changes with the timestep.

Left out: the mixed precision of W4A8, which keeps sensitive layers at more bits; the choice of
SmoothQuant's exponent, here 0.5 everywhere. Where K is no power of two, the rotation works on equal
parts of the channels whose number is one.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from golden.torch import Site
from quality.baselines.scheme import BaselineScheme
from quality.baselines.uniform import Uniform

EXPONENT = 0.5
"""How far a scale follows the activations (1) or the weights (0)."""


class BalancedScheme(BaselineScheme):
    """Quantize after scaling and rotating the channels of both operands.

    Parameters
    ----------
    activation, weight : Uniform
        Quantizers of A's and of B's rows.
    maxima : Tensor
        Largest magnitude of each input channel at the noisiest timestep, shape (K,).
    """

    def __init__(self, activation: Uniform, weight: Uniform, maxima: Tensor) -> None:
        super().__init__(activation, weight)
        self.maxima = maxima
        self.scale: Tensor | None = None

    @property
    def activation_key(self) -> None:
        """Nothing to share: every layer scales its input by its own weight's ranges."""
        return None

    def activation(self, a: Tensor) -> Tensor:
        """Return A scaled, rotated and quantized, (..., M, K); `weight` must have been called."""
        if self.scale is None:
            raise ValueError("the scales follow from the weight: give it first")
        return super().activation(rotate(a.float() / self.scale.to(a.device)))

    def weight(self, b: Tensor) -> Tensor:
        """Return B scaled, rotated and quantized, (N, K)."""
        self.scale = smoothing(self.maxima.to(b.device), b.abs().amax(0).float())
        return super().weight(rotate(b.float() * self.scale))


def smoothing(activations: Tensor, weights: Tensor, exponent: float = EXPONENT) -> Tensor:
    """Return SmoothQuant's scales, eq. 4, from the largest magnitudes (K,) of both operands.

    A channel that is 0 in either operand keeps scale 1.

    Raises
    ------
    ValueError
        If the operands have different channel counts.
    """
    if activations.shape != weights.shape:
        raise ValueError(
            f"maxima of {len(activations)} channels do not fit a weight with {len(weights)}"
        )
    scale = activations.float() ** exponent / weights ** (1 - exponent)
    return torch.where((activations > 0) & (weights > 0), scale, 1.0)


def rotate(x: Tensor) -> Tensor:
    """Multiply parts of the last axis by Sylvester's Hadamard matrix, normalised; float32.

    The parts are as long as the largest power of two that divides K. The matrix is orthogonal, so
    that ``rotate(a) @ rotate(b).T`` is ``a @ b.T`` but for rounding.
    """
    width = x.shape[-1]
    part = width & -width
    values = x.float().unflatten(-1, (-1, part))
    span = 1
    while span < part:  # butterflies: log2(part) passes instead of a matrix product
        pairs = values.unflatten(-1, (-1, 2, span))
        first, second = pairs.unbind(-2)
        values = torch.stack([first + second, first - second], -2).flatten(-3)
        span *= 2
    return values.mul(part**-0.5).flatten(-2)


def viditq_like(
    weight_bits: int, maxima: Mapping[str, Tensor], activation_bits: int = 8
) -> Callable[[Site], BalancedScheme | None]:
    """Return a policy for the linear layers; attention stays in floating point, as in ViDiT-Q.

    Parameters
    ----------
    weight_bits, activation_bits : int
        Widths of the codes: W8A8 is 8 and 8, W4A8 is 4 and 8.
    maxima : mapping of str to Tensor
        By site, the largest magnitude of each input channel at the first, noisiest step.

    Raises
    ------
    ValueError
        By the policy, if a site has no maxima.
    """

    def policy(site: Site) -> BalancedScheme | None:
        if site.kind != "linear":
            return None
        if site.name not in maxima:
            raise ValueError(
                f"the calibration holds no channel maxima of {site.name}: calibrate anew"
            )
        return BalancedScheme(
            Uniform(activation_bits, "affine"), Uniform(weight_bits, "affine"), maxima[site.name]
        )

    return policy
