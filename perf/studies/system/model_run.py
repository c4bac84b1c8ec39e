"""A whole model on a machine, block by block.

A layer takes as long as the slowest of its cores, its memory traffic, its vector operations, the
network between cores and shared memories, and the host that starts its jobs:
operands stream in and results stream out while the array works, and the vector unit sits on those
streams (norms on rows that come in, activations and residuals on results that leave; scores become
powers of two as they drain). What does not overlap is added: waiting for results, see `pipeline`.
Layers of the condition wait for no token, so in a repeated block their weights come
while memory is idle beside other layers; their beats are added.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from perf.studies.system.attention import divide_attention
from perf.studies.system.energy import layer_energy
from perf.studies.system.layers import Layer, LayerKind, layers_of
from perf.studies.system.pipeline import Step, idle_seconds
from perf.studies.system.precision_shares import PrecisionShares, find_policy
from perf.studies.system.preset import Preset
from perf.studies.system.runs import Bound, LayerRun, ModelRun
from perf.studies.system.work import FP16_BYTES, LayerWork, divide_linear, network_seconds
from perf.workloads import Model


@dataclass(frozen=True)
class _Timed:
    """A layer with what each part of the machine takes for it, in seconds."""

    layer: Layer
    work: LayerWork
    compute: float
    memory: float
    vector: float
    network: float
    host: float

    @property
    def beside_memory(self) -> float:
        """Seconds that it takes at least, if its bytes are there in time."""
        return max(self.compute, self.vector, self.network, self.host)

    @property
    def slowest(self) -> float:
        return max(self.beside_memory, self.memory)


def run_model(preset: Preset, model: Model, policy: PrecisionShares | str = "mixdit") -> ModelRun:
    """Run one evaluation of a model, all samples of its batch.

    Parameters
    ----------
    preset : Preset
    model : Model
    policy : PrecisionShares or str
        By name: one of `perf.studies.system.POLICIES`.

    Raises
    ------
    ValueError
        If there is no such policy, or the model does not fit the machine.
    """
    chosen = find_policy(policy)
    layers = layers_of(model)
    stays = 2 * max(map(live_bytes, layers)) <= preset.shared_bytes
    timed = [_time(preset, layer, chosen, stays) for layer in layers]
    blocks = [list(block) for _, block in groupby(timed, lambda each: each.layer.block)]
    return ModelRun(preset, model, chosen, tuple(
        run for block in blocks for run in _run_block(preset, block)))


def live_bytes(layer: Layer) -> int:
    """Count the bytes of what a layer takes and gives, all samples, with the residual stream."""
    first, last = layer.gemms[0], layer.gemms[-1]
    if layer.kind is LayerKind.ATTENTION:  # Q, K, V, the output; the residual is as large as Q
        elements = 2 * first.a_elements + first.b_elements + last.b_elements + last.c_elements
    else:
        elements = (first.a_elements + sum(gemm.c_elements for gemm in layer.gemms)
                    + layer.residual_elements)
    return FP16_BYTES * elements


def _time(preset: Preset, layer: Layer, policy: PrecisionShares, stays: bool) -> _Timed:
    divide = divide_attention if layer.kind is LayerKind.ATTENTION else divide_linear
    work = divide(preset, layer, policy, stays)
    return _Timed(layer, work, compute=work.cycles / preset.clock_hz,
                  memory=work.traffic.total / preset.dram_bytes_per_s,
                  vector=layer.lane_numbers / (
                      preset.cores * preset.vector_lanes * preset.clock_hz),
                  network=network_seconds(preset, work), host=work.jobs * preset.job_s)


def _run_block(preset: Preset, block: Sequence[_Timed]) -> list[LayerRun]:
    repeats = block[0].layer.count > 1
    aside = [each for each in block if repeats and each.layer.kind is LayerKind.CONDITION]
    tokens = [each for each in block if each not in aside]
    waits = _waits(preset, tokens, repeats)
    seconds = {each.layer.name: each.slowest + wait
               for each, wait in zip(tokens, waits, strict=True)}
    idle_memory = sum(seconds[each.layer.name] - each.memory for each in tokens)
    asked = sum(max(0.0, each.memory - each.beside_memory) for each in aside)
    late = max(0.0, asked - idle_memory) / asked if asked else 0.0
    for each in aside:
        late_for = late * max(0.0, each.memory - each.beside_memory)
        seconds[each.layer.name] = each.beside_memory + late_for
    return [_conclude(preset, each, seconds[each.layer.name]) for each in block]


def _waits(preset: Preset, tokens: Sequence[_Timed], repeats: bool) -> list[float]:
    """Find how long the cores wait before each layer."""
    if not tokens:
        return []
    samples = max(each.layer.samples for each in tokens)
    steps = []
    for index, each in enumerate(tokens):
        after = tokens[(index + 1) % len(tokens)]
        rows_follow = LayerKind.ATTENTION not in (each.layer.kind, after.layer.kind)
        steps.append(Step(each.slowest / samples,
                          preset.turnaround_s + each.work.first_load / preset.clock_hz,
                          1 / each.work.groups if rows_follow else 1.0))
    return idle_seconds(steps, samples, repeats)


def _conclude(preset: Preset, timed: _Timed, seconds: float) -> LayerRun:
    layer, work = timed.layer, timed.work
    cells = preset.rows * preset.cols * preset.cores
    bound = max((timed.compute, Bound.COMPUTE), (timed.vector, Bound.VECTOR),
                (timed.memory, Bound.MEMORY), (timed.network, Bound.NETWORK),
                (timed.host, Bound.HOST))[1]
    least_compute = work.beats / (cells * preset.clock_hz)
    return LayerRun(
        name=layer.name, kind=layer.kind.value, count=layer.count, macs=layer.macs,
        beats=work.beats, cycles=work.cycles, conversions=work.conversions,
        compute=timed.compute, memory=timed.memory, vector=timed.vector,
        network=timed.network, host=timed.host,
        exposed=max(0.0, seconds - timed.slowest), seconds=seconds,
        traffic=work.traffic, bound=bound, utilisation=least_compute / seconds,
        least_compute=least_compute, least_memory=work.least_bytes / preset.dram_bytes_per_s,
        division=work.division, energy=layer_energy(preset, layer, work))
