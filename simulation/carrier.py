"""What carries registers, streams and time between software and a machine.

`Registers` and `Clock` are what every machine has; `Streams` is how one with streams takes its
data. Software that needs all three asks for a `Carrier`, and does not know what is behind it: a
simulator, or a bus and its DMA.

The contract of all of them:

**Thread.** All calls come from one thread at a time, and block until they have done what they say.
Time passes inside of calls alone where the clock is simulated, and always where it is real: a user
assumes neither. A `KeyboardInterrupt` may end any call that waits. Nothing is lost then: what was
queued stays queued, what has arrived can be taken, and the same wait may be begun again.

**Order.** Packets of a stream travel in the order in which they were sent. The streams advance
independently of each other, and of register accesses.

**Back-pressure.** `Streams.send` never waits for the machine: packets that it does not take yet are
kept, whatever their number, and results that nobody takes are kept too.

**Limits.** Each wait has one, in cycles. At its end `CarrierTimeoutError` says what waits where.

**Refusals.** An access that is answered with an error raises `RegisterError` and changed nothing.
"""

from collections.abc import Iterable
from typing import Protocol

ACTIVATIONS, WEIGHTS, RESULTS = "activations", "weights", "results"
"""The streams by their roles: two that take packets, one that gives them."""

LIMIT = 10_000_000
"""Cycles after which a wait is given up, unless the call says otherwise."""


class CarrierError(Exception):
    """Something between software and the machine is wrong."""


class RegisterError(CarrierError, RuntimeError):
    """A register access was answered with an error; `response` is its AXI name, "SLVERR"."""

    def __init__(self, sentence: str, response: str):
        super().__init__(sentence)
        self.response = response


class CarrierTimeoutError(CarrierError, TimeoutError):
    """What was waited for did not come within the limit."""


class ProtocolError(CarrierError, RuntimeError):
    """The machine broke a rule of its interfaces; `violations` are the sentences that say which."""

    def __init__(self, violations: list[str]):
        super().__init__("\n".join(violations))
        self.violations = violations


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
        RegisterError
            If the machine answers with an error.
        CarrierTimeoutError
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
        CarrierTimeoutError
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
        CarrierTimeoutError
            If there are still fewer after `limit` cycles.
        """

    def drain(self, limit: int = LIMIT) -> None:
        """Wait until all that was queued has been sent and nothing more arrives; drop what did.

        Raises
        ------
        CarrierTimeoutError
            If that is not so after `limit` cycles; nothing has been dropped then.
        """


class Carrier(Registers, Clock, Streams, Protocol):
    """All that a machine with streams needs."""
