"""Samples that take turns on the cores, so that one's results are under way while the other runs.

The two samples of classifier-free guidance depend on each other nowhere inside the model. A layer
of a sample waits for the layer before it, for the way through vector unit and memory, and for its
first token tile; meanwhile the cores work on the other sample. Whoever is ready first is next.
"""

from collections.abc import Sequence
from dataclasses import dataclass

ROUNDS = 6
"""Blocks after which what a block waits has settled."""


@dataclass(frozen=True)
class Step:
    """One layer of one sample.

    Attributes
    ----------
    seconds : float
        That the cores, the memory or the vector unit take, whichever takes longest.
    lead : float
        Seconds from results of the step before to this step's first beat.
    usable : float
        Share of `seconds` after which a following step has what it needs to begin: less than 1
        where it works on the same rows in the same order.
    """

    seconds: float
    lead: float
    usable: float = 1.0


def idle_seconds(steps: Sequence[Step], samples: int, repeats: bool) -> list[float]:
    """Find how long the cores wait before each layer, all samples together.

    Parameters
    ----------
    steps : sequence of Step
        Of a block, in order.
    samples : int
    repeats : bool
        Whether blocks like it run before and after, without a gap; else it starts from nothing.
    """
    rounds = ROUNDS if repeats else 1
    ready = [0.0] * samples
    places = [0] * samples
    begun = [0.0] * len(steps)
    now = 0.0
    for _ in range(rounds * len(steps) * samples):
        waiting = [sample for sample in range(samples) if places[sample] < rounds * len(steps)]
        sample = min(waiting, key=lambda each: (max(ready[each] + _lead(steps, places[each]), now),
                                                places[each], each))
        place = places[sample]
        step = steps[place % len(steps)]
        start = max(now, ready[sample] + step.lead)
        if place // len(steps) == rounds - 1:
            begun[place % len(steps)] += start - now
        ready[sample] = start + step.usable * step.seconds
        now = start + step.seconds
        places[sample] += 1
    return begun


def _lead(steps: Sequence[Step], place: int) -> float:
    return steps[place % len(steps)].lead
