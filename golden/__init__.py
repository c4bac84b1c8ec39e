"""Bit-exact model of shared-microexponent formats and of the accelerator's arithmetic.

Everything a user needs is here; the torch twins live in `golden.torch`, which this package never
imports.
"""

from golden.accumulator import block_product, fraction_bits
from golden.calibrate import (
    calibrate_threshold,
    channel_order,
    channel_order_from_maxima,
    static_tags,
    static_tags_from_maxima,
)
from golden.formats import BF16, BLOCK_SIZE, FP16, FP32, MX4, MX6, MX9, FloatFormat, MXFormat
from golden.gemm import gemm
from golden.lanes import destinations, spread_lanes
from golden.metrics import max_ulp, mse, qsnr
from golden.mx import MXTensor, quantize
from golden.policy import Policy
from golden.precision import apply_policy, convert, quantize_weight
from golden.storage import load, save

__version__ = "0.1.0"

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
    "channel_order_from_maxima",
    "convert",
    "destinations",
    "fraction_bits",
    "gemm",
    "load",
    "max_ulp",
    "mse",
    "qsnr",
    "quantize",
    "quantize_weight",
    "save",
    "spread_lanes",
    "static_tags",
    "static_tags_from_maxima",
]
