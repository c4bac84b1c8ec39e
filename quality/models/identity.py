"""What decides a model's images apart from the seed, found without loading the model: no torch."""

import hashlib
from pathlib import Path
from typing import Any

from quality.captured import DATA_FOLDER
from quality.models.options import SMALL, ModelOptions
from quality.storage import read_tensors

CHECKPOINT = DATA_FOLDER / "dit_fashion_mnist.safetensors"


def is_small(options: ModelOptions) -> bool:
    """Whether a model is one of this repository: `SMALL`, or a checkpoint file."""
    return options.name == SMALL or Path(options.name).is_file()


def checkpoint(options: ModelOptions) -> Path:
    """Return the file of a model of this repository."""
    return CHECKPOINT if options.name == SMALL else Path(options.name)


def small_sampler(options: ModelOptions) -> dict[str, Any]:
    """Return steps and guidance of the small model's sampler."""
    return {
        "steps": 10 if options.steps is None else options.steps,
        "guidance": 1.5 if options.guidance is None else options.guidance,
    }


def identify(options: ModelOptions) -> dict[str, Any]:
    """Return hashes, sampler settings and precision, as JSON values.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such model here, it is of a kind that is not known, or an option does not
        belong to its kind.
    """
    if not is_small(options):
        from quality.models.kinds import identify_pipeline

        return {"dtype": options.dtype, **identify_pipeline(options)}
    if options.dtype != "float32":
        raise ValueError(f"the small model computes in float32, not in {options.dtype}")
    if options.prompts or options.embeddings:
        raise ValueError("the small model knows ten classes and reads no prompts")
    _, provenance = read_tensors(checkpoint(options), "mixdit quality train")
    return {
        "dtype": options.dtype,
        "sampler": "DPM-Solver++ 2M",
        **small_sampler(options),
        "weights_sha256": provenance["sha256"],
    }


def hash_files(paths: list[Path]) -> str:
    """Hash names and contents of files to SHA-256, in hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        with path.open("rb") as file:
            digest.update(f"{path.name}\0".encode())
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
