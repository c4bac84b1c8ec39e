"""How much of a speedup each assumption carries."""

from collections.abc import Callable
from dataclasses import dataclass

from perf.studies.report.study import Entry, make_study
from perf.studies.system import PrecisionShares, Preset
from perf.studies.system.assumptions import ASSUMPTIONS, Instead
from perf.workloads import Model
from reporting.table import Column, Table

AS_ASSUMED = Instead("")


@dataclass(frozen=True)
class Outcome:
    """The models on a machine for which one assumption does not hold.

    Attributes
    ----------
    assumption, instead : str
        Both empty for the machine as it is assumed.
    entries : tuple of Entry
        A run of each model.
    """

    assumption: str
    instead: str
    entries: tuple[Entry, ...]

    def worst(self, rival: str) -> Entry:
        """Give the model with the least speedup over a rival, a field of `Comparison`."""
        return min(self.entries, key=lambda entry: getattr(entry.comparison, rival))


def study_assumptions(
    preset: Preset, models: list[Model], policy: PrecisionShares | str, *,
    on_progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> list[Outcome]:
    """Run models on a machine as it is assumed, and with one assumption changed at a time.

    Parameters
    ----------
    preset : Preset
    models : list of Model
    policy : PrecisionShares or str
    on_progress : callable
        As `make_study` has it.

    Returns
    -------
    list of Outcome
        As assumed first, then in the order of `ASSUMPTIONS`.

    Raises
    ------
    ValueError
        If the machine cannot run a model.
    """
    cases = [("", AS_ASSUMED), *((assumption.title, instead) for assumption in ASSUMPTIONS
                                 for instead in assumption.instead)]
    outcomes = []
    for done, (assumption, instead) in enumerate(cases):
        on_progress(done, len(cases), instead.title or "as assumed")
        study = make_study(instead.machine(preset), models, [instead.policy or policy])
        outcomes.append(Outcome(assumption, instead.title, study.entries))
    on_progress(len(cases), len(cases), "done")
    return outcomes


def assumption_table(preset: Preset, outcomes: list[Outcome]) -> Table:
    """Tabulate the worst speedups; each row changes one thing alone."""
    table = Table((
        Column("Assumed", text=True), Column("Instead", text=True), Column("perfect\nFP16"),
        Column("INT8\nall"), Column("Of", text=True)),
        title=f"What the speedup of {preset.name} rests on",
        note="Speedup over an RTX 3090's perfect rooflines, of the model that has least; one "
             "assumption changed at a time.")
    above = None
    for outcome in outcomes:
        worst = outcome.worst("perfect")
        table.add("" if outcome.assumption == above else outcome.assumption,
                  outcome.instead or "as assumed",
                  f"{worst.comparison.perfect:.2f}",
                  f"{outcome.worst('int8').comparison.int8:.2f}", worst.run.model.name,
                  starts_group=outcome.assumption != above)
        above = outcome.assumption
    return table


def assumptions_record(preset: Preset, outcomes: list[Outcome]) -> dict:
    """Give every number, for JSON."""
    return {"preset": preset.name, "outcomes": [{
        "assumption": outcome.assumption, "instead": outcome.instead,
        "models": {entry.run.model.name: {
            "seconds": entry.run.step_seconds, "perfect": entry.comparison.perfect,
            "int8": entry.comparison.int8} for entry in outcome.entries},
    } for outcome in outcomes]}
