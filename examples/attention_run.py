"""Attention on the emitted Verilog, stage by stage, each job's results and counters checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

import golden
from examples.attention import Attention
from examples.attention_steps import PrecisionChoice, Stages, Step, attention_stages, step_numbers
from examples.gemms import Order
from examples.report import Row
from hw.contract.config import Config
from hw.host.results import Counters, Outcome, Results
from hw.host.work import Work
from simulation.running import Simulation, simulate
from simulation.works.expected import expected_counts, expected_results, operand_a, operand_b


@dataclass(frozen=True)
class JobDifference:
    """What of a job differs from the golden model, and where first."""

    text: str

    def sentence(self) -> str:
        """Say it with both values."""
        return self.text


@dataclass(frozen=True)
class StepRow(Row):
    """One step's numbers in one style; counters are sums over its jobs.

    Attributes
    ----------
    mx9_share : float or None
        None for conversions, which have no A.
    difference : JobDifference or None
        Of the first job that differs.
    jobs : int
    mx9_jobs : list of int
        Which of them have the unit "head" in MX9; empty for projections.
    """

    mx9_share: float | None
    difference: JobDifference | None
    jobs: int
    mx9_jobs: list[int]


def run_attention(
    attention: Attention, choices: Sequence[PrecisionChoice], config: Config, console: Console
) -> tuple[list[StepRow], Simulation]:
    """Run an attention in several styles; stop at the first stage that differs from golden.

    Each stage is a simulation of its own, of all styles' jobs, and is fed what the Verilog gave in
    the stages before. The products of a style in a stage run back to back; conversions run alone,
    for they end faster than software reads the counters of the one before.

    Returns
    -------
    rows : list of StepRow
        By stage, style and step.
    simulation : Simulation
        All stages' outcomes in order, and their times added up.

    Raises
    ------
    SimulationError, KeyboardInterrupt
        As `simulation.running.simulate`.
    """
    reference = attention.reference()
    runs = [attention_stages(attention, choice, config) for choice in choices]
    stages = [next(run) for run in runs]
    rows: list[StepRow] = []
    done: list[Simulation] = []
    while stages:
        names = ", ".join(step.name for step in stages[0])
        jobs = sum(len(step.works) for steps in stages for step in steps)
        console.print(f"Stage {len(done) + 1}: {names} in {jobs} jobs")
        groups = [group for steps in stages for group in _groups(config, steps)]
        done.append(simulate(config, groups, _quiet_after_first(console, len(done))))
        outcomes = iter(done[-1].outcomes)
        results = []
        for choice, steps in zip(choices, stages, strict=True):
            results.append([])
            for step in steps:
                own = [next(outcomes) for _ in step.works]
                rows.append(make_step_row(attention, choice, step, own, config, reference))
                results[-1].append([outcome.results for outcome in own])
        if any(row.difference for row in rows):
            break
        stages = _advance(runs, results)
    return rows, Simulation(
        [outcome for each in done for outcome in each.outcomes], done[0].verilog,
        sum(each.build_seconds for each in done), sum(each.run_seconds for each in done))


def _advance(
    runs: Sequence[Stages], results: Sequence[list[list[Results]]]
) -> list[list[Step]]:
    """Hand each run its results and return their next stage; nothing when all have ended."""
    stages = []
    for run, own in zip(runs, results, strict=True):
        try:
            stages.append(run.send(own))
        except StopIteration:
            continue
    return stages


def _quiet_after_first(console: Console, stage: int) -> Console:
    """Say only once, where there is no terminal for a progress bar, that the model is built."""
    return console if console.is_terminal or not stage else Console(quiet=True)


def _groups(config: Config, steps: Sequence[Step]) -> list[list[tuple[Work, int]]]:
    """Group a style's jobs of a stage, with an estimate of each one's cycles."""
    pairs = [(work, _about(config, work)) for step in steps for work in step.works]
    if steps[0].works[0].job.converts:
        return [[pair] for pair in pairs]
    return [pairs]


def _about(config: Config, work: Work) -> int:
    """Estimate a job's cycles for the progress bar: beats and results, or rows, one a cycle."""
    job = work.job
    if job.converts:
        return len(work.activations)
    return -(-job.m // config.rows) * -(-job.n // config.cols) * (-(-job.k // 16) + config.rows)


def make_step_row(
    attention: Attention, choice: PrecisionChoice, step: Step, outcomes: Sequence[Outcome],
    config: Config, reference: Mapping[str, NDArray[np.float64]],
) -> StepRow:
    """Compare a step's jobs with golden, to the bit and to the count, and with FP64 in dB."""
    first, converts = step.works[0].job, step.works[0].job.converts
    counts = [expected_counts(config, work) for work in step.works]
    b = [operand_b(config, work) for work in step.works]
    a = [] if converts else [operand_a(config, work) for work in step.works]
    difference = _first_difference(attention, choice, step, outcomes, counts, config)
    qsnr = None
    if difference is None:
        numbers = step_numbers(step, [outcome.results for outcome in outcomes], config)
        qsnr = golden.qsnr(reference[step.name], numbers)
    return StepRow(
        layer=step.name, style=choice.style, order=Order.of(first), jobs=len(step.works),
        shape=(0 if converts else first.m, first.k, first.n),
        mx9_share=float(np.mean([each.mx9_share for each in a])) if a else None,
        weight_mx9_share=float(np.mean([each.mx9_share for each in b])),
        threshold=step.threshold, nan_blocks=sum(each.nan_blocks for each in a),
        weight_nan_blocks=sum(each.nan_blocks for each in b),
        expected_beats=sum(each["beats"] + each["skipped"] for each in counts),
        counters=_sum_counters([outcome.counters for outcome in outcomes]),
        qsnr=qsnr, difference=difference,
        mx9_jobs=[index for index, work in enumerate(step.works)
                  if work.job.selection.name == "HEAD" and work.job.units],
    )


def _first_difference(
    attention: Attention, choice: PrecisionChoice, step: Step, outcomes: Sequence[Outcome],
    counts: Sequence[Counters], config: Config,
) -> JobDifference | None:
    """Find the first job whose results or counters are not golden's."""
    for index, (work, outcome, count) in enumerate(
            zip(step.works, outcomes, counts, strict=True)):
        text = difference(outcome, expected_results(config, work), count)
        if text:
            whose = f" of {attention.head(index)}" if len(step.works) > 1 else ""
            return JobDifference(f"{step.name}{whose} in {choice.style.title}: {text}.")
    return None


def difference(outcome: Outcome, expected: Results, counts: Counters) -> str | None:
    """Say how a job's results, or else its counters, differ from what they should be."""
    if isinstance(expected, np.ndarray):
        text = _difference_of("C", outcome.results, expected)
    else:
        if len(outcome.results) != len(expected):
            return f"{len(outcome.results)} packets instead of {len(expected)}"
        differing = (
            _difference_of(f"packet {index}", np.frombuffer(got, np.uint8),
                           np.frombuffer(wanted, np.uint8))
            for index, (got, wanted) in enumerate(zip(outcome.results, expected, strict=True)))
        text = next(filter(None, differing), None)
    if text or outcome.counters is None:
        return text
    wrong = [f"{name} counts {outcome.counters[name]}, in golden {count}"
             for name, count in counts.items() if outcome.counters[name] != count]
    return "; ".join(wrong) or None


def _difference_of(
    what: str, got: NDArray[np.integer], expected: NDArray[np.integer]
) -> str | None:
    if got.shape != expected.shape:
        return f"{what} has the shape {got.shape} instead of {expected.shape}"
    places = np.argwhere(got != expected)
    if not len(places):
        return None
    first = tuple(int(index) for index in places[0])
    return (f"{len(places)} of {expected.size} differ from the golden model, first {what}"
            f"{list(first)}: the Verilog gives {int(got[first]):#x}, golden {expected[first]:#x}")


def _sum_counters(counters: Sequence[Counters | None]) -> Counters | None:
    """Add up; None if one job's were not read before the next job ended."""
    if any(each is None for each in counters):
        return None
    return {name: sum(each[name] for each in counters) for name in counters[0]}
