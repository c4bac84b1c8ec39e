"""The registers' driver on a carrier, whose calls block."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol

from hw.registers.codes import StreamFault
from hw.registers.map import ADDRESSES, COUNTERS, ENDED, FAULTS

from .carrier import LIMIT, Clock, Registers
from .driver import Driver
from .driver_errors import WaitTimeoutError
from .shared_state import state_of

COUNTER_NAMES = tuple(name.lower() for name, _ in COUNTERS)

LOOK = 20_000
"""Cycles between two looks at how far a wait is."""


class ClockedRegisters(Registers, Clock, Protocol):
    """What `CarrierDriver` needs: no streams."""


def complete(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never suspends, as those on a carrier; return what it returns."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("the coroutine waits for something that no carrier does")


class CarrierDriver(Driver):
    """Run jobs through a carrier's registers; wait for the interrupt instead of polling.

    Its coroutines never suspend: `complete` runs them.

    Parameters
    ----------
    carrier : Registers and Clock
    limit : int
        Cycles after which a wait is given up; the driver's seconds are cycles here.

    Attributes
    ----------
    commanded : int
        Cycle in which the write of the last command was answered.
    tables : Tables
        What `load_table` has loaded, of all drivers on this carrier.
    """

    def __init__(self, carrier: ClockedRegisters, limit: int = LIMIT):
        self.carrier, self.commanded = carrier, 0
        self.tables = state_of(carrier).tables
        super().__init__(self._read_word, self._write_word, clock=lambda: carrier.cycles,
                         limit=limit)

    async def enable(self) -> None:
        """Ask for an interrupt at each job's end and at a stream fault."""
        await self.write("IRQ_ENABLE", 1 << ENDED | StreamFault(~0).value << FAULTS)

    async def wait(self, ended: int, limit: int | None = None,
                   look: Callable[[], None] = lambda: None) -> None:
        """Wait until so many jobs have ended since reset.

        Parameters
        ----------
        ended : int
            As in `Driver.wait`.
        limit : int, optional
            Cycles; by default the driver's.
        look : callable
            Called at least every `LOOK` cycles.

        Raises
        ------
        WaitTimeoutError
            If they have not ended by then.
        StreamFaultError
            If packets did not fit their jobs.
        """
        limit = self.limit if limit is None else limit
        deadline = self.carrier.cycles + limit
        while missing := await self.missing(ended):
            self._wait_for_interrupt(deadline, limit, missing, look)
            await self.check()
            await self.write("IRQ_PENDING", 1 << ENDED)  # before the count is read: none is lost

    def _wait_for_interrupt(
        self, deadline: int, limit: int, missing: int, look: Callable[[], None]
    ) -> None:
        while True:
            left = deadline - self.carrier.cycles
            try:
                self.carrier.wait_for_interrupt(max(0, min(left, LOOK)))
            except WaitTimeoutError as error:
                if left <= LOOK:
                    raise WaitTimeoutError(f"{missing} of the awaited jobs had not ended after "
                                           f"{limit} cycles: {error}") from error
            else:
                return
            look()

    async def counters(self, names: Iterable[str] | None = None) -> dict[str, int]:
        """Return the counters of the job that ended last.

        Parameters
        ----------
        names : iterable of str, optional
            Which, in lower case, and only their lower words, to be early enough; whole and all of
            them by default.
        """
        if names is None:
            return await super().counters()
        return {name: await self.read(f"{name.upper()}_LOW") for name in names}

    async def load_table(self, table: int, order: Sequence[int] | None = None,
                         tags: Sequence[bool] | None = None) -> None:
        """Load a calibration table, and remember it; see `Driver.load_table`."""
        parts = {name: part for name, part in (("order", order), ("tags", tags))
                 if part is not None}
        self.tables.forget(table, tuple(parts))  # an error may leave them half loaded
        await super().load_table(table, **parts)
        self.tables.note(table, parts)

    async def _read_word(self, address: int) -> int:
        return self.carrier.read(address)

    async def _write_word(self, address: int, value: int) -> None:
        self.carrier.write(address, value)
        if address == ADDRESSES["CONTROL"]:
            self.commanded = self.carrier.cycles

    async def pause(self, deadline: int, so_far: str) -> None:
        """Let some cycles pass until the next look at the machine."""
        if self.carrier.cycles >= deadline:
            raise WaitTimeoutError(so_far)
        self.carrier.advance(1)
