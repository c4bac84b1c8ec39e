"""The workloads that come with the project, read from their file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perf.workloads.vector_ops import VectorKind, VectorOp

from .model import Block, Gemm, GemmKind, Model, Sampling

MODELS_FILE = Path(__file__).with_name("models.json")


def load_models(path: Path = MODELS_FILE) -> dict[str, Model]:
    """Read the workloads.

    Parameters
    ----------
    path : Path
        A file that ``mixdit dev workloads`` wrote.

    Returns
    -------
    dict of str to Model
        By short name, from the smallest to the largest.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    return {name: _model(name, facts) for name, facts in document["models"].items()}


def load_unet_macs(path: Path = MODELS_FILE) -> int:
    """Read the multiply-accumulates of Stable Diffusion 1.5's U-Net, one sample of 512x512."""
    return int(json.loads(path.read_text(encoding="utf-8"))["unet_macs"])


def _model(name: str, facts: Mapping[str, Any]) -> Model:
    rest = {key: value for key, value in facts.items()
            if key not in ("configuration", "samplings", "blocks")}
    return Model(name=name, **rest,
                 samplings=tuple(Sampling(**each) for each in facts["samplings"]),
                 blocks=tuple(_block(each) for each in facts["blocks"]))


def _block(facts: Mapping[str, Any]) -> Block:
    return Block(
        facts["name"], facts["count"],
        tuple(Gemm(**{**each, "kind": GemmKind(each["kind"])}) for each in facts["gemms"]),
        tuple(VectorOp(**{**each, "kind": VectorKind(each["kind"])})
              for each in facts["vector_ops"]))
