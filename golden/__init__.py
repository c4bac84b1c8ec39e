"""Bit-exact model of shared-microexponent formats and of the accelerator's arithmetic.

Everything a user needs is here; the torch twins live in `golden.torch`, which this package never
imports.
"""

from golden.accumulator import block_product, fraction_bits
from golden.calibrate import calibrate_threshold, channel_order, static_tags
from golden.formats import BF16, BLOCK_SIZE, FP16, FP32, MX4, MX6, MX9, FloatFormat, MXFormat
from golden.gemm import gemm
from golden.metrics import max_ulp, mse, qsnr
from golden.mx import MXTensor, quantize
from golden.policy import Policy
from golden.precision import apply_policy, quantize_weight
from golden.storage import load, save

__all__ = [
    "BF16",
    "BLOCK_SIZE",
    "FP16",
    "FP32",
    "MX4",
    "MX6",
    "MX9",
    "FloatFormat",
    "MXFormat",
    "MXTensor",
    "Policy",
    "apply_policy",
    "block_product",
    "calibrate_threshold",
    "channel_order",
    "fraction_bits",
    "gemm",
    "load",
    "max_ulp",
    "mse",
    "qsnr",
    "quantize",
    "quantize_weight",
    "save",
    "static_tags",
]
