"""Plain integer quantization: a scale per token of A and per output channel of the weight.

What libraries call dynamic INT8: symmetric codes, the scale from each row's largest magnitude, at
run time for activations. Nothing is calibrated and no outlier is treated.
"""

from collections.abc import Callable

from golden.torch import Site
from quality.baselines.scheme import BaselineScheme
from quality.baselines.uniform import Uniform


def integer(bits: int, weight_bits: int | None = None) -> Callable[[Site], BaselineScheme]:
    """Return a policy that quantizes every GEMM, attention's two included.

    In attention a row of Q, of K, of P and of V^T is what a token is in a linear layer; P is never
    negative, so its codes start at 0.

    Parameters
    ----------
    bits : int
        Of activations, and of both operands in attention.
    weight_bits : int, optional
        Of weights; as `bits` unless given.
    """

    def policy(site: Site) -> BaselineScheme:
        activation = Uniform(bits, "unsigned" if site.kind == "pv" else "signed")
        of_weight = weight_bits if site.kind == "linear" else None
        return BaselineScheme(activation, Uniform(of_weight or bits))

    return policy
