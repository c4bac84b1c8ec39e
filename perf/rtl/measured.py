"""Jobs after they have run: what the machine counted, and whether golden agrees to the bit."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hw.contract.config import Config
from hw.host.driver import weight_passes
from hw.host.packet_order import result_packets
from hw.host.results import Outcome, Results
from hw.host.work import Work, act_packets, weight_packets
from perf.rtl.scenarios import Case, Group
from simulation.works.expected import expected_counts, expected_results


@dataclass(frozen=True)
class Measured:
    """One job that has run.

    Attributes
    ----------
    config : Config
    case : Case
    stall : float
    outcome : Outcome
    """

    config: Config
    case: Case
    stall: float
    outcome: Outcome

    @property
    def work(self) -> Work:
        """What ran."""
        return self.case.work

    @property
    def counters(self) -> dict[str, int]:
        """The machine's counters.

        Raises
        ------
        RuntimeError
            If the next job ended before they could be read.
        """
        if self.outcome.counters is None:
            raise RuntimeError(f"the counters of {self.case.name} were not read in time")
        return self.outcome.counters

    @property
    def cycles(self) -> int:
        """From the end of the job before to this one's end."""
        return self.counters["cycles"]

    @cached_property
    def ideal_beats(self) -> int:
        """Beats that its precisions ask for, by golden."""
        return expected_counts(self.config, self.work)["beats"]

    @cached_property
    def blocks(self) -> int:
        """Blocks of activations."""
        job = self.work.job
        return (job.n if job.converts else job.m) * -(-job.k // 16)

    @cached_property
    def stream_beats(self) -> dict[str, int]:
        """Beats of each stream."""
        return stream_beats(self.config, self.work)

    @cached_property
    def difference(self) -> str | None:
        """Say where the results or the counts differ from golden's; None if nowhere."""
        expected = expected_results(self.config, self.work)
        wrong = wrong_results(self.outcome.results, expected)
        if wrong:
            return f"{wrong} results or packets of {self.case.name or 'a neighbour'} are wrong"
        for name, count in expected_counts(self.config, self.work).items():
            if self.outcome.counters is not None and self.outcome.counters[name] != count:
                return (f"{name} of {self.case.name or 'a neighbour'} is "
                        f"{self.outcome.counters[name]}, expected {count}")
        return None


def wrong_results(actual: Results, expected: Results) -> int:
    """Count results, or packets, that differ in a bit."""
    if isinstance(expected, np.ndarray):
        same = isinstance(actual, np.ndarray) and actual.dtype == expected.dtype
        if not same or actual.shape != expected.shape:
            return expected.size
        return int(np.count_nonzero(actual != expected))
    if len(actual) != len(expected):
        return max(len(actual), len(expected))
    return sum(ours != theirs for ours, theirs in zip(actual, expected, strict=True))


def stream_beats(config: Config, work: Work) -> dict[str, int]:
    """Count the beats that a job moves on each stream, by the stream's name."""
    def beats(packets: Sequence[bytes], width: int) -> int:
        return sum(-(-len(packet) // width) for packet in packets)

    job, width = work.job, config.weight_bytes
    if job.converts:
        results = beats(expected_results(config, work), width)
    elif job.is_packed:
        results = beats(expected_results(config, work), config.act_bytes)
    else:
        results = sum(1 for _ in result_packets(config, job))
    return {
        "s_axis_act": beats(act_packets(config, work), config.act_bytes),
        "s_axis_wgt": weight_passes(config, job) * beats(weight_packets(config, work), width),
        "m_axis_out": results,
    }


def expected_cycles(config: Config, work: Work, stall: float = 0.0) -> int:
    """Estimate a job's cycles, for a progress bar: those of the array or of the slowest stream."""
    beats = max(stream_beats(config, work).values())
    return max(expected_counts(config, work)["beats"], int(beats / (1 - stall)))


def pair_outcomes(
    machines: dict[str, Config], groups: Sequence[Group], outcomes: dict[str, Sequence[Outcome]]
) -> list[Measured]:
    """Give every job its outcome; those of each machine come in the order of its groups."""
    left = {machine: iter(each) for machine, each in outcomes.items()}
    return [Measured(machines[group.machine], case, group.stall, next(left[group.machine]))
            for group in groups for case in group.cases]
