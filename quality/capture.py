"""Record what the linear layers of one transformer block see while the model samples."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

import numpy as np
import torch
from diffusers import DiTTransformer2DModel
from numpy.typing import NDArray
from torch import nn

from quality.captured import LAYER_INPUTS
from quality.recipe import TrainingRecipe
from quality.sample import Sampler, sample
from quality.storage import to_half

LAYER_MODULES = {
    "q": "attn1.to_q",
    "k": "attn1.to_k",
    "v": "attn1.to_v",
    "out": "attn1.to_out.0",
    "ff1": "ff.net.0.proj",
    "ff2": "ff.net.2",
}
"""Each captured layer's module inside diffusers' `BasicTransformerBlock`."""

CAPTURE_CLASSES = (0, 3, 7, 9)
"""T-shirt, dress, sneaker, ankle boot: 8 sequences of 64 tokens with guidance's unlabelled half."""

CALIBRATION_CLASSES = (1, 4, 6, 8)
"""Trouser, coat, shirt, bag: none of the captured classes."""


class Recorder:
    """Keep the input of every layer in `LAYER_MODULES` of one block.

    Attributes
    ----------
    inputs : dict of torch.Tensor
        By layer, the latest input, shape (sequences, tokens, K).
    outputs : dict of torch.Tensor
        By layer, the latest output, shape (sequences, tokens, N).
    """

    def __init__(self) -> None:
        self.inputs: dict[str, torch.Tensor] = {}
        self.outputs: dict[str, torch.Tensor] = {}

    @contextmanager
    def attached(self, block: nn.Module) -> Iterator[None]:
        """Record while the context lasts."""

        def hook(name: str):
            def record(module: nn.Module, arguments: tuple, output: torch.Tensor) -> None:
                self.inputs[name], self.outputs[name] = arguments[0].detach(), output.detach()

            return record

        handles = [
            block.get_submodule(path).register_forward_hook(hook(name))
            for name, path in LAYER_MODULES.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def record_steps(
    model: DiTTransformer2DModel,
    recipe: TrainingRecipe,
    sampler: Sampler,
    classes: tuple[int, ...],
    block: int,
) -> tuple[list[dict[str, torch.Tensor]], list[int]]:
    """Sample `classes` and record one block at every step.

    Returns
    -------
    recorded : list of dict of torch.Tensor
        For each step, by layer, its input (sequences, tokens, K); labelled sequences come first.
    timesteps : list of int
        The timestep of each step.

    Raises
    ------
    ValueError
        If the model has no such block.
    """
    if not 0 <= block < len(model.transformer_blocks):
        raise ValueError(f"block must be 0 to {len(model.transformer_blocks) - 1}, not {block}")
    recorder, recorded, timesteps = Recorder(), [], []

    def before_step(index: int, timestep: int) -> None:
        if index:
            recorded.append(dict(recorder.inputs))
        timesteps.append(timestep)

    with recorder.attached(model.transformer_blocks[block]):
        sample(model, recipe, sampler, np.array(classes), before_step=before_step)
    recorded.append(dict(recorder.inputs))
    return recorded, timesteps


def rows(inputs: torch.Tensor) -> NDArray[np.float32]:
    """Flatten (sequences, tokens, K) to (M, K)."""
    return inputs.flatten(0, -2).numpy()


def capture(
    model: DiTTransformer2DModel,
    provenance: dict,
    sampler: Sampler,
    *,
    block: int,
    step: int,
    calibration_seed: int,
) -> tuple[dict[str, NDArray[np.float16]], dict]:
    """Capture one block at one step, and calibration rows from a second run of the sampler.

    Both are from the same step: what a layer sees depends on the timestep, through adaLN, so that
    a deployed threshold belongs to a layer and a step.

    Parameters
    ----------
    model, provenance
        From `quality.model.load_model`.
    sampler : Sampler
        How to sample; its seed is that of the captured rows.
    block : int
        Index of the transformer block.
    step : int
        Index of the sampling step.
    calibration_seed : int
        Seed of the second run; not that of the first.

    Returns
    -------
    tensors : dict of NDArray[np.float16]
        The content of the file that `quality.captured` reads.
    record : dict
        Its provenance.

    Raises
    ------
    ValueError
        If an index is out of range or the two seeds are equal.
    """
    if not 0 <= step < sampler.steps:
        raise ValueError(f"step must be 0 to {sampler.steps - 1}, not {step}")
    if calibration_seed == sampler.seed:
        raise ValueError(f"calibration needs another seed than {sampler.seed}, that of the capture")
    recipe = TrainingRecipe(**provenance["recipe"])
    steps, timesteps = record_steps(model, recipe, sampler, CAPTURE_CLASSES, block)
    other = replace(sampler, seed=calibration_seed)
    calibration_steps, _ = record_steps(model, recipe, other, CALIBRATION_CLASSES, block)

    tensors = {}
    for name, path in LAYER_MODULES.items():
        source = LAYER_INPUTS[name]
        layer = model.transformer_blocks[block].get_submodule(path)
        tensors[f"{name}.weight"] = to_half(path, layer.weight.detach().numpy().T)
        tensors[f"{name}.bias"] = to_half(path, layer.bias.detach().numpy())
        tensors[f"{source}.input"] = to_half(path, rows(steps[step][name]))
        tensors[f"{source}.calibration"] = to_half(path, rows(calibration_steps[step][name]))
    record = {
        "block": block,
        "calibration": {"classes": CALIBRATION_CLASSES, "seed": calibration_seed},
        "checkpoint_sha256": provenance["sha256"],
        "classes": CAPTURE_CLASSES,
        "modules": {
            name: f"transformer_blocks.{block}.{path}" for name, path in LAYER_MODULES.items()
        },
        "rows": "sequences of tokens: one per class, then the same without label, for guidance",
        "sampler": {"name": "DPM-Solver++ 2M", **asdict(sampler)},
        "step": step,
        "timestep": timesteps[step],
        "training_steps": provenance["steps"],
    }
    return tensors, record
