"""Ends of AXI4-Streams that cost nothing in cycles in which nothing moves.

`sim_tests` checks the machine's streams with cocotbext-axi. Here whole layers run: those bus models
take ten times as long, since they touch every byte. Both kinds pause alike.
"""

from collections import deque
from collections.abc import Iterator
from functools import cache
from itertools import compress
from typing import Any

from cocotb import start_soon
from cocotb.queue import Queue
from cocotb.triggers import Event, RisingEdge
from cocotbext.axi import AxiStreamFrame


class _End:
    """What a source and a sink have in common: cycles off."""

    _pauses: Iterator[bool] | None = None

    def set_pause_generator(self, pauses: Iterator[bool] | None) -> None:
        """Take cycles off from the next beat on: those for which the iterator says so."""
        self._pauses = pauses

    def _pauses_now(self) -> bool:
        return self._pauses is not None and next(self._pauses)


class Source(_End):
    """Send packets, a beat in every cycle in which the machine is ready and this end not off."""

    def __init__(self, dut: Any, prefix: str):
        names = ("tdata", "tkeep", "tlast", "tvalid", "tready")
        self._data, self._keep, self._last, self._valid, self._ready = (
            getattr(dut, f"{prefix}_{name}") for name in names)
        self._clock, self._valid.value = dut.aclk, 0
        self._packets: deque[bytes] = deque()
        self._filled = Event()
        start_soon(self._run())

    def send_nowait(self, frame: AxiStreamFrame) -> None:
        """Queue a packet."""
        self._packets.append(bytes(frame.tdata))
        self._filled.set()

    def clear(self) -> None:
        """Forget the packets of which nothing has been sent."""
        self._packets.clear()

    async def _run(self) -> None:
        beat_bytes = len(self._keep)
        while True:
            if not self._packets:
                self._valid.value = 0
                self._filled.clear()
                await self._filled.wait()
                await RisingEdge(self._clock)
            packet = self._packets.popleft()
            for first in range(0, len(packet), beat_bytes):
                while self._pauses_now():
                    self._valid.value = 0
                    await RisingEdge(self._clock)
                part = packet[first : first + beat_bytes]
                self._data.value = int.from_bytes(part, "little")
                self._keep.value = (1 << len(part)) - 1
                self._last.value = int(first + beat_bytes >= len(packet))
                self._valid.value = 1
                await self._transfer()

    async def _transfer(self) -> None:
        """Wait for the edge at which the machine takes the beat."""
        await RisingEdge(self._clock)
        while not int(self._ready.value):
            await RisingEdge(self._ready)
            await RisingEdge(self._clock)


class Sink(_End):
    """Receive packets; ready unless this end is off."""

    def __init__(self, dut: Any, prefix: str):
        names = ("tdata", "tkeep", "tlast", "tvalid", "tready")
        self._data, self._keep, self._last, self._valid, self._ready = (
            getattr(dut, f"{prefix}_{name}") for name in names)
        self._clock = dut.aclk
        self._packets: Queue[tuple[bytes, list[int]]] = Queue()
        start_soon(self._run())

    async def recv(self, compact: bool = True) -> AxiStreamFrame:
        """Wait for a packet: all bytes of its beats and their ``tkeep``, or those kept alone."""
        octets, keeps = await self._packets.get()
        beat_bytes = len(octets) // len(keeps)
        keep = [bit for mask in keeps for bit in _bits(mask, beat_bytes)]
        if compact:
            return AxiStreamFrame(bytes(compress(octets, keep)))
        return AxiStreamFrame(octets, tkeep=keep)

    def clear(self) -> None:
        """Forget the packets that nobody has asked for."""
        while not self._packets.empty():
            self._packets.get_nowait()

    async def _run(self) -> None:
        beat_bytes = len(self._data) // 8
        octets, keeps = bytearray(), []
        while True:
            await self._transfer()
            octets += int(self._data.value).to_bytes(beat_bytes, "little")
            keeps.append(int(self._keep.value))
            if int(self._last.value):
                self._packets.put_nowait((bytes(octets), keeps))
                octets, keeps = bytearray(), []

    async def _transfer(self) -> None:
        """Wait for the edge at which a beat moves."""
        while True:
            while self._pauses_now():
                self._ready.value = 0
                await RisingEdge(self._clock)
            self._ready.value = 1
            await RisingEdge(self._clock)
            if int(self._valid.value):
                return
            if self._pauses is None:
                await RisingEdge(self._valid)


@cache
def _bits(mask: int, count: int) -> tuple[int, ...]:
    """Spell a number out, bit 0 first. A machine's masks are few."""
    return tuple(mask >> index & 1 for index in range(count))
