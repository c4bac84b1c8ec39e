"""The emitted Verilog behind the C driver: registers and memory of the compiled machine."""

from simulation.memory_machine import SimulatedMemoryMachine


class SimulatedRing:
    """Answer as `RingDevice` does; what the host's cache holds back, the machine does not see.

    Parameters
    ----------
    machine : SimulatedMemoryMachine

    Attributes
    ----------
    data : ndarray of uint8
        What the machine's memory holds.
    """

    def __init__(self, machine: SimulatedMemoryMachine) -> None:
        self._machine = machine
        self.read, self.write = machine.read_register, machine.write_register
        self.data = machine.memory

    def clean(self, offset: int, data: bytes) -> None:
        """Take what the host wrote."""
        self._machine.write_memory(self._machine.base + offset, data)

    def invalidate(self, offset: int, size: int) -> bytes:
        """Give what the machine wrote."""
        return self._machine.read_memory(self._machine.base + offset, size)

    def barrier(self) -> None:
        """Let nothing pass: one thread drives registers and memory."""
