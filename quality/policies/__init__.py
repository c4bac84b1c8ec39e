"""Policies by name: which precision each GEMM of a model has.

`build` gives what `golden.torch.quantize_` takes. Policies that were calibrated read the file that
``mixdit quality calibrate`` writes.
"""

from quality.policies.registry import FORMATS, NAMES, build

__all__ = ["FORMATS", "NAMES", "build"]
