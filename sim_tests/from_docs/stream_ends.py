"""Both ends of the streams, by hand."""

import random
from collections import deque
from collections.abc import Sequence

import cocotb
from cocotb.triggers import RisingEdge

from sim_tests.from_docs.numerics import Beat


class Source:
    """Drives one input stream from a queue of beats.

    Attributes
    ----------
    pause_chance
        How likely a cycle without an offer is before each beat.
    gate_open
        While false, no further beat is offered.
    """

    def __init__(self, dut, name: str, beat_bytes: int, rng: random.Random):
        self.beat_bytes = beat_bytes
        self.pause_chance = 0.0
        self.gate_open = True
        self._beats: deque[tuple[int, int, int]] = deque()
        self._rng = rng
        self._clock = dut.aclk
        self._data, self._keep, self._last, self._valid, self._ready = (
            getattr(dut, f"{name}_{x}") for x in ("tdata", "tkeep", "tlast", "tvalid", "tready")
        )
        self._valid.value = 0
        self._task = cocotb.start_soon(self._run())

    @property
    def is_empty(self) -> bool:
        """Whether every beat has been taken."""
        return not self._beats

    def send(self, data: bytes, *, is_kept_whole: bool = False):
        """Queue one packet; `is_kept_whole` fills it up so that every tkeep is all ones."""
        if is_kept_whole:
            data += bytes(-len(data) % self.beat_bytes)
        self.send_beats(
            [
                (data[i : i + self.beat_bytes], (1 << len(data[i : i + self.beat_bytes])) - 1)
                for i in range(0, len(data), self.beat_bytes)
            ]
        )

    def send_beats(self, beats: Sequence[tuple[bytes, int]], *, is_ended: bool = True):
        """Queue beats of data and tkeep; the last one has tlast if `is_ended`."""
        for i, (data, keep) in enumerate(beats):
            is_last = is_ended and i == len(beats) - 1
            self._beats.append((int.from_bytes(data, "little"), keep, int(is_last)))

    def clear(self):
        """Forget what was queued and offer nothing, as a master does in reset."""
        self._task.cancel()
        self._beats.clear()
        self._valid.value = 0
        self._task = cocotb.start_soon(self._run())

    async def _run(self):
        while True:
            while (
                not self._beats
                or not self.gate_open
                or (self.pause_chance and self._rng.random() < self.pause_chance)
            ):
                self._valid.value = 0
                await RisingEdge(self._clock)
            self._data.value, self._keep.value, self._last.value = self._beats[0]
            self._valid.value = 1
            await RisingEdge(self._clock)
            while not self._ready.value:
                await RisingEdge(self._clock)
            self._beats.popleft()


class Sink:
    """Takes the results, packet by packet.

    Attributes
    ----------
    packets, unfinished
        What came: whole packets, and the beats of one whose tlast has not come.
    pause_chance
        How likely a cycle without tready is.
    allowance
        How many beats it still takes; None is no limit.
    """

    def __init__(self, dut, rng: random.Random):
        self.packets: list[list[Beat]] = []
        self.unfinished: list[Beat] = []
        self.pause_chance = 0.0
        self.allowance: int | None = None
        self._rng = rng
        self._dut = dut
        cocotb.start_soon(self._run())

    def clear(self):
        """Forget what came."""
        self.packets, self.unfinished = [], []

    async def _run(self):
        dut = self._dut
        while True:
            may_take = self.allowance is None or self.allowance > 0
            is_ready = may_take and self._rng.random() >= self.pause_chance
            dut.m_axis_out_tready.value = int(is_ready)
            await RisingEdge(dut.aclk)
            if not is_ready or dut.aresetn.value != 1 or dut.m_axis_out_tvalid.value != 1:
                continue
            if self.allowance is not None:
                self.allowance -= 1
            self.unfinished.append(kept_bytes(dut))
            if dut.m_axis_out_tlast.value == 1:
                self.packets.append(self.unfinished)
                self.unfinished = []


def kept_bytes(dut) -> Beat:
    """The beat on m_axis_out, with None where tkeep is 0; an X anywhere else is an error."""
    keep = str(dut.m_axis_out_tkeep.value)[::-1]
    data = str(dut.m_axis_out_tdata.value)
    lanes = [data[i : i + 8] for i in range(0, len(data), 8)][::-1]
    assert set(keep) <= {"0", "1"}, f"tkeep is {keep}"
    return tuple(
        int(lane, 2) if bit == "1" else None for lane, bit in zip(lanes, keep, strict=True)
    )
