"""What whole-model figures assume and no RTL has yet, each beside less friendly values.

Everything here is a change of the machine or of the shares in MX9: the model runs again with it,
and nothing is scaled by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from perf.studies.system.precision_shares import PrecisionShares
from perf.studies.system.preset import Preset


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
    network : float or None
        The network's bytes per second, in those of DRAM.
    policy : PrecisionShares or None
        In place of the study's.
    """

    title: str
    factors: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    network: float | None = None
    policy: PrecisionShares | None = None

    def machine(self, preset: Preset) -> Preset:
        """Change a machine."""
        scaled = {name: type(getattr(preset, name))(factor * getattr(preset, name))
                  for name, factor in self.factors.items()}
        if self.network is not None:
            scaled["network_bytes_per_s"] = self.network * preset.dram_bytes_per_s
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


HELD = PrecisionShares("sixth", "one sixth of everything MX9", 1 / 6, 1 / 6, 1 / 6, 1 / 6)
"""About the shares of the policy that keeps the small DiT's picture (`docs/quality.md`, *best*)."""

ASSUMPTIONS = (
    Assumption("P stays on chip between Q·Kᵀ and P·V", (
        Instead("it passes through DRAM", values={"score_bytes": 0}),)),
    Assumption("Norms overlap with the products of other rows; four full lanes per core", (
        Instead("two lanes", {"vector_lanes": 1 / 2}),
        Instead("one", {"vector_lanes": 1 / 4}))),
    Assumption("A network that is never the bottleneck", (
        Instead("as fast as DRAM, each byte to all cores that need it", network=1),
        Instead("four times as fast as DRAM, each byte to one core",
                network=4, values={"multicast": False}))),
    Assumption("A host that starts jobs in time", (
        Instead("0.01 µs for each job", values={"job_s": 1e-8}),
        Instead("0.1 µs", values={"job_s": 1e-7}),
        Instead("1 µs", values={"job_s": 1e-6}))),
    Assumption("Results return as operands at once (`turnaround_s`)", (
        Instead("5 times as late", {"turnaround_s": 5}),
        Instead("20 times", {"turnaround_s": 20}))),
    Assumption("DRAM gives all of its bandwidth", (
        Instead("80 %", {"dram_bytes_per_s": 0.8}),
        Instead("50 %", {"dram_bytes_per_s": 0.5}))),
    Assumption("The clock of the preset", (
        Instead("80 % of it", {"clock_hz": 0.8}),
        Instead("60 %: the whole machine's longest path over the cell's", {"clock_hz": 0.6}))),
    Assumption("Weights, K and V are MX6", (
        Instead("one sixth of both operands is MX9, in linear layers and attention",
                policy=HELD),)),
)
