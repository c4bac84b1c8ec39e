"""NVFP4: blocks of 16 E2M1 numbers, scaled by an E4M3 number each and by one FP32 number for all.

As NVIDIA describes it (Pretraining Large Language Models with NVFP4, arXiv 2509.25149): the scale
of the tensor maps its largest magnitude to 6 x 448, the largest product of an element and a block
scale; that of a block maps the block's largest magnitude to 6 and is then rounded to E4M3. Where
that rounding goes down, elements beyond 6 saturate. Both operands of every GEMM are quantized,
attention's two included, their scales taken at run time.

Left out: the random Hadamard transform, stochastic rounding and the layers that stay in BF16, which
belong to the training recipe and not to the format.

FP32 operations come in the order of torchao 0.18 (`nvfp4_quantize`, with the tensor's scale), so
that its bits come out where it has the same numbers to work with: finite tensors of FP32 or BF16,
K a multiple of 16, a tensor's scale of at least 2**-117, and no block's scale below 2**-6. Smaller
block scales, which torchao raises to 2**-6, are E4M3's subnormals here, or 0. Partial blocks,
infinities, NaNs and tensors of zeros are treated as `NVFP4` says, whatever torchao does.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from golden.torch import Site
from quality.baselines.element import E2M1, E4M3
from quality.baselines.grouping import from_groups, to_groups
from quality.baselines.scheme import BaselineScheme

BLOCK = 16
"""Elements that share an E4M3 scale."""

TENSOR_SCALE_BITS = 32

SMALLEST_SCALE = 2.0**-117
"""Of a tensor: the factors that follow from it are finite in FP32. Tensors whose largest magnitude
is below 2**-105 lose precision, and below 2**-125 all."""


@dataclass(frozen=True)
class NVFP4:
    """The format, with its scales chosen from the numbers themselves."""

    name: str = "NVFP4"

    def stored_bits(self, shape: torch.Size) -> int:
        """Return the bits of a tensor of `shape`: codes, block scales and the tensor's scale."""
        rows, width = shape[:-1].numel(), shape[-1]
        blocks = rows * -(-width // BLOCK)
        return rows * width * E2M1.bits + blocks * E4M3.bits + TENSOR_SCALE_BITS

    def __call__(self, x: Tensor) -> Tensor:
        """Return the quantized values of `x`, of its shape, in float32.

        Parameters
        ----------
        x : Tensor
            Shape (..., K), floating point, rounded to FP32 first. All of it shares the FP32 scale,
            so the values of an image depend on the others of its batch. The last block of a row
            may be shorter. A block that holds an infinity or a NaN becomes NaN, which its E4M3
            scale can say, and is left out of the tensor's scale. A block whose scale is rounded to
            0 becomes zeros.

        Raises
        ------
        TypeError
            If `x` is no floating-point tensor.
        """
        blocks = to_groups(x, BLOCK)
        if not blocks.numel():
            return x.float()
        largest = blocks.abs().amax(-1, keepdim=True)
        is_lost = ~largest.isfinite()
        largest = largest.masked_fill(is_lost, 0.0)
        tensor_scale = (largest.amax() / (E2M1.largest * E4M3.largest)).clamp(min=SMALLEST_SCALE)
        block_scale = E4M3.round((largest / E2M1.largest / tensor_scale).double()).float()
        factor = (1 / tensor_scale / block_scale).masked_fill(block_scale == 0, 0.0)
        elements = E2M1.round((blocks * factor).double()).float()
        values = elements * (tensor_scale * block_scale)
        return from_groups(values.masked_fill(is_lost, torch.nan), x.shape)


def nvfp4() -> Callable[[Site], BaselineScheme]:
    """Return a policy that quantizes both operands of every GEMM."""
    return lambda site: BaselineScheme(NVFP4(), NVFP4())
