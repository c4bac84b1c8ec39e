"""Whose turn it is on a stream that several engines share."""

from perf.schedule.rooms import JobReader


class StreamSwitch:
    """Follow the jobs on a shared stream, as `hw.streams.job_switch.JobSwitch` does."""

    def __init__(self) -> None:
        self._jobs = JobReader()
        self._ended = -1

    def begin(self, start: int) -> int:
        """Take the next job; return when. It has the stream `TAKEN` later."""
        taken = max(self._jobs.head(start), self._ended)
        self._jobs.take(taken)
        return taken

    def end(self, cycle: int) -> None:
        """Note the job's last transfer."""
        self._ended = cycle
