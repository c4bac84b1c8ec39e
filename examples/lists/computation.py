"""What can be run as lists of commands: a contract between computations and who runs them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from examples.attention_steps import PrecisionChoice
from hw.host.memory import Commands, Memory


class InMemory(Protocol):
    """A computation's tensors in a machine's memory, and its lists.

    Attributes
    ----------
    steps : sequence of sequences of str
        What the commands of each list make, in their order.
    """

    steps: Sequence[Sequence[str]]

    def lists(self, begin: Callable[[], Commands]) -> Iterator[Commands]:
        """Give the lists that ``begin()`` began, each to be run before the next is asked for."""

    def read(self) -> Mapping[str, NDArray[np.floating]]:
        """Return what each step made, and what the host made of the last results."""


@dataclass(frozen=True)
class Computation:
    """What is run as lists of commands.

    Attributes
    ----------
    reference : mapping of str to ndarray
        What `InMemory.read` should give, without any quantization.
    place : callable
        ``place(choice, memory)`` puts it into memory: an `InMemory`.
    size : int
        Bytes of that memory.
    """

    reference: Mapping[str, NDArray[np.float64]]
    place: Callable[[PrecisionChoice, Memory], InMemory]
    size: int
