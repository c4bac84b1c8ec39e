"""Group-wise dynamic quantization after Q-DiT (Chen et al., CVPR 2025, arXiv 2406.17343).

From its public description: uniform affine codes; weights and activations in groups along the input
channels, of the same size for both; the activations' ranges taken at run time.

Left out: the evolutionary search of a group size for each layer, for which one size stands here;
GPTQ for the weights, which are rounded to nearest; the quantized adaLN layers. Q-DiT takes ranges
per sample; here each token has its own, which is finer.
"""

from collections.abc import Callable

from golden.torch import Site
from quality.baselines.scheme import BaselineScheme
from quality.baselines.uniform import Uniform

GROUP = 32
"""The smallest group Q-DiT searches among. Its usual 128 would be a whole row of most layers of the
small transformer; 1152 channels of DiT-XL make nine groups of 128."""


def qdit_like(
    weight_bits: int, activation_bits: int = 8, group: int = GROUP
) -> Callable[[Site], BaselineScheme | None]:
    """Return a policy for the linear layers; attention stays in floating point, as in Q-DiT.

    Parameters
    ----------
    weight_bits, activation_bits : int
        Widths of the codes: W8A8 is 8 and 8, W4A8 is 4 and 8.
    group : int
        Input channels that share a scale and a zero point.
    """

    def policy(site: Site) -> BaselineScheme | None:
        if site.kind != "linear":
            return None
        return BaselineScheme(
            Uniform(activation_bits, "affine", group), Uniform(weight_bits, "affine", group)
        )

    return policy
