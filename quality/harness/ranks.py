"""One process of several that `torchrun` or `accelerate launch` started, or the only one."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Rank:
    """A process's place among those that share the work; all of them see the same folder.

    Parameters
    ----------
    index, world : int
        Number of this process, counted from 0, and how many there are.
    local : int
        Its number among those on the same computer, which is the number of its GPU.
    """

    index: int = 0
    world: int = 1
    local: int = 0

    @classmethod
    def here(cls) -> "Rank":
        """Read the place from the environment, where both launchers write it."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
        return cls(*(int(os.environ.get(name, default)) for name, default in zip(
            names, ("0", "1", "0"), strict=True)))  # fmt: skip

    @property
    def leads(self) -> bool:
        """Whether this process speaks to the user and writes what all have made."""
        return self.index == 0

    def share(self, work: Sequence[Item]) -> Sequence[Item]:
        """Return every `world`-th item, from `index` on."""
        return work[self.index :: self.world]

    @contextmanager
    def together(self) -> Iterator[None]:
        """Wait at the end until every process has come so far; an error ends all of them."""
        yield
        if self.world == 1:
            return
        from torch import distributed

        if not distributed.is_initialized():
            distributed.init_process_group("gloo")
        distributed.barrier()
