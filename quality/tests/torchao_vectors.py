"""Numbers as torchao quantizes them; `write_vectors` makes the file where torchao is installed.

torchao is no dependency, not even of the tests: while it is installed, diffusers imports it into
every process. So what it makes of some thousand numbers is kept in a file.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quality.tests.format_vectors import corner_rows, random_rows

FILE = Path(__file__).parent / "vectors" / "torchao-0.18.0.npz"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
KINDS = {"mxfp8_e4m3": "float8_e4m3fn", "mxfp8_e5m2": "float8_e5m2", "mxfp4": "float4_e2m1fn_x2",
         "mxfp6_e2m3": "fp6_e2m3", "mxfp6_e3m2": "fp6_e3m2"}  # fmt: skip
"""torchao's names of element types by ours of formats."""

WIDTH = 64


def make_vectors() -> dict[str, NDArray[np.float32]]:
    """Return inputs as ``name.dtype.x`` and what torchao makes of them as ``name.dtype.format``."""
    vectors = {}
    for dtype_name, dtype in DTYPES.items():
        rows = _rows().to(dtype)
        rows = rows[rows.isfinite().all(-1)]
        prefix = f"rows.{dtype_name}"
        vectors[f"{prefix}.x"] = rows.float().numpy()
        for name, kind in KINDS.items():
            vectors[f"{prefix}.{name}"] = _microscaling(rows, kind).numpy()
        for index, tensor in enumerate(_tensors()):
            prefix = f"tensor{index}.{dtype_name}"
            vectors[f"{prefix}.x"] = tensor.to(dtype).float().numpy()
            vectors[f"{prefix}.nvfp4"] = _nvfp4(tensor.to(dtype)).numpy()
    return vectors


def _rows() -> Tensor:
    """Return rows none of whose blocks is tiny: torchao has no scale of 2**-127."""
    rows = torch.cat([random_rows(WIDTH, rows=36), corner_rows(WIDTH)])
    largest = rows.unflatten(-1, (-1, 32)).abs().amax(-1)
    return rows[largest.amin(-1) >= 2.0**-110]


def _tensors() -> list[Tensor]:
    """Return tensors whose blocks are alike: torchao has no block scale below 2**-6."""
    generator = torch.Generator().manual_seed(3)
    close = torch.randn(5, 16, WIDTH, generator=generator)
    spread = 2.0 ** torch.randint(-4, 5, (5, 16, 1), generator=generator)
    sizes = 2.0 ** torch.tensor([-100.0, -30.0, 0.0, 41.0, 110.0]).view(5, 1, 1)
    return list(close * spread * sizes)


def _microscaling(x: Tensor, kind: str) -> Tensor:
    from torchao.prototype.mx_formats.mx_tensor import ScaleCalculationMode, to_dtype, to_mx

    element = getattr(torch, kind, kind)
    scale, data = to_mx(x, element, 32, ScaleCalculationMode.FLOOR)
    return to_dtype(data, scale, element, 32, torch.float32)


def _nvfp4(x: Tensor) -> Tensor:
    from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor, per_tensor_amax_to_scale

    scale = per_tensor_amax_to_scale(x.abs().amax())
    return NVFP4Tensor.to_nvfp4(x, per_tensor_scale=scale).dequantize(torch.float32)


def write_vectors() -> None:
    """Write the file anew, for another version of torchao under another name."""
    FILE.parent.mkdir(exist_ok=True)
    np.savez_compressed(FILE, **make_vectors())
