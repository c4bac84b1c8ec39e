"""How good images are, and how close to the ones that FP32 draws from the same noise.

The formulas need NumPy alone; a `Judge`, and what measures inside a model, need torch.
"""

from quality.metrics.fid import frechet_distance
from quality.metrics.inception_score import inception_score
from quality.metrics.judge import Judge, Scores
from quality.metrics.kid import kernel_distance, moments
from quality.metrics.pixels import blacken, psnr

__all__ = [
    "Judge",
    "Scores",
    "blacken",
    "frechet_distance",
    "inception_score",
    "kernel_distance",
    "moments",
    "psnr",
]
