"""What the diffusion transformers compute: every GEMM, and what is left to a vector unit.

`load_models` reads ``models.json``, which ``mixdit dev workloads`` makes by tracing diffusers'
own models on the meta device: shapes only, no weights and no network.
"""

from .model import Block, Gemm, GemmKind, Model, Sampling
from .stored import load_models, load_unet_macs

__all__ = ["Block", "Gemm", "GemmKind", "Model", "Sampling", "load_models", "load_unet_macs"]
