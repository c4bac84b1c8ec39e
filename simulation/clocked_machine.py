"""A simulated machine's registers and clock: a Verilator model in this process, whatever it is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from ctypes import byref, c_uint32
from pathlib import Path
from types import TracebackType
from typing import Self

from golden.arguments import whole
from hw.host.carrier import LIMIT
from hw.host.driver_errors import BusError, MachineError, ProtocolError, WaitTimeoutError
from simulation.arguments import address_of, time_of
from simulation.library import FAILED, Functions, Library, Ran, Until

RESET_CYCLES = 4
ANSWER_CYCLES = 100_000
"""Cycles in which a register access must be answered."""

SLICE = 20_000
"""Cycles between two looks at signals: half a second of an 8x8 machine."""

NUMBERS = 1 << 64
"""Of the numbers that the harness takes."""

_RESPONSES = ("OKAY", "EXOKAY", "SLVERR", "DECERR")


class ClockedMachine(ABC):
    """Drive what every compiled model has; fulfils `Registers` and `Clock` of `hw.host.carrier`.

    Parameters
    ----------
    library : pathlib.Path
        From `simulation.build.build`.
    own : Functions
        What its harness has beside those of all.
    progress : callable, optional
        ``progress(cycles)`` is called at least every `SLICE` cycles of a wait.
    """

    def __init__(self, library: Path, own: Functions,
                 progress: Callable[[int], None] | None = None):
        self._library = Library(library, own)
        self._progress = progress
        self._bench = self._library.create()
        if not self._bench:
            raise MachineError(self._library.error(None).decode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the simulation; a waveform is complete then. Other calls are refused afterwards."""
        bench, self._bench = self._bench, None
        if bench:
            self._library.destroy(bench)

    # Registers

    def read(self, address: int) -> int:
        """Read a register; the clock runs until the answer. See `hw.host.carrier.Registers`."""
        value = c_uint32()
        response = self._library.read(self._open, address_of(address), byref(value), ANSWER_CYCLES)
        self._check_answer(response, f"reading {address:#05x}")
        return value.value

    def write(self, address: int, value: int) -> None:
        """Write a register; the clock runs until the answer."""
        value = whole(value, "a register's value")
        if not 0 <= value < 1 << 32:
            raise ValueError(f"a register holds 0 to 2^32 - 1, not {value}")
        response = self._library.write(self._open, address_of(address), value, ANSWER_CYCLES)
        self._check_answer(response, f"writing {address:#05x}")

    def _check_answer(self, response: int, what: str) -> None:
        if response == FAILED:
            sentence = self._error()
            if not sentence.startswith("s_axil_"):
                raise MachineError(sentence)
            raise WaitTimeoutError(f"{what} was not answered within {ANSWER_CYCLES} cycles: it "
                                      f"waits for {sentence}; {self.describe()}")
        self._check_rules()
        if response:
            raise BusError(f"{what} was answered with {_RESPONSES[response]}")

    # Clock

    @property
    def cycles(self) -> int:
        """Cycles since the machine was made, resets included."""
        return self._library.cycles(self._open)

    @property
    def interrupt(self) -> bool:
        """The level of ``irq``."""
        return bool(self._library.interrupt(self._open))

    def reset(self, cycles: int = RESET_CYCLES) -> None:
        """Hold reset for some cycles. What is under way is dropped, counts begin anew."""
        cycles = whole(cycles, "cycles")
        if not 1 <= cycles < NUMBERS:
            raise ValueError(f"a reset takes at least one cycle, and less than 2^64, not {cycles}")
        self._check_call(self._library.reset(self._open, cycles))
        self._check_rules()

    def advance(self, cycles: int) -> None:
        """Let that many cycles pass."""
        cycles = time_of(cycles)
        self._run(cycles, Until.CYCLES)

    def wait_for_interrupt(self, limit: int = LIMIT) -> None:
        """Run until ``irq`` is high."""
        if not self._run(limit, Until.INTERRUPT):
            raise WaitTimeoutError(f"no interrupt within {limit} cycles; {self.describe()}")

    def _run(self, limit: int, until: Until, argument: int = 0) -> bool:
        """Run in slices, so that signals get through; tell whether it was reached."""
        limit = whole(limit, "the limit")
        if limit < 0:
            raise ValueError(f"a wait takes at least 0 cycles, not {limit}")
        end = self.cycles + limit
        while True:
            left = end - self.cycles
            ran = self._library.run(self._open, min(left, SLICE), until, argument)
            self._check_call(ran)
            self._check_rules()
            if self._progress is not None:
                self._progress(self.cycles)
            if ran == Ran.REACHED:
                return True
            if left <= SLICE:
                return False

    def trace(self, path: Path | None) -> None:
        """Write a waveform (VCD) from now on; None ends it.

        Raises
        ------
        MachineError
            If the model was not built with waveforms, or the file cannot be written.
        """
        self._check_call(self._library.trace(self._open, str(path or "").encode()))

    def toggle(self, cycles: int) -> None:
        """Toggle the clock and do nothing else: what the model alone costs, for a comparison."""
        cycles = time_of(cycles)
        for first in range(0, cycles, SLICE):
            self._check_call(self._library.toggle(self._open, min(SLICE, cycles - first)))

    @abstractmethod
    def describe(self) -> str:
        """Say what waits where."""

    @property
    def _open(self) -> int:
        if self._bench is None:
            raise ValueError("the simulated machine was closed")
        return self._bench

    def _error(self) -> str:
        return self._library.error(self._open).decode()

    def _check_call(self, returned: int) -> None:
        if returned == FAILED:
            raise MachineError(self._error())

    def _check_rules(self) -> None:
        """Raise what the monitors have seen since the last look."""
        if self._library.violation_count(self._open):
            raise ProtocolError(self._library.violations(self._open).decode().splitlines())
