"""Attention on the cores: heads side by side, each over some cores, and its softmax on chip.

Each core of a head has some of its rows of Q, in groups of resident token tiles: the scores of a
group become P where they leave the array, wait packed in the core's own memory until their rows are
whole, and come back as activations of the output, while the array works on the group before and
after. K and
V are converted to packed weights first, by the cores of the head, and pass from the memory that
all cores share to all of them at once.
"""

import heapq
import math
from collections.abc import Iterator
from functools import lru_cache

from golden.formats import BLOCK_SIZE
from perf.studies.system.gemms import attention_cycles, conversion_cycles
from perf.studies.system.layers import Layer
from perf.studies.system.precision_shares import PrecisionShares
from perf.studies.system.preset import Preset
from perf.studies.system.runs import Traffic
from perf.studies.system.work import (
    FP16_BYTES,
    LayerWork,
    Network,
    beats_per_row,
    fastest,
    packed_bytes,
)


@lru_cache(maxsize=8192)
def divide_attention(
    preset: Preset, layer: Layer, policy: PrecisionShares, stays: bool
) -> LayerWork:
    """Divide heads, and each head's rows of Q, over cores, in the way that takes least time.

    Parameters
    ----------
    preset : Preset
    layer : Layer
    policy : PrecisionShares
    stays : bool
        Q, K, V and the output stay on chip; scores and packed K and V need memories of their own.

    Raises
    ------
    ValueError
        If there are more tokens than the cores' largest K.
    """
    if layer.columns > preset.k_max:
        raise ValueError(f"{preset.name}: {layer.name} has {layer.columns} tokens, which is more "
                         f"than k_max={preset.k_max}")
    return fastest(preset, (_work(preset, layer, policy, stays, heads, tiles)
                            for heads in _heads_at_once(preset, layer)
                            for tiles in _resident(preset, layer, heads)))


def _heads_at_once(preset: Preset, layer: Layer) -> Iterator[int]:
    """List into how many equal parts the cores may be divided."""
    most = min(preset.cores, layer.gemms[0].count)
    yield from (heads for heads in range(1, most + 1) if preset.cores % heads == 0)


def _resident(preset: Preset, layer: Layer, heads: int) -> list[int]:
    """List how many token tiles may be resident, of those that keep scores on chip if any do."""
    most = min(preset.config.act_depth // -(-max(layer.columns, layer.depth) // BLOCK_SIZE),
               preset.tile_slots // 2, _tiles_per_core(preset, layer, heads))
    if preset.tiles is not None:
        return [min(preset.tiles, most)]
    every = list(range(1, most + 1))
    return [tiles for tiles in every
            if _score_bytes(preset, layer, tiles) <= preset.score_bytes] or every[:1]


def _tiles_per_core(preset: Preset, layer: Layer, heads: int) -> int:
    return -(-layer.rows // (preset.rows * (preset.cores // heads)))


def _score_bytes(preset: Preset, layer: Layer, tiles: int) -> int:
    """Count the bytes of two groups of P of a core, all of it MX9."""
    return 2 * packed_bytes(tiles * preset.rows, layer.columns, 1.0)


def _work(
    preset: Preset, layer: Layer, policy: PrecisionShares, stays: bool, heads: int, tiles: int
) -> LayerWork:
    qk, pv = layer.gemms
    mx9 = [math.floor(share * qk.count + 1e-9) for share in policy.shares(qk.kind)]
    kinds = [(head < mx9[0], head < mx9[1]) for head in range(qk.count)]
    times = {kind: _head_cycles(preset, layer, heads, tiles, *kind) for kind in set(kinds)}
    queues = [0] * heads
    for kind in sorted(kinds, key=lambda each: -times[each][0]):
        heapq.heapreplace(queues, queues[0] + times[kind][0])

    packed = [packed_bytes(layer.columns, layer.depth, kind[1])
              + packed_bytes(layer.depth, layer.columns, kind[1]) for kind in kinds]
    fits = 4 * heads * max(packed) <= preset.shared_bytes
    groups = -(-_tiles_per_core(preset, layer, heads) // tiles)
    scores = _score_bytes(preset, layer, tiles) <= preset.score_bytes
    spilled = 0 if scores else sum(
        packed_bytes(qk.m, layer.columns, float(p_is_mx9)) for p_is_mx9, _ in kinds)
    rows_in, rows_out = FP16_BYTES * qk.a_elements, FP16_BYTES * pv.c_elements
    converted = FP16_BYTES * (qk.b_elements + pv.b_elements)
    moved = Traffic() if stays else Traffic(
        activations=rows_in, results=rows_out, conversions=converted)
    traffic = moved + Traffic(activations=spilled, results=spilled,
                              weights=0 if fits else groups * sum(packed),
                              conversions=0 if fits else sum(packed))
    # K and V arrive once, leave packed, and come back for each group of rows.
    members = preset.cores // heads
    own = rows_in + rows_out + converted + sum(packed) + 2 * spilled
    network = Network(once=own + groups * sum(packed),
                      copies=own + members * groups * sum(packed))
    beats = sum(gemm.m * gemm.n * beats_per_row(gemm.k, *kind)
                for kind in kinds for gemm in layer.gemms)
    return LayerWork(
        cycles=max(queues), conversions=-(-qk.count // heads) * max(
            conversion for _, conversion in times.values()),
        groups=1, first_load=preset.rows * -(-layer.depth // BLOCK_SIZE), traffic=traffic,
        network=network, jobs=2 * qk.count * members * (groups + 1),
        least_bytes=moved.total, beats=beats,
        loaded_blocks=qk.count * qk.m * sum(-(-k // BLOCK_SIZE) for k in (qk.k, pv.k)),
        division=f"{heads} heads x {preset.cores // heads} x tokens, T={tiles}"
                 f"{'' if fits else ', K and V from DRAM'}{'' if scores else ', P in DRAM'}")


def _head_cycles(
    preset: Preset, layer: Layer, heads: int, tiles: int, a_mx9: bool, b_mx9: bool
) -> tuple[int, int]:
    """Count the cycles of a head on one of its cores, and how many are the conversion's."""
    config, columns, depth = preset.config, layer.columns, layer.depth
    members = preset.cores // heads
    tokens = min(columns, -(-columns // (members * BLOCK_SIZE)) * BLOCK_SIZE)
    conversion = conversion_cycles(config, tokens, depth, b_mx9)
    groups, rest = divmod(_tiles_per_core(preset, layer, heads), tiles)

    def group(number: int) -> int:
        rows = min(number * preset.rows, layer.rows)
        return attention_cycles(config, rows, columns, depth, number, a_mx9, b_mx9)

    cycles = groups * group(tiles) + (group(rest) if rest else 0)
    return cycles + conversion, conversion
