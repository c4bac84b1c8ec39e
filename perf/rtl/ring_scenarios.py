"""Lists of commands that are measured on the machine with a ring, and what they ask for."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hw.contract.config import Config
from hw.host.memory import Choice, Commands, Matrix, RingHost, above

NEAR, FAR = "near", "far"

MACHINES = {
    NEAR: Config.sized(bus_bytes=32),
    FAR: Config.sized(bus_bytes=32, read_depth=512, outstanding=256),
}
"""One port of 256 bits. The machine as it comes, and one for a latency of 400 cycles."""

LINEAR, LINEAR_FAR, BUSIEST = 0.97, 0.95, 0.97
LOST_CYCLES = 32
"""Per small job, over its busiest channel."""

NONE_OF_ALL = above(1e30)
"""Blocks have to be looked at, and none is chosen: beats as of MX6."""

SLACK_CYCLES = 64
"""Of a job that waits for another, beside the latency and the loading of its first tile."""


@dataclass(frozen=True)
class Shape:
    """Equal GEMMs of MX6 blocks, on one machine.

    Attributes
    ----------
    m, k, n : int
    """

    m: int
    k: int
    n: int

    def beats(self, config: Config) -> int:
        """Count the cycles that one takes in the array."""
        return self._tiles(config) * -(-self.k // 16)

    def drains(self, config: Config) -> int:
        """Count the cycles in which the results of one leave the array."""
        return self._tiles(config) * config.drain_cycles

    def _tiles(self, config: Config) -> int:
        return -(-self.m // config.rows) * -(-self.n // config.cols)


@dataclass(frozen=True)
class Scenario:
    """A list of equal parts, which are commands, or iterations of one.

    Attributes
    ----------
    section, name : str
    machine : str
    latency : int
        Of reads and writes, in cycles.
    shape : Shape
        Of a part.
    parts : int
        At least 3: what is measured stands between two others.
    fill : callable
        ``fill(host, commands, scenario, rng)`` places operands and appends commands.
    rule : str
        Which target it has: "array", "busiest", "lost" or "dependent"; or none: "told".
    least : float
        Of the shares.
    converts : bool
        Whether A comes in floating point, and not packed.
    """

    section: str
    name: str
    machine: str
    latency: int
    shape: Shape
    parts: int
    fill: Callable[[RingHost, Commands, "Scenario", np.random.Generator], None]
    rule: str
    least: float = field(default=BUSIEST)
    converts: bool = True


def numbers(rng: np.random.Generator, *shape: int, name: str = "fp16") -> np.ndarray:
    """Draw numbers."""
    return rng.standard_normal(shape).astype(np.float16 if name == "fp16" else np.float32)


def layers(name: str) -> Callable[..., None]:
    """Return what appends linear layers that share A and B: A in "fp16", "fp32" or "packed"."""

    def fill(host: RingHost, commands: Commands, scenario: Scenario,
             rng: np.random.Generator) -> None:
        memory, shape = host.memory, scenario.shape
        x = numbers(rng, shape.m, shape.k, name="fp16" if name == "fp16" else "fp32")
        a = memory.place_activations(x) if name == "packed" else memory.place(x)
        b = memory.place_weights(numbers(rng, shape.k, shape.n, name="fp32"))
        for _ in range(scenario.parts):
            commands.gemm(a, b, memory.empty((shape.m, shape.n)))
    return fill


def scores(host: RingHost, commands: Commands, scenario: Scenario,
           rng: np.random.Generator) -> None:
    """Append Q·K^T of all heads, to FP16: one descriptor."""
    memory, shape, heads = host.memory, scenario.shape, scenario.parts
    q = memory.place(numbers(rng, shape.m, heads * shape.k)).split_columns(heads)
    keys = memory.place_weights(numbers(rng, heads, shape.k, shape.n, name="fp32"))
    commands.gemm(q, keys, memory.empty((heads, shape.m, shape.n), "fp16"))


def values(host: RingHost, commands: Commands, scenario: Scenario,
           rng: np.random.Generator) -> None:
    """Append P·V of all heads, from FP16 to FP16: one descriptor."""
    memory, shape, heads = host.memory, scenario.shape, scenario.parts
    p = memory.place(numbers(rng, heads, shape.m, shape.k))
    v = memory.place_weights(numbers(rng, heads, shape.k, shape.n, name="fp32"))
    out: Matrix = memory.empty((shape.m, heads * shape.n), "fp16")
    commands.gemm(p, v, out.split_columns(heads))


def independent(host: RingHost, commands: Commands, scenario: Scenario,
                rng: np.random.Generator) -> None:
    """Append jobs with operands of their own."""
    memory, shape = host.memory, scenario.shape
    for _ in range(scenario.parts):
        commands.gemm(memory.place(numbers(rng, shape.m, shape.k)),
                      memory.place_weights(numbers(rng, shape.k, shape.n, name="fp32")),
                      memory.empty((shape.m, shape.n)))


def chained(name: str, selection: Choice | None = None) -> Callable[..., None]:
    """Return what appends jobs of which each reads what the one before wrote: "fp16" or "mx6"."""

    def fill(host: RingHost, commands: Commands, scenario: Scenario,
             rng: np.random.Generator) -> None:
        memory, shape = host.memory, scenario.shape
        x = numbers(rng, shape.m, shape.k, name="fp16" if name == "fp16" else "fp32")
        a = memory.place(x) if name == "fp16" else memory.place_activations(x)
        for _ in range(scenario.parts):
            c = memory.empty((shape.m, shape.n), name)
            b = memory.place_weights(numbers(rng, shape.k, shape.n, name="fp32"))
            commands.gemm(a, b, c, selection=selection)
            a = c
    return fill


@dataclass(frozen=True)
class RingSizes:
    """How large the lists are; by default as in DiT-XL/2 at 256 x 256 pixels, 64 tokens a layer.

    Attributes
    ----------
    layer, deep_layer, narrow_layer : Shape
        The last reads more than it computes.
    scores, values : Shape
        Of one head.
    small, chained : Shape
    heads, jobs : int
    """

    layer: Shape = Shape(64, 1152, 1152)
    deep_layer: Shape = Shape(64, 4608, 1152)
    narrow_layer: Shape = Shape(64, 1152, 64)
    scores: Shape = Shape(256, 72, 256)
    values: Shape = Shape(256, 256, 72)
    small: Shape = Shape(16, 128, 128)
    chained: Shape = Shape(64, 128, 128)
    heads: int = 16
    jobs: int = 48


def make_scenarios(sizes: RingSizes = RingSizes()) -> list[Scenario]:
    """List all that is measured."""
    def linear(machine: str, latency: int, least: float) -> list[Scenario]:
        return [Scenario(f"Linear layers, FP16, latency {latency}", f"linear K={shape.k}", machine,
                         latency, shape, 3, layers("fp16"), "array", least)
                for shape in (sizes.layer, sizes.deep_layer)]

    attention = [Scenario(f"Attention, {sizes.heads} heads", name, NEAR, 100, shape, sizes.heads,
                          fill, "busiest")
                 for name, shape, fill in (("QK^T to FP16", sizes.scores, scores),
                                           ("PV from FP16", sizes.values, values))]
    small = [Scenario("Small jobs", "independent", NEAR, 100, sizes.small, sizes.jobs, independent,
                      "lost"),
             Scenario("Small jobs", "each waits, FP16", NEAR, 100, sizes.chained, 4,
                      chained("fp16"), "dependent"),
             Scenario("Small jobs", "each waits, FP16, chosen", NEAR, 100, sizes.chained, 4,
                      chained("fp16", NONE_OF_ALL), "told"),
             Scenario("Small jobs", "each waits, packed", NEAR, 100, sizes.chained, 4,
                      chained("mx6"), "dependent", converts=False)]
    kinds = [Scenario("Activations", name, NEAR, 100, shape, parts, layers(kind), "busiest")
             for name, kind, shape, parts in (
                 ("packed A", "packed", sizes.layer, 3), ("FP32 A", "fp32", sizes.layer, 3),
                 ("packed A, few columns", "packed", sizes.narrow_layer, 6),
                 ("FP32 A, few columns", "fp32", sizes.narrow_layer, 6))]
    return [*linear(NEAR, 100, LINEAR), *linear(FAR, 400, LINEAR_FAR), *kinds, *attention, *small]
