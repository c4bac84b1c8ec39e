"""The registers of a device by their names."""

from hw.host.carrier_driver import complete
from hw.host.driver import Driver
from hw.registers.map import ADDRESSES, REGISTER

from .device import Device


class NamedRegisters:
    """Read and write registers of a device by name.

    Parameters
    ----------
    device : Device
    """

    def __init__(self, device: Device) -> None:
        self._device = device

    def read(self, name: str) -> int:
        """Read a register."""
        return self._device.read_register(ADDRESSES[name])

    def write(self, name: str, value: int) -> None:
        """Write a register."""
        self._device.write_register(ADDRESSES[name], value)

    def fields(self, name: str) -> dict[str, int]:
        """Read a register's fields, by their names in lower case."""
        return REGISTER[name].unpack(self.read(name))

    def read_long(self, name: str) -> int:
        """Read 64 bits, from a register for each half."""
        return self.read(f"{name}_LOW") | self.read(f"{name}_HIGH") << 32

    def write_long(self, name: str, value: int) -> None:
        """Write 64 bits, to a register for each half."""
        self.write(f"{name}_LOW", value & 0xFFFFFFFF)
        self.write(f"{name}_HIGH", value >> 32)

    def identify(self) -> dict[str, int]:
        """Check that a machine answers, and return its build parameters.

        Raises
        ------
        NoMachineError
            If none does, or one with another register map.
        """
        return complete(self._driver().identify())

    def channel_maxima(self, k: int) -> list[int]:
        """Read the largest magnitude of each channel: FP32 patterns."""
        return complete(self._driver().channel_maxima(k))

    def _driver(self) -> Driver:
        """Return the driver of registers, on coroutines that never suspend."""

        async def read(address: int) -> int:
            return self._device.read_register(address)

        async def write(address: int, value: int) -> None:
            self._device.write_register(address, value)

        return Driver(read, write)
