"""What carries registers, streams and time between software and a machine.

`Registers` and `Clock` are what every machine has, also one that fetches its data from memory by
itself; `Streams` is how one with streams takes them. Software that needs all three asks for a
`Carrier`, and does not know what is behind it: a simulator, or a bus and its DMA.

The contract of all of them:

**Thread.** All calls come from one thread at a time, and block until they have done what they say.
Time passes inside of calls alone where the clock is simulated, and always where it is real: a user
assumes neither. A `KeyboardInterrupt` may end any call that waits. Nothing is lost then: what was
queued stays queued, what has arrived can be taken, and the same wait may be begun again.

**Order.** Packets of a stream travel in the order in which they were sent. The streams advance
independently of each other, and of register accesses.

**Back-pressure.** `Streams.send` never waits for the machine: packets that it does not take yet are
kept, whatever their number, and results that nobody takes are kept too.

**Limits.** Each wait has one, in cycles. At its end `WaitTimeoutError` says what waits where.

**Refusals.** An access that is answered with an error raises `BusError` and changed nothing. All
errors are those of `hw.host.driver_errors`; of a machine that breaks a rule, `ProtocolError`.
"""

from collections.abc import Iterable
from typing import Protocol

ACTIVATIONS, WEIGHTS, RESULTS = "activations", "weights", "results"
"""The streams by their roles: two that take packets, one that gives them."""

LIMIT = 10_000_000
"""Cycles after which a wait is given up, unless the call says otherwise."""


class Registers(Protocol):
    """Access to 32-bit registers."""

    def read(self, address: int) -> int:
        """Read a register.

        Parameters
        ----------
        address : int
            Of its first byte, a multiple of 4.

        Raises
        ------
        BusError
            If the machine answers with an error.
        WaitTimeoutError
            If it does not answer.
        """

    def write(self, address: int, value: int) -> None:
        """Write a register; returns once the machine has answered, raises as `read` does."""


class Clock(Protocol):
    """A machine's time, in cycles of its clock."""

    @property
    def cycles(self) -> int:
        """Cycles since the carrier was made."""

    def advance(self, cycles: int) -> None:
        """Let that many cycles pass."""

    def wait_for_interrupt(self, limit: int = LIMIT) -> None:
        """Return as soon as the machine's interrupt is raised; at once if it is already.

        Raises
        ------
        WaitTimeoutError
            If it has not been raised after `limit` cycles.
        """


class Streams(Protocol):
    """Packets into a machine and out of it."""

    def send(self, stream: str, packets: Iterable[bytes]) -> None:
        """Queue packets, none of them empty, for `ACTIVATIONS` or `WEIGHTS`; never waits."""

    def take(self, packets: int, limit: int = LIMIT) -> list[bytes]:
        """Wait for packets of `RESULTS` and take them: the bytes that ``tkeep`` marks.

        Parameters
        ----------
        packets : int
            How many; all or none are taken.
        limit : int
            Cycles.

        Raises
        ------
        WaitTimeoutError
            If there are still fewer after `limit` cycles.
        """

    def drain(self, limit: int = LIMIT) -> None:
        """Wait until all that was queued has been sent and nothing more arrives; drop what did.

        Raises
        ------
        WaitTimeoutError
            If that is not so after `limit` cycles; nothing has been dropped then.
        """


class Carrier(Registers, Clock, Streams, Protocol):
    """All that a machine with streams needs."""
