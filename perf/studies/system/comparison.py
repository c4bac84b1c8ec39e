"""A run beside the GPU and beside DaCapo."""

from dataclasses import dataclass

from perf.studies.dacapo import DaCapo
from perf.studies.gpu import (
    RTX_3090,
    Gpu,
    Precision,
    calibrated_efficiency,
    model_seconds,
    same_gpu_efficiency,
)
from perf.studies.system.runs import ModelRun
from perf.studies.system.silicon import Silicon, silicon


@dataclass(frozen=True)
class Comparison:
    """How often faster than another machine a run is; above 1 is faster.

    Attributes
    ----------
    perfect : float
        Than the GPU's FP16 roofline.
    calibrated : float
        Than the GPU at the efficiency that the same models reach on other GPUs.
    same_gpu : float
        Than the GPU at the efficiency that another model reaches on it.
    int8_linear, int8 : float
        Than its rooflines with linear layers, and with everything, in INT8.
    dacapo : float
        Than DaCapo's perfect machine with the same multipliers, clock and bandwidth.
    area : float
        mm2, estimated.
    area_share : float
        Of the GPU's die.
    perfect_per_area : float
        `perfect` divided by `area_share`.
    """

    perfect: float
    calibrated: float
    same_gpu: float
    int8_linear: float
    int8: float
    dacapo: float
    area: float
    area_share: float
    perfect_per_area: float


def compare(run: ModelRun, gpu: Gpu = RTX_3090, estimate: Silicon | None = None) -> Comparison:
    """Compare one evaluation of a model.

    Parameters
    ----------
    run : ModelRun
    gpu : Gpu
    estimate : Silicon, optional
        Of the run's machine; worked out if not given.
    """
    seconds, model, preset = run.step_seconds, run.model, run.preset
    area = (estimate or silicon(preset)).area
    perfect = model_seconds(gpu, model) / seconds
    dacapo = DaCapo.with_multipliers(preset.multipliers, clock=preset.clock_hz,
                                     bandwidth=preset.dram_bytes_per_s)
    share = area / gpu.area
    return Comparison(
        perfect=perfect,
        calibrated=perfect / calibrated_efficiency(),
        same_gpu=perfect / same_gpu_efficiency(),
        int8_linear=model_seconds(gpu, model, Precision.INT8_LINEAR) / seconds,
        int8=model_seconds(gpu, model, Precision.INT8) / seconds,
        dacapo=dacapo.model_seconds(
            model, linear_mx9=max(run.policy.linear_acts, run.policy.linear_weights),
            attention_mx9=max(run.policy.attention_a, run.policy.attention_b)) / seconds,
        area=area, area_share=share, perfect_per_area=perfect / share)
