"""Who scores which model's images."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quality.harness.record import Images, Scored
from quality.metrics.judge import CLASSIFIER, EXTRACTOR, REFERENCE
from quality.models.file_hash import hash_files
from quality.models.identity import is_small
from quality.models.kinds import read_prompts
from quality.models.options import ModelOptions
from quality.recipe import CLASS_NAMES
from reporting.version import code_version

JUDGING = ("quality/metrics/*.py", "quality/harness/judges.py", "quality/harness/record.py")
"""Code that scores and records depend on."""

Scorer = Callable[[Images], Scored | None]
"""Scores the images of one policy and seed; None where the model has no judge."""


@dataclass(frozen=True, kw_only=True)
class JudgeFiles:
    """What published models are judged with: files of the user, none of which is fetched.

    Parameters
    ----------
    inception : Path, optional
        torch-fidelity's weights of Inception v3, for FID and IS.
    statistics : Path, optional
        Mean and covariance of a data set's features, for FID.
    clip : Path, optional
        Folder with a CLIP model, for the CLIP score of text models.

    Raises
    ------
    ValueError
        If there are statistics and no network whose features they could be.
    """

    inception: Path | None = None
    statistics: Path | None = None
    clip: Path | None = None

    def __post_init__(self) -> None:
        """Refuse statistics alone."""
        if self.statistics is not None and self.inception is None:
            raise ValueError("--statistics are of Inception's features: name its weights too")

    def named(self) -> list[Path]:
        """Return the files that were named, which decide the scores."""
        return [path for path in (self.inception, self.statistics, self.clip) if path is not None]


@dataclass(frozen=True)
class PublishedScores:
    """The scores of images of a published model.

    Parameters
    ----------
    values : dict
        By name: those that there are files for.
    features : NDArray[np.float64], optional
        Inception's, shape (n, 2048).
    """

    values: dict[str, float]
    features: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)

    def numbers(self) -> dict[str, float]:
        """Return the scores by name."""
        return self.values

    def minus(self, baseline: "PublishedScores") -> dict[str, float]:
        """Return the differences, and the mean squared distance of counterparts' features."""
        differences = {name: value - baseline.values[name] for name, value in self.values.items()}
        if self.features is not None and baseline.features is not None:
            shift = np.square(self.features - baseline.features).sum(1).mean()
            differences["feature_shift"] = float(shift)
        return differences


def make_scorer(model: ModelOptions, files: JudgeFiles) -> Scorer:
    """Return the judge of a model's images.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or holds something else, or does not belong to the kind of model.
    """
    if is_small(model):
        if files.named():
            raise ValueError(f"{files.named()[0]} judges published models, and this is a small one")
        return _small_scorer()
    return _published_scorer(model, files)


def _small_scorer() -> Scorer:
    from quality.metrics import Judge

    judge = Judge()

    def score(images: Images) -> Scored:
        labels = np.arange(len(images.pixels)) % len(CLASS_NAMES)  # the classes in turn
        return judge.scores(images.pixels, labels)

    return score


def _published_scorer(model: ModelOptions, files: JudgeFiles) -> Scorer:
    if files.clip is not None and model.prompts is None:
        raise ValueError("the CLIP score needs the prompts: name their file with --prompts")
    extract: Any = None
    reference: Any = None
    clip: Any = None
    if files.inception is not None:
        from quality.metrics.inception import Inception, inception_scores, load_statistics

        extract = Inception(files.inception, model.device)
        reference = load_statistics(files.statistics) if files.statistics else None
    if files.clip is not None:
        from quality.metrics.clip import ClipJudge

        clip = ClipJudge(files.clip, model.device)

    def score(images: Images) -> Scored | None:
        values: dict[str, float] = {}
        features = None
        if extract is not None:
            features, logits = extract(images.pixels)
            values |= inception_scores(features, logits, reference)
        if clip is not None:
            prompts = read_prompts(model.prompts)
            asked = [prompts[index % len(prompts)] for index in range(len(images.pixels))]
            values["clip_score"] = float(clip(images.pixels, asked).mean())
        return PublishedScores(values, features) if values else None

    return score


def judge_hash(model: ModelOptions, files: JudgeFiles) -> str:
    """Hash what scores depend on beside the images: the judge's files and the code.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    """
    named = [CLASSIFIER, EXTRACTOR, REFERENCE] if is_small(model) else files.named()
    whole = [each for path in named for each in (path.rglob("*") if path.is_dir() else [path])]
    for path in whole:
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing")
    digest = hash_files([path for path in whole if path.is_file()])
    return hashlib.sha256(f"{digest}{code_version(JUDGING)}".encode()).hexdigest()
