"""A whole run: which shards are missing, who computes them, and the records made of their files."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from quality.harness.judges import JudgeFiles, Scorer, judge_hash, make_scorer
from quality.harness.pool import run_shards
from quality.harness.ranks import Rank
from quality.harness.record import Images, make_record, write_record
from quality.harness.settings import REFERENCE, Settings, Shard
from quality.harness.store import QUANTIZING, SAMPLING, is_done, shard_key
from quality.models.identity import identify
from reporting.version import code_version

Progress = Callable[[int, int, str], None]
"""Told how many shards are done, of how many, and what the last one was."""


def circumstances_of(settings: Settings) -> dict[str, Any]:
    """Return what the shards of a run depend on: model, calibration, code. JSON values.

    Raises
    ------
    FileNotFoundError, ValueError
        If the model or the calibration that was named is not here.
    """
    calibration = settings.calibration_file
    if settings.calibration is not None and not calibration.is_file():
        raise FileNotFoundError(
            f"{calibration} is missing: write it with `mixdit quality calibrate`"
        )
    content = calibration.read_bytes() if calibration.is_file() else b""
    return {
        "model": {"name": settings.model.label, **identify(settings.model)},
        "calibration_sha256": hashlib.sha256(content).hexdigest() if content else None,
        "sampling_code": code_version(SAMPLING),
        "quantizing_code": code_version(QUANTIZING),
    }


def evaluate(
    settings: Settings,
    policies: Sequence[str],
    seeds: Sequence[int],
    *,
    files: JudgeFiles | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> list[Path]:
    """Draw, probe and judge; whatever is there already is not computed again.

    Parameters
    ----------
    settings : Settings
    policies : sequence of str
        Beside `REFERENCE`, which always runs.
    seeds : sequence of int
    files : JudgeFiles, optional
        What published models are judged with.
    jobs : int
        Processes; the results are those of one.
    progress : callable, optional

    Returns
    -------
    list of Path
        The records, JSON files; under a launcher such as `torchrun`, none but of its first process.

    Raises
    ------
    FileNotFoundError, ValueError
        If the model or a policy is not known or does not fit, or a file is missing.
    """
    policies = [REFERENCE, *(name for name in dict.fromkeys(policies) if name != REFERENCE)]
    seeds = list(dict.fromkeys(seeds))
    files = files or JudgeFiles()
    rank = Rank.here()
    circumstances = circumstances_of(settings)
    judging = judge_hash(settings.model, files) if rank.leads else ""
    scorer = make_scorer(settings.model, files) if rank.leads else None
    shards = [
        shard for policy in policies for seed in seeds for shard in settings.shards(policy, seed)
    ]
    with rank.together():
        missing = [
            shard
            for shard in rank.share(shards)
            if not is_done(settings.folder / shard.file, shard_key(shard, circumstances))
        ]
        for done, shard in enumerate(run_shards(settings, missing, circumstances, jobs), start=1):
            if progress is not None:
                progress(done, len(missing), f"{shard.policy}, seed {shard.seed}")
    if scorer is None:
        return []
    return [
        path
        for seed in seeds
        for path in _records(settings, policies, seed, circumstances, (judging, scorer))
    ]


def _records(
    settings: Settings,
    policies: Sequence[str],
    seed: int,
    circumstances: dict[str, Any],
    judge: tuple[str, Scorer],
) -> list[Path]:
    """Write the missing records of one seed; the reference is first among the policies."""
    judging, scorer = judge
    paths, baseline = [], None
    for policy in policies:
        path = settings.folder / policy / f"seed-{seed}.json"
        paths.append(path)
        key = _record_key(list(settings.shards(policy, seed)), circumstances, judging)
        if _is_current(path, key):
            continue
        if baseline is None:
            reference = Images(settings, REFERENCE, seed)
            baseline = (reference, scorer(reference))
        if policy == REFERENCE:
            scored = baseline
        else:
            images = Images(settings, policy, seed)
            scored = (images, scorer(images))
        record = make_record(settings, policy, seed, scored, baseline, circumstances)
        write_record(path, {**record, "judge": judging, "key": key})
    return paths


def _record_key(shards: list[Shard], circumstances: dict[str, Any], judging: str) -> str:
    keys = [shard_key(shard, circumstances) for shard in shards]
    return hashlib.sha256("".join([*keys, judging]).encode()).hexdigest()


def _is_current(path: Path, key: str) -> bool:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["key"] == key
    except (OSError, ValueError, KeyError):  # missing, cut short, or of an older version
        return False
