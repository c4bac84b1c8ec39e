"""Run benches with counters, some at once; what is there and up to date is kept."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from commands import children
from commands.outputs import write_text
from sim_tests.bench import ROOT
from sim_tests.coverage.benches import Bench
from sim_tests.coverage.record import is_readable

FAILED = 10
"""How pytest ends when a test failed and something was simulated; else none could run."""


@dataclass(frozen=True)
class Outcome:
    """How a bench ended.

    Attributes
    ----------
    bench : Bench
    counts : pathlib.Path or None
        What it reached; None if a test failed or none ran.
    log : pathlib.Path
    has_run : bool
        Something was simulated.
    """

    bench: Bench
    counts: Path | None
    log: Path
    has_run: bool = True


def kept(bench: Bench, folder: Path) -> Path | None:
    """Return what a bench reached in an earlier run, if nothing has changed and it can be read."""
    counts, stamp = folder / f"{bench.name}.json.gz", folder / f"{bench.name}.version"
    is_known = (stamp.is_file() and stamp.read_bytes() == bench.version.encode()
                and is_readable(counts))
    return counts if is_known else None


def run(bench: Bench, folder: Path) -> Outcome:
    """Run a bench in a process of its own, unless that was done.

    Parameters
    ----------
    bench : Bench
    folder : pathlib.Path
        Takes what it reaches, and its log.
    """
    log = folder / f"{bench.name}.log"
    if counts := kept(bench, folder):
        return Outcome(bench, counts, log)
    folder.mkdir(parents=True, exist_ok=True)
    counts, stamp = folder / f"{bench.name}.json.gz", folder / f"{bench.name}.version"
    for path in (counts, stamp):
        path.unlink(missing_ok=True)
    version = bench.version
    with log.open("w", encoding="utf-8") as output:
        done = children.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "sim_tests.coverage.plugin",
             "--coverage-to", counts.resolve(), *bench.arguments],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    if done.returncode or not counts.is_file():
        return Outcome(bench, None, log, has_run=done.returncode == FAILED)
    write_text(stamp, version)
    return Outcome(bench, counts, log)


def run_all(benches: Sequence[Bench], folder: Path, jobs: int) -> Iterator[Outcome]:
    """Run benches, and give the outcome of each as it ends.

    The benches of one machine share its model, of which one process at a time makes use.
    """
    chains: dict[str, list[Bench]] = {}
    for bench in benches:
        chains.setdefault(bench.machine or bench.name, []).append(bench)
    ordered = sorted(chains.values(), key=len, reverse=True)  # what takes longest begins first
    with ThreadPoolExecutor(jobs) as pool:
        try:
            running = {pool.submit(_first, chain, folder): chain for chain in ordered}
            while running:
                done = next(as_completed(running))
                chain = running.pop(done)
                yield done.result()
                if chain[1:]:
                    running[pool.submit(_first, chain[1:], folder)] = chain[1:]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            children.end_all()
            raise


def _first(chain: list[Bench], folder: Path) -> Outcome:
    return run(chain[0], folder)
