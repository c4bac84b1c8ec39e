"""Work through points: on the processes of this computer, or on a cluster."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import groupby
from urllib.parse import urlsplit

from perf.studies.sweep.evaluate import evaluate_all
from perf.studies.sweep.point import Point
from perf.studies.sweep.store import Record, Store
from perf.studies.sweep.version import figures_version

CONNECT_SECONDS = 10
"""How long a cluster may take to answer."""


BATCH = 16
"""Most points that a worker is given at once."""


class ClusterError(ValueError):
    """There is no such cluster, or none that gives the same results; the sentence says why."""


@contextmanager
def processes(jobs: int) -> Iterator[Executor]:
    """Give a pool of processes that leave Ctrl-C to this one.

    Parameters
    ----------
    jobs : int
    """
    pool = ProcessPoolExecutor(jobs, initializer=signal.signal,
                               initargs=(signal.SIGINT, signal.SIG_IGN))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """Connect to the scheduler of a `dask.distributed` cluster.

    Its workers must be able to import this code, in the same version.

    Parameters
    ----------
    address : str
        Such as ``tcp://host:8786``.

    Raises
    ------
    ClusterError
        If `distributed` is not installed, the address is none, nothing answers, or there is no
        worker.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ClusterError("A cluster needs dask.distributed: "
                           "`pip install -e '.[cluster]'` brings it.") from None
    _check_address(address)
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError):
        raise ClusterError(f"No scheduler answers at {address}.") from None
    with client:
        if not client.scheduler_info()["workers"]:
            raise ClusterError(f"The cluster at {address} has no workers.")
        _check_versions(client)
        with client.get_executor(pure=False) as executor:
            yield executor


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    try:
        known = parts.scheme in ("tcp", "tls") and parts.hostname and parts.port
    except ValueError:
        known = False
    if not known:
        raise ClusterError(f"A cluster's address is tcp://HOST:PORT or tls://HOST:PORT, "
                           f"not {address!r}.")


def _check_versions(client) -> None:
    """Refuse workers that would compute something else."""
    try:
        versions = client.run(figures_version)
    except ModuleNotFoundError as error:
        raise ClusterError(f"The cluster's workers cannot import {error.name}: start them where "
                           "this code is installed.") from None
    for worker, version in versions.items():
        if version != figures_version():
            raise ClusterError(f"The worker at {worker} runs another version of this code.")


def _batches(todo: Mapping[str, Point]) -> Iterator[list[tuple[Point, str]]]:
    """Cut into runs of neighbours whose jobs take the same cycles, which are found only once."""
    for _, run in groupby(todo.items(), lambda item: item[1].schedule):
        pairs = [(point, key) for key, point in run]
        yield from (pairs[start:start + BATCH] for start in range(0, len(pairs), BATCH))


def run(points: Sequence[Point], store: Store, executor: Executor, *,
        on_progress: Callable[[int, int], None] = lambda done, total: None) -> list[Record]:
    """Evaluate the points that a store does not have yet.

    Records are in the store's file as soon as they are known, a batch of neighbours at a time, so
    that an interrupted sweep can be continued.

    Parameters
    ----------
    points : sequence of Point
    store : Store
    executor : concurrent.futures.Executor
        From `processes` or `cluster`.
    on_progress : callable
        Gets how many points are known, and how many there are.

    Returns
    -------
    list of Record
        In the order of the points, whoever was first.
    """
    keys = [point.key(figures_version()) for point in points]
    todo = {key: point for key, point in zip(keys, points, strict=True)
            if key not in store.records}
    known = len(set(keys)) - len(todo)
    on_progress(known, known + len(todo))
    futures = [executor.submit(evaluate_all, batch) for batch in _batches(todo)]
    done = known
    try:
        for future in as_completed(futures):
            for record in future.result():
                store.add(record)
            done += len(future.result())
            on_progress(done, known + len(todo))
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    return [store.records[key] for key in keys]
