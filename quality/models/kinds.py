"""The published models that can be studied: diffusers pipelines, found on disk. No torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quality.models.file_hash import hash_files
from quality.models.options import ModelOptions


@dataclass(frozen=True)
class ModelKind:
    """How a kind of pipeline is used when nothing else is asked for.

    Parameters
    ----------
    sampler : str
        Its scheduler's name.
    steps : int
    guidance : float
    text_parts : tuple of str
        Components that only turn prompts into embeddings; none for a model of classes.
    embeddings : tuple of str
        Arguments that replace the prompt.
    """

    sampler: str
    steps: int
    guidance: float
    text_parts: tuple[str, ...] = ()
    embeddings: tuple[str, ...] = ()


_PIXART = ModelKind(
    "DPM-Solver++ 2M", 20, 4.5, ("text_encoder", "tokenizer"),
    ("prompt_embeds", "prompt_attention_mask",
     "negative_prompt_embeds", "negative_prompt_attention_mask"),
)  # fmt: skip
_SD3 = ModelKind(
    "flow matching, Euler", 28, 7.0,
    ("text_encoder", "text_encoder_2", "text_encoder_3", "tokenizer", "tokenizer_2", "tokenizer_3"),
    ("prompt_embeds", "pooled_prompt_embeds",
     "negative_prompt_embeds", "negative_pooled_prompt_embeds"),
)  # fmt: skip

KINDS = {
    # 50 steps: the pipeline's default. Guidance 1.5 is that of the best FID in Peebles and Xie
    # (ICCV 2023), table 2; the pipeline's own 4.0 is for single pictures.
    "DiTPipeline": ModelKind("DDIM", 50, 1.5),
    "PixArtAlphaPipeline": _PIXART,
    "PixArtSigmaPipeline": _PIXART,
    "StableDiffusion3Pipeline": _SD3,
}
"""By the class of diffusers, with its defaults where no comment says otherwise."""

INDEX = "model_index.json"


def locate(options: ModelOptions) -> Path:
    """Return the folder of a pipeline: as named, or in the cache of the Hugging Face hub.

    Raises
    ------
    FileNotFoundError
        If it is in neither and may not be downloaded.
    """
    folder = Path(options.name)
    if (folder / INDEX).is_file():
        return folder
    if folder.is_dir():
        raise FileNotFoundError(f"{folder} holds no {INDEX}, so it is no pipeline of diffusers")
    if options.download:
        from diffusers import DiffusionPipeline

        return Path(DiffusionPipeline.download(options.name))
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(options.name, local_files_only=True))
    except (OSError, ValueError) as error:  # not cached, or not even the form of a name
        raise FileNotFoundError(
            f"{options.name} is no model here: it is neither small, a checkpoint, a folder nor in "
            "the cache of the Hugging Face hub; --download fetches it from there"
        ) from error


def kind_of(folder: Path) -> tuple[str, ModelKind]:
    """Return the class of a folder's pipeline and what is known of it.

    Raises
    ------
    ValueError
        If the class is not known.
    """
    name = json.loads((folder / INDEX).read_text(encoding="utf-8")).get("_class_name")
    if name not in KINDS:
        raise ValueError(f"{folder} holds a {name}, and only {', '.join(KINDS)} are known")
    return name, KINDS[name]


def usual(options: ModelOptions, kind: ModelKind) -> dict[str, Any]:
    """Return steps and guidance: what was asked for, or the kind's own."""
    return {
        "steps": kind.steps if options.steps is None else options.steps,
        "guidance": kind.guidance if options.guidance is None else options.guidance,
    }


def identify_pipeline(options: ModelOptions) -> dict[str, Any]:
    """Return what decides a pipeline's images apart from the seed; see `quality.models.identity`.

    Raises
    ------
    FileNotFoundError, ValueError
        As `locate` and `kind_of`, or if a text model has no prompts, or a class model has some.
    """
    folder = locate(options)
    name, kind = kind_of(folder)
    conditions = [path for path in (options.prompts, options.embeddings) if path is not None]
    if bool(kind.text_parts) != bool(conditions):
        asked = "needs --prompts or --embeddings" if kind.text_parts else "reads no prompts"
        raise ValueError(f"{options.name} is a {name}, which {asked}")
    weights = [
        path
        for part in ("transformer", "vae")
        for path in sorted((folder / part).glob("*.safetensors"))
        or sorted((folder / part).glob("*.bin"))
    ]
    return {
        "pipeline": name,
        "sampler": kind.sampler,
        **usual(options, kind),
        "weights_sha256": hash_files(weights),
        "conditions_sha256": hash_files(conditions) if conditions else None,
    }


def read_prompts(path: Path) -> list[str]:
    """Read a file with one prompt on each line; empty lines do not count.

    Raises
    ------
    OSError, ValueError
        If it cannot be read, or holds none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error.reason}") from error
    prompts = [line.strip() for line in text.splitlines() if line.strip()]
    if not prompts:
        raise ValueError(f"{path} holds no prompts: one stands on each line")
    return prompts
