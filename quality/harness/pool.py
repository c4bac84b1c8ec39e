"""Computes shards in one process or in several; the files are the same."""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from quality.harness.settings import Settings, Shard
from quality.harness.store import shard_key, write_shard

_settings: Settings
_worker: Any = None
"""Of this process, for all its shards: a model is loaded once."""


def run_shards(
    settings: Settings, shards: Sequence[Shard], circumstances: dict[str, Any], jobs: int
) -> Iterator[Shard]:
    """Compute shards and write their files; yield each as it is done.

    Parameters
    ----------
    settings : Settings
    shards : sequence of Shard
        Those of one policy side by side, since changing it takes time.
    circumstances : dict
        What they depend on, for their keys.
    jobs : int
        Processes, of `Settings.threads` threads each.
    """
    jobs = min(jobs, len(shards))
    if jobs <= 1:
        _begin(settings)
        for shard in shards:
            _compute(shard, circumstances)
            yield shard
        return
    pool = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), _begin_in_pool, (settings,)
    )
    with pool:
        futures = {pool.submit(_compute, shard, circumstances): shard for shard in shards}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        finally:  # after an error or an interrupt, no further shard begins
            pool.shutdown(wait=True, cancel_futures=True)


def _begin_in_pool(settings: Settings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, and ends the pool
    _begin(settings)


def _begin(settings: Settings) -> None:
    global _settings, _worker
    _settings, _worker = settings, None


def _compute(shard: Shard, circumstances: dict[str, Any]) -> None:
    global _worker
    if _worker is None:  # here and not in `_begin`, for its errors to reach the caller
        from quality.harness.worker import Worker

        _worker = Worker(_settings)
    tensors, facts = _worker.run(shard)
    facts["key"] = shard_key(shard, circumstances)
    write_shard(_settings.folder / shard.file, tensors, facts)
