"""The C driver of the ring as Python calls it: a process, its bus and its cache two pipes."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from golden.memory import Command, Fault
from hw.memory.c_header import WRITTEN
from hw.registers.codes import Refusal
from hw.registers.ring_map import BUS_COUNTERS
from sim_tests.host.c_driver import EXAMPLE, HOSTS, SOURCES, CDriver, Host, Message, Result
from sim_tests.host.ring_c.ring_device import BASE, RingDevice

CALLS = ("open", "set_up", "set_window", "lock_window", "enable", "disable", "room", "submit",
         "ended", "wait", "give", "take", "enable_events", "take_events", "status", "resume",
         "skip", "bus_counters", "result_text", "fault_text", "pack_command", "fence", "poke",
         "peek", "pack", "lengths", "attend")
"""In the order of c_ring.c."""

NOTHING = 0xFFFFFFFF
"""The offset that stands for NULL."""


def halves(number: int) -> tuple[int, int]:
    """Cut a number of 64 bits into two words."""
    return number & NOTHING, number >> 32


def words_of(command: Command | Mapping[str, int]) -> list[int]:
    """Give every field of a command, or of anything that a command cannot be, as two words."""
    value = (lambda name: getattr(command, name)) if isinstance(command, Command) else (
        lambda name: command.get(name, 0))
    return [half for field in WRITTEN for half in halves(int(value(field.name.lower())))]


@functools.cache
def program(host: Host) -> Path:
    """Compile the drivers, the example and the process around them."""
    parts = ("mixdit", "mixdit_command", "mixdit_ring", "mixdit_tiles", "mixdit_pack")
    return host.compile("c_ring", *(SOURCES / f"{part}.c" for part in parts),
                        EXAMPLE / "attention.c", Path(__file__).with_suffix(".c"))


class CRing(CDriver):
    """Call the driver; what a method returns begins with a `Result`.

    Parameters
    ----------
    device : RingDevice
        What its accesses and its cache hooks go to.
    host : Host
    """

    calls = CALLS

    def __init__(self, device: RingDevice, host: Host = HOSTS["native"]) -> None:
        super().__init__(device.read, device.write, host=host)
        self.device, self.byte_order = device, "big" if host.emulator else "little"

    @staticmethod
    def program(host: Host) -> Path:
        """Return the process's program."""
        return program(host)

    def _serve(self, message: Message) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        if message is Message.CLEAN:
            offset, size = self._receive(2)
            self.device.clean(offset, stdout.read(size))
            self._send(True)
        elif message is Message.INVALIDATE:
            self._send(True)
            stdin.write(self.device.invalidate(*self._receive(2)))
            stdin.flush()
        elif message is Message.BARRIER:
            self.device.barrier()
            self._send(True)
        else:
            super()._serve(message)

    def call(self, name: str, *words: int) -> Result:
        """Call what gives nothing but a result."""
        return Result(self._call(name, *words)[0])

    def fetch(self, name: str, *words: int) -> tuple[Result, int]:
        """Call what gives a value, too."""
        result, (value,) = self._call(name, *words)
        return Result(result), value

    def set_up(self, size_log2: int = 3, *, offset: int = 0, address: int | None = None,
               notify: int = BASE, timeout: int = 0, attributes: int = 0x0303
               ) -> tuple[Result, int]:
        """Set a ring up; give the next command's sequence number."""
        address = BASE + offset if address is None else address
        return self.fetch("set_up", offset, *halves(address), size_log2, *halves(notify), timeout,
                          attributes)

    def window(self, first: int, end: int) -> Result:
        """Set the window."""
        return self.call("set_window", *halves(first), *halves(end))

    def submit(self, *commands: Command | Mapping[str, int]) -> tuple[Result, int]:
        """Submit commands; give the first one's sequence number."""
        return self.fetch("submit", len(commands),
                          *(word for command in commands for word in words_of(command)))

    def status(self) -> tuple[Result, dict[str, Any]]:
        """See what the ring is doing."""
        result, (fault, refusal, *others) = self._call("status")
        names = ("ended", "is_idle", "waits", "is_silent", "is_locked")
        return Result(result), {"fault": Fault(fault), "refusal": Refusal(refusal)} | dict(
            zip(names, others, strict=True))

    def bus_counters(self) -> tuple[Result, dict[str, int]]:
        """Read the counters of the bus, by lower-case name."""
        result, values = self._call("bus_counters")
        return Result(result), dict(
            zip((name.lower() for name, _ in BUS_COUNTERS), values, strict=True))

    def pack_command(self, command: Command | Mapping[str, int]) -> tuple[Result, bytes]:
        """Make a descriptor."""
        result, values = self._call("pack_command", *words_of(command))
        return Result(result), bytes(values)

    def poke(self, offset: int, data: bytes) -> None:
        """Write into the host's memory."""
        for first in range(0, len(data), 1 << 15):
            self._call("poke", offset + first, *data[first : first + (1 << 15)])

    def peek(self, offset: int, size: int) -> bytes:
        """Read the host's memory."""
        parts = [self._call("peek", offset + first, min(1 << 15, size - first))[1]
                 for first in range(0, size, 1 << 15)]
        return b"".join(map(bytes, parts))

    def place(self, offset: int, array: np.ndarray) -> None:
        """Write numbers into the host's memory, in its byte order."""
        order = {"big": ">", "little": "<"}[self.byte_order]
        self.poke(offset, array.astype(array.dtype.newbyteorder(order)).tobytes())

    def pack(self, lines: int, beat: int, *, numbers: int, format: int, matrix_lines: int, k: int,
             stride: int, rows_are_lines: bool, ordinary: int, outlier: int, rounding: int,
             to: int, size: int, tile_stride: int, outliers: Sequence[bool] = (),
             order: Sequence[int] = ()) -> Result:
        """Pack a matrix in the host's memory."""
        return self.call("pack", lines, beat, numbers, format, matrix_lines, k, stride,
                         rows_are_lines, ordinary, outlier, rounding, to, size, tile_stride,
                         len(outliers), len(order), *map(int, outliers), *map(int, order))

    def lengths(self, lines: int, beat: int, all_lines: int, k: int, mx9: int) -> tuple[int, ...]:
        """Give tiles, and bytes of a packet, of a stride and of all tiles."""
        tiles, words = self._call("lengths", lines, beat, all_lines, k, mx9)
        pairs = zip(words[::2], words[1::2], strict=True)
        return tiles, *(low | high << 32 for low, high in pairs)
