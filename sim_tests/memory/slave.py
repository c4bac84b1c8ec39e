"""A memory on an AXI4 bus, slow or hostile as far as AXI4 lets it, and what no manager may do.

It lives in Python, a step for each clock cycle. What it may do: any latency; answers of different
IDs in any order, and words of them in between; data taken before their address, or long after;
answers to writes late; pauses on every channel; errors where it is told.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cocotb.triggers import RisingEdge

from hw.memory.axi4 import DECERR, INCREMENTING, OKAY, PAGE_BYTES
from sim_tests import drive

ADDRESS = ("addr", "len", "size", "burst", "id", "cache", "prot")


@dataclass(frozen=True)
class Manners:
    """How a memory behaves.

    Attributes
    ----------
    read_latency, write_latency : int
        Cycles from an address to its first word; from the last of address and data to the answer.
    jitter : int
        Up to so many cycles more, drawn for each burst.
    pause : float
        Share of cycles in which each of its ready and valid signals stays low.
    mixes : bool
        Words of different IDs come in any order.
    data_first : bool
        It takes an address of a write only when data have been offered.
    """

    read_latency: int = 1
    write_latency: int = 1
    jitter: int = 0
    pause: float = 0.0
    mixes: bool = False
    data_first: bool = False


@dataclass
class _Burst:
    """What has been asked for."""

    number: int
    place: int
    beats: int
    ready_at: int
    done: int = 0
    resp: int = OKAY


@dataclass
class Seen:
    """What was seen on the bus.

    Attributes
    ----------
    reads, writes : list of (int, int)
        Address and beats of each burst.
    read_beats, write_beats : int
    empty_words : int
        Without a strobe.
    read_stalls, write_stalls : int
        Cycles in which an address, or a word, was offered and not taken.
    read_owed, write_owed : int
        Bursts without their last word, or answer, whose address was taken, summed over cycles.
    waiting : list of int
        Bursts without an answer when the address of each write came.
    most_reads, most_writes : int
        Bursts that waited for their last word, or their answer, at one time.
    """

    reads: list[tuple[int, int]] = field(default_factory=list)
    writes: list[tuple[int, int]] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    read_beats: int = 0
    write_beats: int = 0
    empty_words: int = 0
    read_stalls: int = 0
    write_stalls: int = 0
    read_owed: int = 0
    write_owed: int = 0
    most_reads: int = 0
    most_writes: int = 0


class Slave:
    """A memory at the ports ``…ar…``, ``…r…``, ``…aw…``, ``…w…``, ``…b…``, or some of them.

    Every rule of AXI4 that a manager can break is checked in every cycle: offers stay, bursts do
    not cross pages, ``wlast`` comes with the last word of its burst.

    Parameters
    ----------
    dut : handle
    data : ndarray of uint8
        What the memory holds; it is changed.
    clock : handle
    manners : Manners
    errors : dict of int to int
        Answers by the number of the burst, reads and writes counted together as their addresses
        come.
    base : int or None
        Address of the first byte; what lies elsewhere answers DECERR. None: the memory comes again
        and again, at every multiple of its size.
    attributes : dict of str to int
        What ``arcache``, ``arprot``, ``awcache`` and ``awprot`` have to be.
    prefix : str
        Of the ports.
    """

    def __init__(self, dut: Any, data: np.ndarray, clock: Any, manners: Manners = Manners(),
                 errors: dict[int, int] | None = None, base: int | None = 0,
                 attributes: Mapping[str, int] = {}, prefix: str = "bus__"):
        self.base, self.attributes, self.prefix = base, attributes, prefix
        self.dut, self.data, self.clock, self.manners = dut, data, clock, manners
        self.errors, self.seen, self.now, self.asked = errors or {}, Seen(), 0, 0
        self.silent: set[str] = set()  # channels on which it does nothing
        data_port = "wdata" if hasattr(dut, f"{prefix}wdata") else "rdata"
        self.word_bytes = len(self._port(data_port)) // 8
        self._rng = drive.rng("slave")
        self._reads: dict[int, deque[_Burst]] = {}
        self._addresses: deque[_Burst] = deque()  # of writes
        self._words: deque[tuple[int, int, bool]] = deque()
        self._answers: dict[int, deque[_Burst]] = {}
        self._held: dict[str, tuple[int, ...] | None] = dict.fromkeys(("ar", "aw", "w"))
        self._sent: dict[str, bool] = {"r": False, "b": False}
        members = {"ar": [f"ar{name}" for name in ADDRESS],
                   "aw": [f"aw{name}" for name in ADDRESS], "w": ["wdata", "wstrb", "wlast"]}
        self._signals = {channel: [self._port(name) for name in names]
                         for channel, names in members.items()
                         if hasattr(dut, f"{prefix}{channel}valid")}

    def _port(self, name: str) -> Any:
        return getattr(self.dut, f"{self.prefix}{name}")

    def _flip(self) -> bool:
        """Tell whether a channel works in this cycle."""
        return not self.manners.pause or self._rng.random() >= self.manners.pause

    async def run(self) -> None:
        """Serve for ever."""
        edge = RisingEdge(self.clock)
        channels = [*self._signals, *(answer for address, answer in (("ar", "r"), ("aw", "b"))
                                      if address in self._signals)]
        valid, ready = ({name: self._port(f"{name}{end}") for name in channels}
                        for end in ("valid", "ready"))
        offered = None  # (channel's burst) of the word at r, and of the answer at b
        answer = None
        while True:
            takes = {name: self._flip() and name not in self.silent for name in self._signals}
            if self.manners.data_first and not self._words:
                takes["aw"] = False
            for name, value in takes.items():
                ready[name].value = int(value)
            if offered is None and "r" in valid:
                works = self._flip() and "r" not in self.silent
                offered = self._next_word() if works else None
                valid["r"].value = int(offered is not None)
                if offered is not None:
                    self._show_word(offered)
            if answer is None and "b" in valid:
                works = self._flip() and "b" not in self.silent
                answer = self._next_answer() if works else None
                valid["b"].value = int(answer is not None)
                if answer is not None:
                    self._port("bid").value = answer.number
                    self._port("bresp").value = answer.resp
            await edge
            self.now += 1
            self._count({name: int(valid[name].value) and not takes[name] for name in takes})
            for name in self._signals:
                self._watch(name, bool(int(valid[name].value)), takes[name])
            if offered is not None and int(ready["r"].value):
                self._word_was_taken(offered)
                offered = None
            if answer is not None and int(ready["b"].value):
                self._answers[answer.number].popleft()
                answer = None
            self._join()
            owed = sum(map(len, self._reads.values()))
            self.seen.most_reads = max(self.seen.most_reads, owed)
            waiting = len(self._addresses) + sum(map(len, self._answers.values()))
            self.seen.most_writes = max(self.seen.most_writes, waiting)

    def _count(self, stalls: Mapping[str, bool]) -> None:
        """Count what this cycle began with, and who stalls in it."""
        seen = self.seen
        seen.read_stalls += bool(stalls.get("ar"))
        seen.write_stalls += bool(stalls.get("aw") or stalls.get("w"))
        seen.read_owed += sum(map(len, self._reads.values()))
        seen.write_owed += len(self._addresses) + sum(map(len, self._answers.values()))

    @property
    def is_idle(self) -> bool:
        """Whether nothing is owed to the manager, nor by it."""
        return not (self._words or self._addresses or any(self._reads.values())
                    or any(self._answers.values()))

    def _watch(self, name: str, is_valid: bool, is_taken: bool) -> None:
        """Hold an offer of the manager to the rules, and take it."""
        offer = tuple(int(port.value) for port in self._signals[name]) if is_valid else None
        before = self._held[name]
        assert before is None or offer == before, f"{name} did not stay on offer"
        self._held[name] = None if is_taken else offer
        if offer is None or not is_taken:
            return
        if name == "w":
            word, strobes, last = offer
            self.seen.empty_words += not strobes
            self._words.append((word, strobes, bool(last)))
            self.seen.write_beats += 1
            return
        address, beats, size, kind, number = offer[0], offer[1] + 1, *offer[2:5]
        assert kind == INCREMENTING and 1 << size == self.word_bytes, f"{name}: {offer}"
        end = address // self.word_bytes * self.word_bytes + beats * self.word_bytes
        assert address // PAGE_BYTES == (end - 1) // PAGE_BYTES, f"{name} crosses a page: {offer}"
        for kind, value in zip(("cache", "prot"), offer[5:7], strict=True):
            assert value == self.attributes.get(f"{name}{kind}", value), f"{name}{kind}: {value}"
        latency = (self.manners.read_latency if name == "ar" else 0) + (
            int(self._rng.integers(self.manners.jitter + 1)) if self.manners.jitter else 0)
        place = self._place(address)
        is_there = 0 <= place <= len(self.data) - beats * self.word_bytes
        resp = self.errors.get(self.asked, OKAY if is_there else DECERR)
        burst = _Burst(number, place, beats, self.now + latency, resp=resp)
        self.asked += 1
        if name == "ar":
            self._reads.setdefault(number, deque()).append(burst)
            self.seen.reads.append((address, beats))
        else:
            self.seen.waiting.append(len(self._addresses) + sum(map(len, self._answers.values())))
            self._addresses.append(burst)
            self.seen.writes.append((address, beats))

    def _place(self, address: int) -> int:
        """Say where in the memory a burst's first word lies."""
        address = address // self.word_bytes * self.word_bytes
        return address % len(self.data) if self.base is None else address - self.base

    def _next_word(self) -> _Burst | None:
        """Choose whose word is next: bursts of one ID in their order, of others in any."""
        heads = [bursts[0] for bursts in self._reads.values()
                 if bursts and bursts[0].ready_at <= self.now]
        if not heads:
            return None
        if self.manners.mixes:
            return heads[self._rng.integers(len(heads))]
        begun = [burst for burst in heads if burst.done]
        return begun[0] if begun else min(heads, key=lambda burst: burst.ready_at)

    def _show_word(self, burst: _Burst) -> None:
        at = burst.place + burst.done * self.word_bytes
        word = self.data[at : at + self.word_bytes].tobytes() if burst.resp == OKAY else b"\xee"
        self._port("rdata").value = int.from_bytes(word, "little")
        self._port("rid").value = burst.number
        self._port("rresp").value = burst.resp
        self._port("rlast").value = int(burst.done == burst.beats - 1)

    def _word_was_taken(self, burst: _Burst) -> None:
        burst.done += 1
        self.seen.read_beats += 1
        if burst.done == burst.beats:
            self._reads[burst.number].popleft()

    def _join(self) -> None:
        """Write the words whose address has come, in the order of the addresses."""
        while self._addresses and len(self._words) >= self._addresses[0].beats:
            burst = self._addresses.popleft()
            at = burst.place
            for beat in range(burst.beats):
                word, strobes, last = self._words.popleft()
                assert last == (beat == burst.beats - 1), "wlast is not with the last word"
                if burst.resp == OKAY:
                    octets = np.frombuffer(word.to_bytes(self.word_bytes, "little"), np.uint8)
                    chosen = [strobes >> byte & 1 == 1 for byte in range(self.word_bytes)]
                    self.data[at : at + self.word_bytes][chosen] = octets[chosen]
                at += self.word_bytes
            late = int(self._rng.integers(self.manners.jitter + 1)) if self.manners.jitter else 0
            burst.ready_at = self.now + self.manners.write_latency + late
            self._answers.setdefault(burst.number, deque()).append(burst)

    def _next_answer(self) -> _Burst | None:
        heads = [bursts[0] for bursts in self._answers.values()
                 if bursts and bursts[0].ready_at <= self.now]
        return heads[self._rng.integers(len(heads))] if heads else None
