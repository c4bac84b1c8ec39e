"""What a run consists of, as plain data: no torch here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from quality.captured import DATA_FOLDER
from quality.models.options import SMALL, ModelOptions

REFERENCE = "fp32"
"""The policy that quantizes nothing, which every other is compared with."""

UNQUANTIZED_BITS = 32.0
"""Width of what is computed in FP32."""


@dataclass(frozen=True, order=True)
class Shard:
    """A piece of work that leaves one file.

    Parameters
    ----------
    policy : str
    seed : int
        Of the starting noise.
    is_probe : bool
        Measure errors inside the model on these images' trajectory; else draw the images.
    first, count : int
        Which images of the seed.
    """

    policy: str
    seed: int
    is_probe: bool
    first: int
    count: int

    @property
    def file(self) -> Path:
        """Its file below the model's folder."""
        name = "probe" if self.is_probe else f"images-{self.first:06}"
        return Path(self.policy) / f"seed-{self.seed}" / f"{name}-{self.count}.safetensors"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that decides the files of a run, and where they lie.

    Parameters
    ----------
    model : ModelOptions
    calibration : Path, optional
        File with orders, thresholds and sensitivities, if not the model's usual one.
    out : Path
        Folder of all results.
    images : int
        For each policy and seed.
    batch : int
        Images drawn at once. Policies that choose blocks by rank choose within a batch, so another
        batch size is another experiment.
    probe : int
        Images whose trajectory is probed for each policy and seed.
    threads : int
        Of torch, in each process.

    Raises
    ------
    ValueError
        If a count is below 1, or there are too few images for a distance between distributions.
    """

    model: ModelOptions
    calibration: Path | None = None
    out: Path = Path("build") / "quality"
    images: int = 1000
    batch: int = 50
    probe: int = 20
    threads: int = 1

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        for name in ("images", "batch", "probe", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")

    @property
    def folder(self) -> Path:
        """Where this model's files lie."""
        return self.out / self.model.folder

    @property
    def calibration_file(self) -> Path:
        """The file that was named, or the model's usual one, which need not exist."""
        if self.calibration is not None:
            return self.calibration
        own = self.model.name == SMALL
        return (DATA_FOLDER if own else self.folder) / "calibration.safetensors"

    def shards(self, policy: str, seed: int) -> Iterator[Shard]:
        """Give the shards of one policy and seed: batches of images, then the probe."""
        for first in range(0, self.images, self.batch):
            count = min(self.batch, self.images - first)
            yield Shard(policy, seed, False, first, count)
        yield Shard(policy, seed, True, 0, self.probe)
