"""The host of a command ring: opens a machine, runs lists of commands, says what went wrong."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from numbers import Real
from typing import Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from golden.arguments import whole
from hw.host.driver import LIMIT
from hw.host.driver_errors import CommandFaultError, MachineError, WaitTimeoutError
from hw.registers.built import build_config
from hw.registers.codes import RingCommand

from .bus_counters import BusCounters
from .commands import Commands
from .device import Device
from .fences import Entry
from .memory import Memory
from .registers import NamedRegisters
from .ring_setup import EVENTS, check_machine, check_set, ring_block, set_ring, set_window
from .running_list import RunningList

_LAST_SECONDS = 1.0
"""For which an interrupted host waits for its bus."""

_OPENED: WeakKeyDictionary[Device, object] = WeakKeyDictionary()
"""Which host opened a device last: two of them would use the same memory."""


class RingHost:
    """Run lists of commands on a machine and the memory that it works on.

    One thread uses it at a time. At the end of a ``with`` it is stopped.

    Parameters
    ----------
    device : Device
        Nobody else uses its ring.
    address, size : int
        Memory for the ring and all operands, multiples of 4096; the machine touches nothing else.
    ring_size : int
        Commands that the machine may be given at a time, a power of two.
    bus_timeout : int
        Cycles of the machine without anything happening on a bus that owes something, after which
        a command has the fault TIMEOUT; 0: never.
    attributes : dict of str to int, optional
        Fields of BUS_ATTRIBUTES, by their names in lower case, that are not as after a reset.
    lock : bool
        Keep the window as it is until a reset.
    limit : float
        Seconds without the end of a command after which a wait is given up.
    pause : float
        Seconds between two looks at the machine where no interrupt comes.
    clock : callable
        Tells the time in seconds.

    Attributes
    ----------
    config : Config
        What the machine was built from.
    memory : Memory
    notify_word : Word
        Where commands with ``notify`` write the count of ended commands, since reset.

    Raises
    ------
    NoMachineError
        If no machine answers, or one without a ring.
    TypeError, ValueError
        If a setting does not exist, or the memory is none that the machine can use.
    MemoryError
        If the ring does not fit.
    WaitTimeoutError
        If the machine does not stand still.
    """

    def __init__(
        self, device: Device, address: int, size: int, *, ring_size: int = 64,
        bus_timeout: int = 0, attributes: dict[str, int] | None = None, lock: bool = False,
        limit: float = LIMIT, pause: float = 0.001, clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(lock, bool):
            raise TypeError(f"lock must be True or False, not {lock!r}")
        if attributes is not None and not isinstance(attributes, Mapping):
            raise TypeError(f"attributes must be values by name, not {attributes!r}")
        self.device, self._clock, self._token = device, clock, object()
        self.limit, self._pause = _seconds(limit, "limit"), _seconds(pause, "pause")
        self._registers = registers = NamedRegisters(device)
        values = registers.identify()
        self.config = build_config(values)
        check_machine(values, whole(address, "address", least=0), whole(size, "size", least=1))
        self.memory = Memory(device, self.config, address, size)
        self._ring, self.notify_word = ring_block(self.memory, ring_size), self.memory.place_word()
        self._ring.is_kept = self.notify_word.block.is_kept = True
        self._list = self._running([])
        self.stop()
        set_window(registers, address, address + size, lock)
        set_ring(registers, self._ring, self.notify_word, bus_timeout, attributes or {})
        with suppress(TypeError):  # a device that cannot be a key
            _OPENED[device] = self._token

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind and not issubclass(kind, Exception):  # Ctrl-C does not wait for a slow bus
            self.limit = min(self.limit, _LAST_SECONDS)
            with suppress(WaitTimeoutError):
                self.stop()
        else:
            self.stop()

    def commands(self) -> Commands:
        """Begin a list of commands on `memory`."""
        return Commands(self.memory)

    def run(self, commands: Commands) -> None:
        """Run a list and wait until all of it has ended.

        Parameters
        ----------
        commands : Commands
            May have more commands than the ring has room for: they follow as room comes. An error
            or Ctrl-C leaves those that have not ended to `wait`, `resume`, `skip` and `stop`.

        Raises
        ------
        CommandFaultError
            If a command stops the ring.
        WaitTimeoutError
            If no command ends for `limit` seconds.
        MachineError
            If the machine was reset, or somebody else uses its ring.
        TypeError, ValueError
            If an operand is of another memory, or was freed; nothing is run then.
        RuntimeError
            If commands of an earlier call are left.
        """
        if not isinstance(commands, Commands):
            raise TypeError(f"a list must be of Commands, not {type(commands).__name__}")
        if commands.memory is not self.memory:
            raise ValueError("the commands work on another memory: begin them with commands()")
        if self._list.left:
            raise RuntimeError(f"{self._list.left} commands of an earlier call have not ended: "
                               "wait for them, resume or skip the one with a fault, or stop the "
                               "ring")
        with suppress(TypeError):
            if _OPENED[self.device] is not self._token:
                raise MachineError("another RingHost has opened this device since, and uses the "
                                   "same memory: run lists with that one, or open it anew")
        check_set(self._registers, self.notify_word)
        running = self._running(list(commands.entries))
        running.check_live(0)
        self._list = running
        if not self._registers.read("RING_ENABLE"):
            self._registers.write("RING_ENABLE", 1)
        self._finish()

    def wait(self) -> None:
        """Wait until all commands that were given have ended; raises as `run` does."""
        self._list.check_live(self._list.ended)
        self._finish()

    def resume(self) -> None:
        """Try the command again that stopped the ring, its cause mended, and wait for the rest.

        Raises
        ------
        RuntimeError
            If no command has stopped the ring, or its bus still owes something.
        ValueError
            If a command that had begun behind it may have overwritten what has to be read again,
            or an operand was freed.
        CommandFaultError, WaitTimeoutError
            As `run` does.
        """
        self._go_on(RingCommand.RESUME, 0)

    def skip(self) -> None:
        """Leave the command out that stopped the ring, and wait for the rest.

        Raises as `resume` does.
        """
        self._go_on(RingCommand.SKIP, 1)

    def stop(self) -> int:
        """Drop all commands that have not ended, and wait until the bus is quiet.

        Returns
        -------
        int
            Commands of the last list that have ended. The results of the next ones may hold
            anything.

        Raises
        ------
        WaitTimeoutError
            If the bus still owes something after `limit` seconds.
        """
        self._registers.write("RING_ENABLE", 0)
        self._wait_for_idle("after the ring was switched off")
        stopped, self._list = self._list, self._running([])
        self._registers.write("RING_TAIL", self._list.sequence)
        self._registers.write("RING_IRQ_PENDING", EVENTS)
        with suppress(MachineError):  # after a reset nobody can tell
            stopped.look()
        return stopped.ended

    def counters(self) -> BusCounters:
        """Read what the machine counts of its bus."""
        return BusCounters.read(self._registers)

    def channel_maxima(self, k: int) -> NDArray[np.float32]:
        """Read each channel's largest magnitude in the last command that measured, shape (k,).

        Raises
        ------
        TypeError, ValueError
            If the machine does not have so many channels.
        """
        if whole(k, "k", least=0) > self.config.k_max:
            raise ValueError(f"k = {k} is over the machine's limit of {self.config.k_max}")
        return np.array(self._registers.channel_maxima(k), np.uint32).view(np.float32)

    def _running(self, entries: list[Entry]) -> RunningList:
        """Begin a list behind all that has ended."""
        return RunningList(self._registers, self.memory, self._ring, entries,
                           self._registers.read("RING_COMPLETED"))

    def _finish(self) -> None:
        """Feed the ring until all has ended, and leave no interrupt behind."""
        running, deadline = self._list, self._clock() + self.limit
        try:
            while True:
                status, before = self._registers.fields("RING_STATUS"), running.ended
                running.look()
                if not running.left:
                    return
                if status["fault"]:
                    self._raise(status["fault"])
                if running.ended != before:
                    deadline = self._clock() + self.limit
                if running.feed():
                    continue
                if self._clock() >= deadline:
                    raise WaitTimeoutError(self._so_far(status))
                self.device.wait(self._pause)
                self._acknowledge()  # before the next look: what ends after it interrupts again
        finally:
            self._acknowledge()

    def _acknowledge(self) -> None:
        """Clear what has happened, if anything has."""
        if events := self._registers.read("RING_IRQ_PENDING"):
            self._registers.write("RING_IRQ_PENDING", events)

    def _raise(self, fault: int) -> None:
        """Say which command stopped the ring, once it stands still."""
        self._wait_for_idle("after a fault", even_if_silent=True)
        raise CommandFaultError(fault, self._registers.read("REFUSAL"), self._list.ended,
                                self._list.sequence, self._list.current)

    def _go_on(self, command: RingCommand, leaves: int) -> None:
        status = self._registers.fields("RING_STATUS")
        if not status["fault"] or not self._list.left:
            raise RuntimeError("no command has stopped the ring")
        if not status["idle"]:
            raise RuntimeError("the bus still owes something: the machine goes on when it is quiet")
        self._list.look()
        self._list.check_again(self._list.ended + leaves)
        self._registers.write("RING_CONTROL", command.value)
        self._finish()

    def _wait_for_idle(self, when: str, even_if_silent: bool = False) -> None:
        deadline = self._clock() + self.limit
        while True:
            status = self._registers.fields("RING_STATUS")
            if status["idle"] or (even_if_silent and status["timed_out"]):
                return
            if self._clock() >= deadline:
                raise WaitTimeoutError(f"the bus was not quiet {self.limit:g} s {when}: it owes "
                                       "something; a bus that is dead needs a reset")
            self.device.wait(self._pause)

    def _so_far(self, status: dict[str, int]) -> str:
        running = self._list
        text = (f"no command has ended for {self.limit:g} s: {running.ended} of "
                f"{len(running.entries)} had")
        if status["waits"]:
            command = running.current
            text += (f", and command {running.ended} waits for the word at {command.a:#x} to come "
                     f"to {command.sequence}")
        return text + "; wait again, or stop the ring"


def _seconds(value: float, what: str) -> float:
    """Return a time, checked; it may be infinite."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{what} must be a number of seconds, not {value!r}")
    if not value >= 0:  # nor a NaN
        raise ValueError(f"{what} must be at least 0 seconds, not {value}")
    return float(value)
