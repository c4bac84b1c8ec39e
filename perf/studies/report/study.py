"""What a study found: every model under every policy on one machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from perf.studies.gpu import RTX_3090, calibrated_efficiency, same_gpu_efficiency
from perf.studies.system import (
    Comparison,
    ModelRun,
    PrecisionShares,
    Preset,
    Silicon,
    compare,
    find_policy,
    run_model,
    silicon,
)
from perf.workloads import Model


@dataclass(frozen=True)
class Entry:
    """A run and how it compares.

    Attributes
    ----------
    run : ModelRun
    comparison : Comparison
    """

    run: ModelRun
    comparison: Comparison


@dataclass(frozen=True)
class Study:
    """All runs on one machine.

    Attributes
    ----------
    preset : Preset
    silicon : Silicon
    entries : tuple of Entry
        Model by model, each with all policies.
    """

    preset: Preset
    silicon: Silicon
    entries: tuple[Entry, ...]

    def of_policy(self, policy: str) -> list[Entry]:
        """Give the entries of one policy, in the order of the models."""
        return [entry for entry in self.entries if entry.run.policy.name == policy]

    @property
    def policies(self) -> list[str]:
        """Names of the policies, in order."""
        return list(dict.fromkeys(entry.run.policy.name for entry in self.entries))


@dataclass(frozen=True)
class Rival:
    """Something a run is compared with.

    Attributes
    ----------
    field : str
        Of `perf.studies.system.Comparison`.
    short : str
        For a column.
    title : str
        For a legend.
    """

    field: str
    short: str
    title: str


def rivals() -> tuple[Rival, ...]:
    """List what runs are compared with, efficiencies from the calibration."""
    measured, same = calibrated_efficiency(), same_gpu_efficiency()
    name = RTX_3090.name
    return (
        Rival("perfect", "perfect\nFP16", f"{name}, FP16, perfect roofline"),
        Rival("calibrated", f"FP16 at\n{measured:.3f}",
              f"{name}, FP16 at {measured:.3f} of it (these models on A100, L40)"),
        Rival("same_gpu", f"FP16 at\n{same:.3f}",
              f"{name}, FP16 at {same:.3f} of it (SD 1.5 on {name})"),
        Rival("int8_linear", "INT8\nlinear", f"{name}, linear layers in INT8, perfect roofline"),
        Rival("int8", "INT8\nall", f"{name}, all in INT8, perfect roofline"),
        Rival("dacapo", "DaCapo\nscaled", "DaCapo with as many multipliers, perfect"),
    )


def make_study(
    preset: Preset, models: Sequence[Model], policies: Sequence[str | PrecisionShares], *,
    on_progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Study:
    """Run models under policies.

    Parameters
    ----------
    preset : Preset
    models : sequence of Model
    policies : sequence of str or PrecisionShares
    on_progress : callable
        Gets how many runs are done, how many there are, and what runs next.

    Raises
    ------
    ValueError
        If the machine cannot run a model.
    """
    estimate = silicon(preset)
    entries: list[Entry] = []
    total = len(models) * len(policies)
    for model in models:
        for policy in policies:
            on_progress(len(entries), total, f"{model.name}, {find_policy(policy).name}")
            run = run_model(preset, model, policy)
            entries.append(Entry(run, compare(run, estimate=estimate)))
    on_progress(total, total, "done")
    return Study(preset, estimate, tuple(entries))
