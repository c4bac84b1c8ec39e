"""What the host's library does to a machine, noted as a list that hardware can replay."""

import numpy as np
from numpy.typing import NDArray

from hw.contract.config import Config
from hw.host.memory import Device
from hw.registers.built import build_values
from hw.registers.codes import RingEvent
from hw.registers.map import REGISTER, RING_REGISTERS, Access

END, WRITE, WAIT = range(3)
"""What an entry of the sequencer does."""

_BY_ADDRESS = {register.address: register for register in RING_REGISTERS}


class Recorder(Device):
    """Stand in for a machine that carries each list out while the host waits; nothing is computed.

    Parameters
    ----------
    config : Config
    base, size : int
        Address and bytes of the memory.

    Attributes
    ----------
    entries : list of (int, int, int)
        What to do, a register's address, and what is written.
    memory : ndarray of uint8
    """

    def __init__(self, config: Config, base: int, size: int) -> None:
        self._base, self.memory = base, np.zeros(size, np.uint8)
        self._values = {register.name: register.reset or 0 for register in RING_REGISTERS}
        self._values |= build_values(config)
        self.entries: list[tuple[int, int, int]] = []

    def read_register(self, address: int) -> int:
        """Read what was written, or what a machine that stands still shows."""
        name = _BY_ADDRESS[address].name
        if name == "RING_STATUS":
            return REGISTER[name].pack(idle=not self._values["RING_ENABLE"])
        return self._values[name]

    def write_register(self, address: int, value: int) -> None:
        """Note a write."""
        register = _BY_ADDRESS[address]
        self.entries.append((WRITE, address, value))
        if register.access is Access.EVENT:
            self._values[register.name] &= ~value
        else:
            self._values[register.name] = value

    def read_memory(self, address: int, size: int) -> bytes:
        """Read bytes."""
        return self.memory[address - self._base :][:size].tobytes()

    def write_memory(self, address: int, data: bytes) -> None:
        """Write bytes."""
        self.memory[address - self._base :][: len(data)] = np.frombuffer(data, np.uint8)

    def wait(self, seconds: float) -> None:
        """Note a wait for the interrupt, behind which all commands have ended."""
        self.entries.append((WAIT, 0, 0))
        self._values["RING_COMPLETED"] = self._values["RING_TAIL"]
        self._values["RING_IRQ_PENDING"] = RingEvent.MARKED.value


def words(memory: NDArray[np.uint8], size: int) -> list[str]:
    """Write memory as Verilog's ``$readmemh`` reads it: a word of some bytes to a line."""
    return [row[::-1].tobytes().hex() for row in memory.reshape(-1, size)]


def program(entries: list[tuple[int, int, int]]) -> list[str]:
    """Write entries likewise, and an end."""
    return [f"{what:x}{address:03x}{value:08x}" for what, address, value in [*entries, (END, 0, 0)]]
