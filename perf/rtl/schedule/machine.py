"""All engines of a machine, and the jobs that they work through."""

from collections.abc import Mapping, Sequence

from hw.contract.config import JOBS_UNDER_WAY, Config
from perf.rtl.schedule.array import Array
from perf.rtl.schedule.conversion import Converter
from perf.rtl.schedule.latencies import ENDED
from perf.rtl.schedule.results import Results
from perf.rtl.schedule.scheduled_job import JobCounters, ScheduledJob
from perf.rtl.schedule.tiles import TokenTiles


def predict(config: Config, jobs: Sequence[ScheduledJob]) -> list[JobCounters]:
    """Give the counters of jobs that run back to back, from an idle machine.

    Streams are offered at full rate and results are taken at once.

    Parameters
    ----------
    config : Config
    jobs : sequence of ScheduledJob
        In the order of their start. One without a start is started the cycle after the one before,
        and not before the queue has room for it.

    Returns
    -------
    list of JobCounters
        One for each job, equal to the machine's counters.

    Raises
    ------
    ValueError
        If a job does not fit the machine, or has no room in its queue when it starts.
    """
    tiles = TokenTiles(config)
    results = Results(config)
    array = Array(config, tiles, results)
    converter = Converter(config, tiles)
    counts: list[Mapping[str, int]] = []
    ends: list[int] = []
    cycles: list[int] = []
    start = -1
    for index, job in enumerate(jobs):
        room = ends[index - JOBS_UNDER_WAY] + 1 if index >= JOBS_UNDER_WAY else 0
        start = max(start + 1, room) if job.start is None else job.start
        if start < room:
            raise ValueError(f"job {index} starts in cycle {start}, but {JOBS_UNDER_WAY} jobs are "
                             f"under way until {room - 1}")
        before = ends[-1] if ends else -1
        turn = before - ENDED + 1  # the last beat of the job before has left
        tiles.take_job(job, start)
        if job.kind.converts:
            array.skip_job(start)
            counts.append({})
            ends.append(converter.run(job, turn) + ENDED)
        else:
            results.start_job(job, turn)
            counts.append(array.run(job, start))
            ends.append(results.ended + ENDED)
        tiles.end_job()
        cycles.append(ends[-1] - max(before, start))
    return [JobCounters(cycles=each, **count) for each, count in zip(cycles, counts, strict=True)]
