"""Computes units in one process or in several; the files are the same."""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from quality.harness.settings import Settings, Unit
from quality.harness.store import unit_key, write_unit

_settings: Settings
_worker: Any = None
"""Of this process, for all its units: a model is loaded once."""


def run_units(
    settings: Settings, units: Sequence[Unit], circumstances: dict[str, Any], jobs: int
) -> Iterator[Unit]:
    """Compute units and write their files; yield each as it is done.

    Parameters
    ----------
    settings : Settings
    units : sequence of Unit
        Those of one policy side by side, since changing it takes time.
    circumstances : dict
        What they depend on, for their keys.
    jobs : int
        Processes, of `Settings.threads` threads each.
    """
    jobs = min(jobs, len(units))
    if jobs <= 1:
        _begin(settings)
        for unit in units:
            _compute(unit, circumstances)
            yield unit
        return
    pool = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), _begin_in_pool, (settings,)
    )
    with pool:
        futures = {pool.submit(_compute, unit, circumstances): unit for unit in units}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        finally:  # after an error or an interrupt, no further unit begins
            pool.shutdown(wait=True, cancel_futures=True)


def _begin_in_pool(settings: Settings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, and ends the pool
    _begin(settings)


def _begin(settings: Settings) -> None:
    global _settings, _worker
    _settings, _worker = settings, None


def _compute(unit: Unit, circumstances: dict[str, Any]) -> None:
    global _worker
    if _worker is None:  # here and not in `_begin`, for its errors to reach the caller
        from quality.harness.worker import Worker

        _worker = Worker(_settings)
    tensors, facts = _worker.run(unit)
    facts["key"] = unit_key(unit, circumstances)
    write_unit(_settings.folder / unit.file, tensors, facts)
