"""The asynchronous drivers of `hw` on a carrier, whose calls block."""

from collections.abc import Coroutine
from typing import Any

from simulation.carrier import (
    ACTIVATIONS,
    LIMIT,
    WEIGHTS,
    Carrier,
    CarrierTimeoutError,
    Clock,
    RegisterError,
    Registers,
)
from simulation.generator import ENDED, FAULTS, BusError, Driver, StreamFault, WaitTimeoutError

_STREAMS = {"s_axis_act": ACTIVATIONS, "s_axis_wgt": WEIGHTS}


class _ClockedRegisters(Registers, Clock):
    """What `CarrierDriver` needs."""


def complete(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never suspends, as those on a carrier; return what it returns."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("the coroutine waits for something that no carrier does")


class CarrierDriver(Driver):
    """The registers' driver over a carrier; waits for the interrupt instead of polling.

    Parameters
    ----------
    carrier : Registers and Clock
    limit : int
        Cycles after which a wait is given up; the driver's seconds are cycles here.
    """

    def __init__(self, carrier: _ClockedRegisters, limit: int = LIMIT):
        self.carrier = carrier
        super().__init__(self._read_word, self._write_word, pause=self._wait,
                         clock=lambda: carrier.cycles, limit=limit)

    async def enable(self) -> None:
        """Ask for an interrupt at each job's end and at a stream fault."""
        await self.write("IRQ_ENABLE", 1 << ENDED | StreamFault(~0).value << FAULTS)

    async def _read_word(self, address: int) -> int:
        try:
            return self.carrier.read(address)
        except RegisterError as error:
            raise BusError(str(error)) from error

    async def _write_word(self, address: int, value: int) -> None:
        try:
            self.carrier.write(address, value)
        except RegisterError as error:
            raise BusError(str(error)) from error

    async def _wait(self) -> None:
        """Wait for an interrupt and clear it; the count is read after that, so none is lost."""
        try:
            self.carrier.wait_for_interrupt(int(self.limit))
        except CarrierTimeoutError as error:
            raise WaitTimeoutError(str(error)) from error
        await self.check()
        await self.write("IRQ_PENDING", 1 << ENDED)


class SessionBackend:
    """What `hw.host.session.Session` runs on, over a carrier.

    Parameters
    ----------
    carrier : Carrier
    limit : int
        Cycles after which a packet of results is no longer waited for.
    """

    def __init__(self, carrier: Carrier, limit: int = LIMIT):
        self._carrier, self._limit = carrier, limit
        driver = CarrierDriver(carrier, limit)
        self.read, self.write = driver._read_word, driver._write_word

    async def send(self, stream: str, packet: bytes) -> None:
        """Queue a packet for ``s_axis_act`` or ``s_axis_wgt``."""
        self._carrier.send(_STREAMS[stream], [packet])

    async def receive(self) -> bytes:
        """Wait for the next packet of ``m_axis_out``."""
        try:
            return self._carrier.take(1, self._limit)[0]
        except CarrierTimeoutError as error:
            raise WaitTimeoutError(str(error)) from error

    async def drain(self) -> None:
        """Wait until all queued packets have been sent, and forget what has been received."""
        try:
            self._carrier.drain(self._limit)
        except CarrierTimeoutError as error:
            raise WaitTimeoutError(str(error)) from error
