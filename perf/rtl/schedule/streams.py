"""Whose turn it is on a stream that several engines share."""

from perf.rtl.schedule.rooms import JobReader


class StreamSwitch:
    """Follow the jobs on a shared stream, as `hw.streams.job_switch.JobSwitch` does."""

    def __init__(self) -> None:
        self._jobs = JobReader()
        self._ended = -1

    def take_job(self, start: int) -> int:
        """Take the next job; return when. It has the stream `TAKEN` later."""
        taken = max(self._jobs.head(start), self._ended)
        self._jobs.note_taken(taken)
        return taken

    def skip_job(self, start: int) -> None:
        """Pass over a job that is not for this stream."""
        self._jobs.skip_job(start)

    def end_job(self, cycle: int) -> None:
        """Note the job's last transfer."""
        self._ended = cycle
