"""Published diffusion transformers: DiT, PixArt and Stable Diffusion 3, through diffusers."""

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from quality.models.kinds import kind_of, locate, read_prompts, usual
from quality.models.options import ModelOptions

IMAGES_PER_SEED = 1_000_000
"""Distance of the generators' seeds, so that no image of one seed has the noise of another's."""

GENERATOR_SEEDS = 1 << 32
"""torch's generator on the CPU drops all higher bits of its seed."""


class PipelineModel:
    """A diffusers pipeline from disk; see `quality.models.subject.Subject`.

    Every image has a generator of its own, so it does not depend on how many are drawn at once.

    Parameters
    ----------
    options : ModelOptions

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such pipeline, or its prompts or embeddings do not fit.
    """

    def __init__(self, options: ModelOptions) -> None:
        folder = locate(options)
        name, kind = kind_of(folder)
        without = kind.text_parts if options.embeddings else ()
        diffusers.utils.logging.disable_progress_bar()
        try:
            pipeline_class = getattr(diffusers, name)
            self._pipeline = pipeline_class.from_pretrained(
                folder,
                dtype=getattr(torch, options.dtype),
                local_files_only=True,
                **dict.fromkeys(without),
            ).to(options.device)
        except ImportError as error:  # diffusers' stand-in for a class whose needs are not met
            raise ModuleNotFoundError(f"{name} needs it", name="transformers") from error
        self._pipeline.set_progress_bar_config(disable=True)  # the harness has its own
        self.transformer: nn.Module = self._pipeline.transformer.eval()
        sampler = usual(options, kind)
        self._arguments: dict[str, Any] = {
            "num_inference_steps": sampler["steps"],
            "guidance_scale": sampler["guidance"],
            "output_type": "np",
        }
        if name.startswith("PixArt"):  # images of the model's own size; prompts as they are
            self._arguments |= {"use_resolution_binning": False, "clean_caption": False}
        self._prompts = read_prompts(options.prompts) if options.prompts else None
        self._embeddings: dict[str, torch.Tensor] | None = None
        if options.embeddings:
            self._embeddings = _read_embeddings(options.embeddings, kind.embeddings)
            if self._prompts is not None and len(self._prompts) != self._embedded:
                raise ValueError(
                    f"{options.prompts} holds {len(self._prompts)} prompts and "
                    f"{options.embeddings} embeds {self._embedded}"
                )

    @torch.no_grad()
    def draw(
        self, transformer: nn.Module, seed: int, first: int, count: int
    ) -> NDArray[np.float32]:
        """Draw images (count, height, width, 3), -1..1.

        Raises
        ------
        ValueError
            If the seed or the index is too large for noise that no other image has.
        """
        last = seed * IMAGES_PER_SEED + first + count - 1
        if first + count > IMAGES_PER_SEED or last >= GENERATOR_SEEDS:
            raise ValueError(
                f"seeds go to {GENERATOR_SEEDS // IMAGES_PER_SEED - 1}, with at most "
                f"{IMAGES_PER_SEED:,} images each"
            )
        self._pipeline.transformer = transformer
        generators = [
            torch.Generator().manual_seed(seed * IMAGES_PER_SEED + index)
            for index in range(first, first + count)
        ]
        images = self._pipeline(
            **self._condition_arguments(first, count), **self._arguments, generator=generators
        ).images
        return images * np.float32(2) - np.float32(1)

    def conditions(self, first: int, count: int) -> list[int] | list[str]:
        """Return classes in a fixed random order, or prompts in the order of their file."""
        indices = range(first, first + count)
        if self._prompts is not None:
            return [self._prompts[index % len(self._prompts)] for index in indices]
        if self._embeddings is not None:
            return [str(index % self._embedded) for index in indices]
        classes = self.transformer.config.num_embeds_ada_norm
        order = np.random.default_rng(0).permutation(classes)
        return [int(order[index % classes]) for index in indices]

    @property
    def _embedded(self) -> int:
        return len(self._embeddings["prompt_embeds"])

    def _condition_arguments(self, first: int, count: int) -> dict[str, Any]:
        if self._embeddings is None:
            key = "prompt" if self._prompts is not None else "class_labels"
            return {key: self.conditions(first, count)}
        like = next(self.transformer.parameters())
        chosen = [index % self._embedded for index in range(first, first + count)]
        arguments = {}
        for name, values in self._embeddings.items():
            rows = values.expand(count, *values.shape[1:]) if len(values) == 1 else values[chosen]
            to = {"dtype": like.dtype} if values.is_floating_point() else {}
            arguments[name] = rows.to(like.device, **to)
        return {"prompt": None, "negative_prompt": None, **arguments}


def _read_embeddings(path: Path, names: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """Read a safetensors file with the pipeline's own names; a negative embedding may be one row.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, is of another format, or has other tensors than `names`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: embeddings are a safetensors file")
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file: {error}") from error
    if set(tensors) != set(names):
        raise ValueError(f"{path} holds {', '.join(sorted(tensors))} instead of {', '.join(names)}")
    rows = len(tensors["prompt_embeds"])
    for name, values in tensors.items():
        if len(values) != rows and not (name.startswith("negative") and len(values) == 1):
            raise ValueError(f"{path} holds {len(values)} rows of {name} for {rows} prompts")
    return tensors
