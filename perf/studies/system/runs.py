"""What running a model says: of each layer, and of all."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from perf.studies.energy import ActionCounts
from perf.studies.system.bound import Bound
from perf.studies.system.precision_shares import PrecisionShares
from perf.studies.system.preset import Preset
from perf.workloads import Model


@dataclass(frozen=True)
class Traffic:
    """Bytes between DRAM and chip.

    Attributes
    ----------
    activations : float
        A, as FP16 rows.
    weights : float
        B, packed, with biases.
    results : float
        C, as FP16 rows.
    residuals : float
        What is added to results on their way out.
    conversions : float
        K and V on their way to packed weights, both ways.
    """

    activations: float = 0
    weights: float = 0
    results: float = 0
    residuals: float = 0
    conversions: float = 0

    @property
    def total(self) -> float:
        """All of them."""
        return sum(asdict(self).values())

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(**{name: value + getattr(other, name)
                          for name, value in asdict(self).items()})

    def __mul__(self, times: float) -> "Traffic":
        return Traffic(**{name: times * value for name, value in asdict(self).items()})


@dataclass(frozen=True)
class LayerRun:
    """A layer of a model on a machine; everything but `count` is of one such layer.

    Attributes
    ----------
    name : str
        Block and GEMM, or GEMMs that run as one.
    kind : str
        "linear", "attention" (scores and output of all heads), "condition" (a linear layer of the
        time step and the condition alone), or "vector".
    count : int
        How often it runs in one evaluation.
    macs : int
    beats : int
        That the precisions ask for, of all cells: one is 16 products.
    cycles : int
        Of the core that has most to do, conversions included.
    conversions : int
        How many of them make packed weights of K and V.
    compute, memory, vector, network, host : float
        Seconds that each would take alone.
    exposed : float
        Seconds after which nothing of the layer before, and nothing of this one, runs.
    seconds : float
        That it takes, with what is not overlapped.
    traffic : Traffic
    bound : Bound
    utilisation : float
        Beats over what all cells could do in `seconds`.
    least_compute : float
        Seconds with all cells busy all the time.
    least_memory : float
        Seconds of the bytes if all weights came once.
    division : str
        Over cores, for people.
    energy : ActionCounts
        For `perf.studies.energy.estimate`.
    """

    name: str
    kind: str
    count: int
    macs: int
    beats: int
    cycles: int
    conversions: int
    compute: float
    memory: float
    vector: float
    network: float
    host: float
    exposed: float
    seconds: float
    traffic: Traffic
    bound: Bound
    utilisation: float
    least_compute: float
    least_memory: float
    division: str
    energy: ActionCounts

    @property
    def roofline(self) -> float:
        """Seconds that the layer takes at least, if nothing else runs beside it."""
        return max(self.least_compute, self.least_memory)

    @property
    def total_seconds(self) -> float:
        """Of all `count`."""
        return self.count * self.seconds


@dataclass(frozen=True)
class ModelRun:
    """One evaluation of a model, a pair of samples with and without the condition.

    Attributes
    ----------
    preset : Preset
    model : Model
    policy : PrecisionShares
    layers : tuple of LayerRun
    """

    preset: Preset
    model: Model
    policy: PrecisionShares
    layers: tuple[LayerRun, ...]

    @property
    def step_seconds(self) -> float:
        """Of one evaluation."""
        return self._sum(layer.seconds for layer in self.layers)

    def image_seconds(self, steps: int | None = None) -> float:
        """Give the seconds of an image; by default, with the model's most usual steps."""
        return self.step_seconds * (self.model.steps if steps is None else steps)

    @property
    def images(self) -> dict[int, float]:
        """Seconds of an image for 20, 50 and 100 steps and the model's own."""
        return {steps: self.image_seconds(steps)
                for steps in sorted({20, 50, 100, self.model.steps})}

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one evaluation."""
        return sum(layer.count * layer.macs for layer in self.layers)

    @property
    def traffic(self) -> Traffic:
        """Bytes of one evaluation."""
        return sum((layer.traffic * layer.count for layer in self.layers), Traffic())

    @property
    def compute_seconds(self) -> float:
        """Seconds that the busiest core works, whatever else takes longer."""
        return self._sum(layer.compute for layer in self.layers)

    @property
    def vector_seconds(self) -> float:
        """Seconds that the vector unit is busy."""
        return self._sum(layer.vector for layer in self.layers)

    @property
    def vector_hidden_seconds(self) -> float:
        """How much of them passes while the array or the memory is busy."""
        return self._sum(min(layer.vector, max(layer.compute, layer.memory))
                         for layer in self.layers)

    @property
    def roofline_seconds(self) -> float:
        """What the machine needs at least: all beats, or all bytes, of the whole evaluation."""
        return max(self._sum(layer.least_compute for layer in self.layers),
                   self._sum(layer.least_memory for layer in self.layers))

    @property
    def layer_roofline_seconds(self) -> float:
        """Sum of the layers' own rooflines; more, since no layer's bytes pass beside another's."""
        return self._sum(layer.roofline for layer in self.layers)

    @property
    def roofline_ratio(self) -> float:
        """Seconds over those of the roofline, 1 at best."""
        return self.step_seconds / self.roofline_seconds

    @property
    def utilisation(self) -> float:
        """Beats over what all cells could do."""
        cells = self.preset.multipliers / 16
        return (sum(layer.count * layer.beats for layer in self.layers)
                / (cells * self.preset.clock_hz * self.step_seconds))

    @property
    def energy(self) -> ActionCounts:
        """Action counts of one evaluation."""
        return sum((layer.energy * layer.count for layer in self.layers), ActionCounts())

    def seconds_by_bound(self) -> dict[Bound, float]:
        """Add the layers' seconds up by what they wait for."""
        return {bound: self._sum(layer.seconds if layer.bound is bound else 0.0
                                 for layer in self.layers) for bound in Bound}

    def _sum(self, values: Iterable[float]) -> float:
        return sum(layer.count * value
                   for layer, value in zip(self.layers, values, strict=True))
