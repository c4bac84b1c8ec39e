"""What whole-model figures assume and no RTL has yet, each beside less friendly values.

Everything here is a change of the machine or of the shares in MX9: the model runs again with it,
and nothing is scaled by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from perf.system.policy import Policy
from perf.system.preset import Preset


@dataclass(frozen=True)
class Instead:
    """A less friendly value.

    Attributes
    ----------
    title : str
    factors : mapping of str to float
        Numbers of the preset that are multiplied.
    values : mapping of str to object
        Parameters of the preset that are replaced.
    policy : Policy or None
        In place of the study's.
    """

    title: str
    factors: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    policy: Policy | None = None

    def machine(self, preset: Preset) -> Preset:
        """Change a machine."""
        scaled = {name: type(getattr(preset, name))(factor * getattr(preset, name))
                  for name, factor in self.factors.items()}
        return replace(preset, **scaled, **self.values)


@dataclass(frozen=True)
class Assumption:
    """Something taken for granted.

    Attributes
    ----------
    title : str
    instead : tuple of Instead
    """

    title: str
    instead: tuple[Instead, ...]


HELD = Policy("sixth", "one sixth of everything MX9", 1 / 6, 1 / 6, 1 / 6, 1 / 6)
"""About the shares of the policy that keeps the small DiT's picture (`docs/quality.md`, *best*)."""

ASSUMPTIONS = (
    Assumption("Scores stay on chip between Q·Kᵀ, softmax and P·V", (
        Instead("they pass through DRAM", values={"score_bytes": 0}),)),
    Assumption("A vector unit, an exponential in one slot of a lane", (
        Instead("half its lanes", {"vector_lanes": 1 / 2}),
        Instead("a quarter", {"vector_lanes": 1 / 4}),
        Instead("a sixteenth", {"vector_lanes": 1 / 16}))),
    Assumption("A network that is never the bottleneck", (
        Instead("memories send 1 TB/s, each byte to all who need it",
                values={"network_bytes_per_s": 1e12}),
        Instead("4 TB/s, to one core at a time",
                values={"network_bytes_per_s": 4e12, "multicast": False}))),
    Assumption("A host that starts jobs in time", (
        Instead("0.01 µs for each job", values={"job_s": 1e-8}),
        Instead("0.1 µs", values={"job_s": 1e-7}),
        Instead("1 µs", values={"job_s": 1e-6}))),
    Assumption("Results return as operands within 1 µs", (
        Instead("5 µs", values={"turnaround_s": 5e-6}),
        Instead("20 µs", values={"turnaround_s": 20e-6}))),
    Assumption("DRAM gives all of its bandwidth", (
        Instead("80 %", {"dram_bytes_per_s": 0.8}),
        Instead("50 %", {"dram_bytes_per_s": 0.5}))),
    Assumption("0.9 GHz", (
        Instead("0.7 GHz", values={"clock_hz": 0.7e9}),
        Instead("0.54 GHz", values={"clock_hz": 0.54e9}))),
    Assumption("Weights, K and V are MX6", (
        Instead("one sixth of both operands is MX9, in linear layers and attention",
                policy=HELD),)),
)
"""Figures are of the preset ``server``, whose values the titles name."""
