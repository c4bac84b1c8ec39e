"""Ends of AXI4-Streams that cost nothing in cycles in which nothing moves.

`sim_tests` checks the machine's streams with cocotbext-axi, idling and stalling. Here whole layers
run, at full speed: those bus models take ten times as long, since they touch every byte.
"""

from collections import deque
from typing import Any

from cocotb import start_soon
from cocotb.queue import Queue
from cocotb.triggers import Event, RisingEdge
from cocotbext.axi import AxiStreamFrame


class Source:
    """Send packets, a beat in every cycle in which the machine is ready."""

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


class Sink:
    """Receive packets; always ready."""

    def __init__(self, dut: Any, prefix: str):
        names = ("tdata", "tkeep", "tlast", "tvalid")
        self._data, self._keep, self._last, self._valid = (
            getattr(dut, f"{prefix}_{name}") for name in names)
        self._clock = dut.aclk
        self._packets: Queue[AxiStreamFrame] = Queue()
        getattr(dut, f"{prefix}_tready").value = 1
        start_soon(self._run())

    async def recv(self, compact: bool = True) -> AxiStreamFrame:
        """Wait for a packet; it holds only the bytes whose ``tkeep`` is set."""
        return await self._packets.get()

    async def _run(self) -> None:
        packet = bytearray()
        while True:
            await RisingEdge(self._clock)
            while not int(self._valid.value):
                await RisingEdge(self._valid)
                await RisingEdge(self._clock)
            keep = int(self._keep.value)
            kept = keep.bit_length()
            if keep != (1 << kept) - 1:
                raise ValueError(f"tkeep {keep:#x} has gaps")
            packet += int(self._data.value).to_bytes(len(self._data) // 8, "little")[:kept]
            if int(self._last.value):
                self._packets.put_nowait(AxiStreamFrame(bytes(packet)))
                packet.clear()
