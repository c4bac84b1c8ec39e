"""Which model draws the images, and how: plain data that a process can hand to another."""

from dataclasses import dataclass
from pathlib import Path

SMALL = "small"
"""Name of the diffusion transformer that is committed with this repository."""

DTYPES = ("float32", "float16", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Say what is sampled.

    Parameters
    ----------
    name : str
        `SMALL`, a checkpoint of `mixdit quality train`, a folder that holds a diffusers
        pipeline, or the name of one on the Hugging Face hub (``facebook/DiT-XL-2-256``).
    steps : int, optional
        Evaluations of the guided model; each kind of model has its usual number.
    guidance : float, optional
        Classifier-free guidance scale, likewise.
    prompts : Path, optional
        Text models: a file with one prompt per line.
    embeddings : Path, optional
        Text models: precomputed prompt embeddings, so that no text encoder is loaded.
    device : str
        Where torch computes.
    dtype : str
        Of the reference and of everything that is not quantized; the small model has only FP32.
    download : bool
        Whether files that are not on this computer may be fetched from the hub.

    Raises
    ------
    ValueError
        If a setting is outside its range.
    """

    name: str = SMALL
    steps: int | None = None
    guidance: float | None = None
    prompts: Path | None = None
    embeddings: Path | None = None
    device: str = "cpu"
    dtype: str = "float32"
    download: bool = False

    def __post_init__(self) -> None:
        """Refuse what no model can do."""
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"the sampler needs at least 1 step, not {self.steps}")
        if self.dtype not in DTYPES:
            raise ValueError(f"the type must be one of {', '.join(DTYPES)}, not {self.dtype!r}")

    @property
    def label(self) -> str:
        """What the model is called: of a file or folder, the last part of its path."""
        path = Path(self.name)
        if path.is_file():
            return path.stem
        return path.resolve().name if path.is_dir() else self.name

    @property
    def folder(self) -> str:
        """Name of the model's folder among the results."""
        return self.label.replace("/", "--")
