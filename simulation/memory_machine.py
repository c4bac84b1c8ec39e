"""A simulated machine with a command ring, and its memory: a `Device` in this process."""

from collections.abc import Callable, Iterable
from ctypes import byref
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden.arguments import real, whole
from golden.memory.byte_memory import CANARY
from golden.memory.descriptor import ALIGNMENT
from hw.host.driver_errors import WaitTimeoutError
from hw.host.memory.device import Device
from simulation.clocked_machine import NUMBERS, SLICE, ClockedMachine
from simulation.library import Until
from simulation.memory_library import OF_MEMORY, Channel, Counts, RawCounts, RawManners

READ_IDS, WRITE_IDS = 5, 1
"""That machines use at most, from 0 on; the last one of reads those with a vector unit alone."""

WAIT_CYCLES = SLICE
"""That a wait of the host's library takes at most."""

OKAY, EXOKAY, SLVERR, DECERR = range(4)


def channel_of(name: str) -> Channel:
    """Return a channel by its name.

    Raises
    ------
    ValueError
        If there is none.
    """
    for channel in Channel:
        if channel.name.lower() == name:
            return channel
    raise ValueError(f"there are ar, r, aw, w, b, no {name!r}")


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How a memory behaves.

    Attributes
    ----------
    read_latency, write_latency : int
        Cycles from an address to its first word; from the last of address and words to the answer.
        At least 1: the next cycle.
    jitter : int
        Up to so many cycles more, drawn for each burst.
    pause : float or mapping of str to float
        Share of cycles, below 1, in which a channel of "ar", "r", "aw", "w", "b" does nothing; a
        number is for all of them. What is offered stays.
    mixes : bool
        Words of different IDs come in any order; else a burst comes as a whole.
    data_first : bool
        The address of a write is taken when one of its words has been.
    seed : int
        Of all that is drawn.
    """

    read_latency: int = 1
    write_latency: int = 1
    jitter: int = 0
    pause: float | dict[str, float] = 0.0
    mixes: bool = False
    data_first: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least in (("read_latency", 1), ("write_latency", 1), ("jitter", 0), ("seed", 0)):
            if whole(getattr(self, name), name, least=least) >= NUMBERS:
                raise ValueError(f"{name} must be less than 2^64, not {getattr(self, name)}")
        for name, share in self.pauses.items():
            channel_of(name)
            if not 0 <= real(share, "a pause") < 1:
                raise ValueError(f"a pause must be at least 0 and less than 1, not {share}")

    @property
    def pauses(self) -> dict[str, float]:
        """The share of each channel that pauses."""
        if isinstance(self.pause, dict):
            return self.pause
        return {channel.name.lower(): self.pause for channel in Channel}


IDEAL = Manners()


class SimulatedMemoryMachine(ClockedMachine, Device):
    """Drive a compiled model between its registers and a memory of its own.

    It comes out of a reset. What the machine does on its bus is held to the rules of AXI4 in every
    cycle; a broken one ends any wait with a `ProtocolError`. Use it as a context manager, or
    `close` it.

    Parameters
    ----------
    library : pathlib.Path
        From `simulation.build.build`, of a configuration with a bus.
    base, size : int
        Address and bytes of the memory, multiples of 64.
    manners : Manners
    outstanding : int
        Most reads, and most writes, that the machine may wait for; 0: any number.
    progress : callable, optional
        ``progress(cycles)`` is called at least every `SLICE` cycles of a wait.

    Attributes
    ----------
    memory : ndarray of uint8
        What the memory holds, to look at and to change; a canary at first.
    """

    def __init__(self, library: Path, base: int, size: int, *, manners: Manners = IDEAL,
                 outstanding: int = 0, progress: Callable[[int], None] | None = None):
        self.base, self.size = whole(base, "base", least=0), whole(size, "size", least=1)
        if base % ALIGNMENT or size % ALIGNMENT:
            raise ValueError(f"a memory begins and ends at multiples of {ALIGNMENT}, not with "
                             f"{size:#x} bytes at {base:#x}")
        self._outstanding = whole(outstanding, "outstanding", least=0)
        super().__init__(library, OF_MEMORY, progress)
        self.memory = np.full(size, CANARY, np.uint8)
        self._library.attach(self._bench, self.memory.ctypes.data, size, base)
        self.behave(manners)
        self.watch()

    # What the host's library asks for

    def read_register(self, address: int) -> int:
        """Read a register; the clock runs until the answer."""
        return self.read(address)

    def write_register(self, address: int, value: int) -> None:
        """Write a register; the clock runs until the answer."""
        self.write(address, value)

    def read_memory(self, address: int, size: int) -> bytes:
        """Read bytes; no time passes."""
        return self.memory[self._place(address, size)].tobytes()

    def write_memory(self, address: int, data: bytes) -> None:
        """Write bytes; no time passes."""
        self.memory[self._place(address, len(data))] = np.frombuffer(data, np.uint8)

    def wait(self, seconds: float) -> None:
        """Let cycles pass, `WAIT_CYCLES` at most, until the machine interrupts."""
        self._run(WAIT_CYCLES, Until.INTERRUPT)

    def _place(self, address: int, size: int) -> slice:
        at = whole(address, "an address") - self.base
        if not 0 <= at <= self.size - size:
            raise ValueError(f"{size} bytes at {address:#x} are not in the memory")
        return slice(at, at + size)

    # What the memory does

    def behave(self, manners: Manners) -> None:
        """Let the memory behave so from now on."""
        self._library.behave(self._open, byref(RawManners(
            manners.read_latency, manners.write_latency, manners.jitter, manners.mixes,
            manners.data_first, manners.seed)))
        for channel in Channel:
            share = manners.pauses.get(channel.name.lower(), 0.0)
            mixed = manners.seed * len(Channel) + channel + 1  # one seed serves all channels
            self._library.stall(self._open, channel, share, 0.0, 0, mixed % NUMBERS)

    def silence(self, channels: Iterable[str]) -> None:
        """Let the memory do nothing on some channels; a call without any ends it."""
        self._library.silence(self._open, sum({1 << channel_of(name) for name in channels}))

    def fail(self, number: int, answer: int = SLVERR) -> None:
        """Answer a burst with an error, reads and writes counted together since the reset.

        Parameters
        ----------
        number : int
            See `asked`.
        answer : int
            `SLVERR` or `DECERR`.
        """
        if answer not in (SLVERR, DECERR):
            raise ValueError(f"an error is {SLVERR} or {DECERR}, not {answer!r}")
        self._library.fail(self._open, whole(number, "number", least=0), answer)

    def forgive(self) -> None:
        """Forget what `fail` said."""
        self._library.forgive(self._open)

    def watch(self, is_on: bool = True, *, may_leave: bool = False) -> None:
        """Hold the machine to the rules, or let it do what it likes.

        Parameters
        ----------
        is_on : bool
        may_leave : bool
            It may ask for what is no memory, which is answered with DECERR.
        """
        self._library.watch(self._open, bool(is_on), bool(may_leave), READ_IDS, WRITE_IDS,
                            self._outstanding)

    # What was seen

    @property
    def asked(self) -> int:
        """Bursts that the memory has taken since the reset: the number of the next."""
        counts = self.counts()
        return counts.reads + counts.writes

    def counts(self) -> Counts:
        """Count what has happened since the reset."""
        raw = RawCounts()
        self._library.counts(self._open, byref(raw))
        return _counts(raw)

    def mark(self, beats: Iterable[int]) -> None:
        """Note the counts as soon as so many beats have entered the array, and forget older notes.

        Parameters
        ----------
        beats : iterable of int
            Since the reset, rising.
        """
        self._library.forget_marks(self._open)
        for each in beats:
            self._library.mark(self._open, each)

    def noted(self) -> list[Counts]:
        """Return what was noted at the marks that have been reached."""
        raw, found = RawCounts(), []
        for index in range(self._library.noted(self._open)):
            self._library.note(self._open, index, byref(raw))
            found.append(_counts(raw))
        return found

    def job_ends(self) -> list[int]:
        """List when jobs have ended since the reset, each a cycle after its last result."""
        return self._ends(commands=False)

    def command_ends(self) -> list[int]:
        """List when commands have ended since the reset, each a cycle after its last answer."""
        return self._ends(commands=True)

    def _ends(self, *, commands: bool) -> list[int]:
        return [self._library.end(self._open, commands, index)
                for index in range(self._library.ended(self._open, commands))]

    def wait_for_quiet(self, limit: int = WAIT_CYCLES) -> None:
        """Run until the memory owes nothing."""
        if not self._run(limit, Until.QUIET):
            raise WaitTimeoutError(f"the bus was not quiet within {limit} cycles; "
                                   f"{self.describe()}")

    def wait_for_beats(self, beats: int, limit: int) -> None:
        """Run until so many beats have entered the array since the reset."""
        if not self._run(limit, Until.BEATS, beats):
            raise WaitTimeoutError(f"{beats} beats did not come within {limit} cycles; "
                                   f"{self.describe()}")

    def describe(self) -> str:
        """Say what waits where."""
        counts = self.counts()
        return (f"cycle {counts.cycle}: {counts.reads_owed} of {counts.reads} reads and "
                f"{counts.writes_owed} of {counts.writes} writes are not answered; "
                f"{counts.beats} beats, the last in cycle {counts.last_beat - 1}; "
                f"irq {int(self.interrupt)}")


def _counts(raw: RawCounts) -> Counts:
    return Counts(**{name: getattr(raw, name) for name in Counts.__dataclass_fields__})
