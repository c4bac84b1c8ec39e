"""Where the seconds go: a layer's time as parts that add up to it."""

from enum import StrEnum

from perf.studies.system import LayerRun, ModelRun


class Part(StrEnum):
    """What the machine does, or waits for, in some part of a layer's time."""

    LINEAR = "linear layers"
    ATTENTION = "attention"
    CONVERSION = "conversions of K and V"
    VECTOR = "vector unit, not hidden"
    MEMORY = "waiting for memory"
    EXPOSED = "fill, drain and dependencies"


def parts_of(layer: LayerRun) -> dict[Part, float]:
    """Divide one layer's seconds: the arrays' work first, then what of the others outlasts it.

    Parameters
    ----------
    layer : LayerRun

    Returns
    -------
    dict of Part to float
        Seconds of one such layer, adding up to `layer.seconds`. Memory counts as far as it takes
        longer than the arrays and is not hidden beside other layers, the vector unit as far as it
        takes longer than both; `EXPOSED` is what is left.

    Raises
    ------
    ValueError
        If the layer takes less time than its arrays.
    """
    if layer.compute > layer.seconds:
        raise ValueError(f"{layer.name} takes {layer.seconds} s, its arrays {layer.compute} s")
    array = Part.ATTENTION if layer.kind == "attention" else Part.LINEAR
    conversion = layer.compute * layer.conversions / layer.cycles
    busy = max(layer.compute, min(layer.memory, layer.seconds))
    longest = max(busy, min(layer.vector, layer.seconds))
    return {
        array: layer.compute - conversion,
        Part.CONVERSION: conversion,
        Part.MEMORY: busy - layer.compute,
        Part.VECTOR: longest - busy,
        Part.EXPOSED: layer.seconds - longest,
    }


def parts_of_model(run: ModelRun) -> dict[Part, float]:
    """Add the parts of all layers up: seconds of one evaluation, every `Part` named."""
    total = dict.fromkeys(Part, 0.0)
    for layer in run.layers:
        for part, seconds in parts_of(layer).items():
            total[part] += layer.count * seconds
    return total
