"""A simulated machine with a command ring that counts what its host does."""

from hw.registers.map import REGISTER
from simulation.memory_machine import SimulatedMemoryMachine

DOORBELL = REGISTER["RING_TAIL"].address


class WatchedMachine(SimulatedMemoryMachine):
    """Count what the host does.

    Attributes
    ----------
    touches : int
        Writes of registers and accesses to memory from the last doorbell on, that included.
    """

    touches = 0

    def write_register(self, address: int, value: int) -> None:
        """Write a register."""
        self.touches = 1 if address == DOORBELL else self.touches + 1
        super().write_register(address, value)

    def read_memory(self, address: int, size: int) -> bytes:
        """Read bytes."""
        self.touches += 1
        return super().read_memory(address, size)

    def write_memory(self, address: int, data: bytes) -> None:
        """Write bytes."""
        self.touches += 1
        super().write_memory(address, data)
