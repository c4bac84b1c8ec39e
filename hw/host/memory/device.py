"""What a machine behind a bus looks like to software: registers, memory, time."""

import time
from typing import Protocol


class Device(Protocol):
    """A machine with a command ring, and the memory that it works on.

    A class that names this one as its base inherits a wait that sleeps, and hooks for caches that
    do nothing. All calls block until they have done what they say. Addresses are the machine's.
    """

    def read_register(self, address: int) -> int:
        """Read a register of 32 bits.

        Raises
        ------
        BusError
            Of `hw.host.driver_errors`: the machine answers with an error.
        """
        ...

    def write_register(self, address: int, value: int) -> None:
        """Write a register of 32 bits; raises as `read_register` does."""
        ...

    def read_memory(self, address: int, size: int) -> bytes:
        """Read some bytes of memory."""
        ...

    def write_memory(self, address: int, data: bytes) -> None:
        """Write some bytes of memory."""
        ...

    def wait(self, seconds: float) -> None:
        """Return as soon as the machine interrupts, and after so many seconds at the latest.

        A device that sees no interrupts sleeps; a simulated one lets some cycles pass.
        """
        time.sleep(seconds)

    def flush(self, address: int, size: int) -> None:
        """Bring bytes that were written out of the host's caches; called after each write."""

    def invalidate(self, address: int, size: int) -> None:
        """Forget what the host's caches hold of some bytes; called before each read."""

    def barrier(self) -> None:
        """Let all that was written be in memory before the next register is; before a doorbell."""
