"""What the machine is measured against: GPUs as rooflines, perfect and calibrated."""

from .calibration import (
    MEASUREMENTS,
    OTHER_MODEL,
    Measurement,
    calibrated_efficiency,
    efficiency,
    same_gpu_efficiency,
)
from .roofline import A100, L40, RTX_3090, Gpu, Precision, gemm_time, model_seconds

__all__ = ["A100", "L40", "MEASUREMENTS", "OTHER_MODEL", "RTX_3090", "Gpu", "Measurement",
           "Precision", "calibrated_efficiency", "efficiency", "gemm_time", "model_seconds",
           "same_gpu_efficiency"]
