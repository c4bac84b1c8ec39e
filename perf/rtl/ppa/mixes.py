"""Mixes of precision, and how many beats an average pair of blocks takes in them."""

from perf.workloads import Model, load_models

LINEAR_SHARE, ATTENTION_SHARE = 0.05, 0.20
"""Shares of MX9 among the activations' blocks that MixDiT allows (arXiv 2504.08398)."""


def beats_per_block(share: float, *, both: bool = False) -> float:
    """Count the beats of an average pair of blocks.

    Parameters
    ----------
    share : float
        Of A's blocks that are MX9.
    both : bool
        Whether the B blocks that they meet are MX9 as well: outlier channels of a linear layer
        with MX9 weights, or whole heads of attention. Otherwise B is MX6.
    """
    return 1 + share * (4 - 1) if both else 1 + share


def model_beats(model: Model, *, both: bool = False) -> float:
    """Average over all products of a model: linear layers have one share, attention the other."""
    products = beats = 0.0
    for block in model.blocks:
        for gemm in block.gemms:
            share = LINEAR_SHARE if gemm.has_weights else ATTENTION_SHARE
            products += block.count * gemm.macs
            beats += block.count * gemm.macs * beats_per_block(share, both=both)
    return beats / products


def find_mixes() -> dict[str, float]:
    """Give the beats of each mix: each share alone, then both as in the model with most beats."""
    models = load_models().values()
    return {
        "5 % of A in MX9, weights MX6": beats_per_block(LINEAR_SHARE),
        "5 % of A in MX9, their weights too": beats_per_block(LINEAR_SHARE, both=True),
        "20 % of A in MX9, B in MX6": beats_per_block(ATTENTION_SHARE),
        "20 % of the heads in MX9 x MX9": beats_per_block(ATTENTION_SHARE, both=True),
        "a whole model, MixDiT in A": max(model_beats(model) for model in models),
        "a whole model, MixDiT in both operands": max(
            model_beats(model, both=True) for model in models),
    }
