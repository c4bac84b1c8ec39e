"""Which share of their roofline GPUs reach, from published measurements.

Two kinds are published. The *same models on other GPUs*: xDiT timed PixArt and Stable Diffusion 3
on an A100 and an L40. *Another model on the same GPU*: diffusers timed Stable Diffusion 1.5 on an
RTX 3090. Nobody has published the RTX 3090 on the models themselves.

`calibrated_efficiency` is the highest of the first kind, which is the kindest of them to the GPU;
`same_gpu_efficiency` is the highest of the second. It is higher still, since a GeForce card's
tensor cores accumulate in FP32 at half rate, so that 71 TFLOPS are easier to reach than an A100's
312, and since it comes from a batch of 16 images. A careful reader looks at both.

What xDiT's times include: its scripts time a whole pipeline call, so text encoders are in; the
benchmark script asks for latents, so that the decoder is out, but the published figures do not
say so. Both are counted as work at the full rate, as if they were in. That raises the efficiency,
which is in the GPU's favour. So does the PixArt measured, most likely Alpha with its 120 tokens
of text, while Sigma's 300 are counted, by about 2 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from perf.workloads import Model, load_models, load_unet_macs

from .roofline import A100, L40, RTX_3090, Gpu, model_seconds

_SD3 = "xdit-project/xDiT docs/performance/sd3.md, figures"
_PIXART = "xdit-project/xDiT docs/performance, PixArt, figures"


@dataclass(frozen=True)
class Measurement:
    """A published latency of one image, with guidance, in FP16.

    Attributes
    ----------
    gpu : Gpu
    model : str
        Short name in `perf.workloads.load_models`.
    steps : int
    seconds : float
    compiled : bool
        By torch.compile.
    source : str
    """

    gpu: Gpu
    model: str
    steps: int
    seconds: float
    compiled: bool
    source: str


MEASUREMENTS = (
    Measurement(A100, "sd3-1024", 20, 3.09, False, _SD3),
    Measurement(A100, "sd3-1024", 20, 2.54, True, _SD3),
    Measurement(L40, "sd3-1024", 20, 3.92, False, _SD3),
    Measurement(L40, "sd3-1024", 20, 3.59, True, _SD3),
    Measurement(A100, "pixart-1024", 20, 1.97, False, _PIXART),
    Measurement(A100, "pixart-1024", 20, 1.81, True, _PIXART),
)


@dataclass(frozen=True)
class UnetMeasurement:
    """Published speed of Stable Diffusion 1.5 at 512x512 with guidance, in FP16.

    Attributes
    ----------
    gpu : Gpu
    images : int
        Per batch; each step evaluates twice as many samples.
    steps_per_second : float
    source : str
    """

    gpu: Gpu
    images: int
    steps_per_second: float
    source: str

    @property
    def efficiency(self) -> float:
        """Share of the arithmetic peak; the steps' other work counts as nothing."""
        operations = 2 * load_unet_macs() * 2 * self.images
        return operations * self.steps_per_second / self.gpu.fp16_flops


_TORCH2 = "huggingface/diffusers docs/source/en/optimization/torch2.0.md, SD txt2img, compiled"
OTHER_MODEL = (
    UnetMeasurement(RTX_3090, 1, 25.69, _TORCH2),
    UnetMeasurement(RTX_3090, 4, 7.30, _TORCH2),
    UnetMeasurement(RTX_3090, 16, 1.93, _TORCH2),
    UnetMeasurement(A100, 1, 49.74, _TORCH2),
    UnetMeasurement(A100, 4, 17.27, _TORCH2),
    UnetMeasurement(A100, 16, 4.68, _TORCH2),
)
"""The faster of two versions of torch."""


def efficiency(
    measurement: Measurement, models: Mapping[str, Model] | None = None, *,
    whole_pipeline: bool = True,
) -> float:
    """Divide the roofline's time on the measured GPU by the measured time.

    Parameters
    ----------
    measurement : Measurement
    models : mapping of str to Model, optional
        `load_models()` by default.
    whole_pipeline : bool
        Count text encoders and decoder at the full arithmetic rate, as if they had been timed.
    """
    model = (models or load_models())[measurement.model]
    gpu = measurement.gpu
    seconds = measurement.steps * model_seconds(gpu, model)
    if whole_pipeline:
        seconds += 2 * (model.encoder_macs + model.decoder_macs) / gpu.fp16_flops
    return seconds / measurement.seconds


def calibrated_efficiency(models: Mapping[str, Model] | None = None) -> float:
    """Find the highest efficiency measured on these models; used for every model and precision.

    Small models and INT8 reach less in practice (kernel starts, quantisation of activations), so
    this too is in the GPU's favour.
    """
    models = models or load_models()
    return max(efficiency(each, models) for each in MEASUREMENTS)


def same_gpu_efficiency() -> float:
    """Find the highest efficiency measured on an RTX 3090, with another model and any batch."""
    return max(each.efficiency for each in OTHER_MODEL if each.gpu is RTX_3090)
