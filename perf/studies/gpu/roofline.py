"""The least time that a GPU needs for a model's GEMMs, wherever doubt exists in its favour.

Each operand is moved once, between memory and chip. Attention is fused (Dao et al., arXiv
2205.14135): scores never leave the chip. Layers that read the same activations read them once.
Everything that is no GEMM costs nothing, nor does starting a kernel.
"""

from dataclasses import dataclass
from enum import StrEnum

from perf.workloads import Gemm, GemmKind, Model


@dataclass(frozen=True)
class Gpu:
    """Published figures of a GPU, without structured sparsity.

    Attributes
    ----------
    name : str
    fp16_flops : float
        Tensor FP16 with FP32 accumulation, operations per second; a MAC is two.
    int8_ops : float
        Tensor INT8, operations per second.
    bandwidth : float
        Of the memory, bytes per second.
    power : float
        Of the board, W.
    area : float
        Of the die, mm2.
    source : str
    """

    name: str
    fp16_flops: float
    int8_ops: float
    bandwidth: float
    power: float
    area: float
    source: str


RTX_3090 = Gpu("RTX 3090", 71e12, 284e12, 936e9, 350, 628.4,
               "NVIDIA Ampere GA102 GPU Architecture white paper V2, appendix A")
"""FP16 with FP16 accumulation would be 142 TFLOPS; PyTorch accumulates in FP32 unless told."""

A100 = Gpu("A100", 312e12, 624e12, 1555e9, 400, 826,
           "NVIDIA A100 Tensor Core GPU datasheet; NVIDIA A100 architecture white paper")
"""With the 40 GB part's bandwidth: with the 80 GB part's 2039 GB/s an efficiency would be lower."""

L40 = Gpu("L40", 181.05e12, 362e12, 864e9, 300, 609,
          "NVIDIA L40 datasheet; die: AD102 in NVIDIA's Ada GPU architecture white paper")


class Precision(StrEnum):
    """What a GPU computes in."""

    FP16 = "fp16"
    INT8_LINEAR = "int8-linear"
    """Linear layers in INT8, attention in FP16, as ViDiT-Q (arXiv 2406.02540) runs."""

    INT8 = "int8"
    """Everything in INT8: more than quality allows today, the strongest competitor."""


@dataclass(frozen=True)
class GemmTime:
    """The two bounds of a GEMM, all `count` together.

    Attributes
    ----------
    compute, memory : float
        Seconds.
    """

    compute: float
    memory: float

    @property
    def seconds(self) -> float:
        """The larger one."""
        return max(self.compute, self.memory)

    @property
    def is_memory_bound(self) -> bool:
        """Whether bytes take longer than arithmetic."""
        return self.memory > self.compute


def gemm_time(gpu: Gpu, gemm: Gemm, precision: Precision = Precision.FP16) -> GemmTime:
    """Bound the time of a GEMM.

    Parameters
    ----------
    gpu : Gpu
    gemm : Gemm
    precision : Precision
        Operands and results take 2 bytes in FP16, 1 byte in INT8.
    """
    is_int8 = precision is Precision.INT8 or (
        precision is Precision.INT8_LINEAR and gemm.kind is GemmKind.LINEAR)
    rate, width = (gpu.int8_ops, 1) if is_int8 else (gpu.fp16_flops, 2)
    return GemmTime(2 * gemm.macs / rate, width * moved_elements(gemm) / gpu.bandwidth)


def moved_elements(gemm: Gemm) -> int:
    """Count the elements that have to pass between memory and chip; in attention, no scores."""
    a = 0 if gemm.shares or gemm.kind is GemmKind.PV else gemm.a_elements
    c = 0 if gemm.kind is GemmKind.QK else gemm.c_elements
    return a + gemm.b_elements + c


def model_seconds(
    gpu: Gpu, model: Model, precision: Precision = Precision.FP16, efficiency: float = 1.0
) -> float:
    """Bound the time of one evaluation of a model, a batch of two samples, in seconds.

    Parameters
    ----------
    gpu : Gpu
    model : Model
    precision : Precision
    efficiency : float
        Share of the roofline that is reached; 1 is the perfect GPU. See
        `perf.studies.gpu.calibrated_efficiency`.

    Raises
    ------
    ValueError
        If the efficiency is not in (0, 1].
    """
    if not 0 < efficiency <= 1:
        raise ValueError(f"efficiency must be above 0 and at most 1, not {efficiency}")
    roofline = sum(block.count * gemm_time(gpu, gemm, precision).seconds
                   for block in model.blocks for gemm in block.gemms)
    return roofline / efficiency
