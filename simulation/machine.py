"""A simulated accelerator: a `Carrier` whose machine is a Verilator model in this process."""

from collections.abc import Callable, Iterable, Sequence
from ctypes import byref, c_uint64, create_string_buffer
from pathlib import Path

from golden.arguments import real, whole
from hw.host.carrier import ACTIVATIONS, LIMIT, RESULTS, WEIGHTS
from hw.host.driver_errors import WaitTimeoutError
from simulation.arguments import PORTS, check_port, time_of
from simulation.clocked_machine import NUMBERS, ClockedMachine
from simulation.library import OF_STREAMS, RawCounts, Stream, StreamCounts, Until
from simulation.packet import Packet, cut

REGISTERS = "registers"
QUIET_CYCLES = 256
"""Cycles without a result after which none is on its way, for `SimulatedMachine.drain`."""

_STREAMS = {ACTIVATIONS: Stream.ACTIVATIONS, WEIGHTS: Stream.WEIGHTS, RESULTS: Stream.RESULTS,
            REGISTERS: Stream.REGISTERS}
_INFO_WORDS = 4
"""Of a packet: bytes, beats, first and last cycle."""


class SimulatedMachine(ClockedMachine):
    """Drive a compiled model; fulfils `hw.host.carrier.Carrier`.

    It comes out of a reset. Use it as a context manager, or `close` it.

    Parameters
    ----------
    library : pathlib.Path
        From `simulation.build.build`.
    progress : callable, optional
        ``progress(cycles)`` is called at least every `clocked_machine.SLICE` cycles of a wait.
    """

    def __init__(self, library: Path, *, progress: Callable[[int], None] | None = None):
        super().__init__(library, OF_STREAMS, progress)
        self._beat_bytes = {name: self._library.beat(_STREAMS[name]) for name in PORTS}

    # Streams

    def send(self, stream: str, packets: Iterable[bytes]) -> None:
        """Queue packets; see `hw.host.carrier.Streams`."""
        if stream not in (ACTIVATIONS, WEIGHTS):
            raise ValueError(f"packets go to {ACTIVATIONS} or {WEIGHTS}, not to {stream!r}")
        if isinstance(packets, bytes | bytearray | memoryview):
            raise TypeError("send takes packets, not one: put it into a list")
        packets = list(packets)
        for packet in packets:
            if isinstance(packet, str | int):
                raise TypeError(f"a packet must be bytes, not {type(packet).__name__}")
        packets = [bytes(memoryview(packet)) for packet in packets]
        lengths = list(map(len, packets))
        if 0 in lengths:
            raise ValueError(f"packet {lengths.index(0)} for {stream} is empty: AXI4-Stream has "
                             "no packet without a beat")
        array = (c_uint64 * len(lengths))(*lengths)
        self._check_call(self._library.send(
            self._open, _STREAMS[stream], b"".join(packets), array, len(packets)))

    def send_beats(self, stream: str, data: bytes, keep: Sequence[bool]) -> None:
        """Queue one packet of whole beats whose ``tkeep`` may be wrong.

        Parameters
        ----------
        stream : str
            `ACTIVATIONS` or `WEIGHTS`.
        data : bytes
            Of one beat or more.
        keep : sequence of bool
            For each byte, whether ``tkeep`` marks it.
        """
        if stream not in (ACTIVATIONS, WEIGHTS):
            raise ValueError(f"packets go to {ACTIVATIONS} or {WEIGHTS}, not to {stream!r}")
        width = self._beat_bytes[stream]
        if not data or len(data) % width or len(keep) != len(data):
            raise ValueError(f"beats of {stream} have {width} bytes with a bit of tkeep each, so "
                             f"not {len(data)} bytes with {len(keep)}")
        octets = self._library.keep(_STREAMS[stream])
        keeps = b"".join(
            sum(bool(bit) << index for index, bit in enumerate(keep[first : first + width]))
            .to_bytes(octets, "little") for first in range(0, len(keep), width))
        self._check_call(self._library.send_beats(
            self._open, _STREAMS[stream], data, keeps, len(data) // width))

    def drop(self, stream: str) -> None:
        """Forget the packets for `ACTIVATIONS` or `WEIGHTS` of which nothing has been offered."""
        if stream not in (ACTIVATIONS, WEIGHTS):
            raise ValueError(f"packets wait for {ACTIVATIONS} and {WEIGHTS}, not for {stream!r}")
        self._library.drop(self._open, _STREAMS[stream])

    def take(self, packets: int, limit: int = LIMIT) -> list[bytes]:
        """Run until so many packets of results are there, and take them."""
        marked, _, infos = self._take(packets, limit)
        return cut(marked, infos[::_INFO_WORDS])

    def take_packets(self, packets: int, limit: int = LIMIT) -> list[Packet]:
        """Do what `take` does; give also ``tkeep`` and when the packets came."""
        marked, keeps, infos = self._take(packets, limit)
        keep_bytes, beats = self._library.keep(Stream.RESULTS), infos[1::_INFO_WORDS]
        masks = [tuple(int.from_bytes(keep[place : place + keep_bytes], "little")
                       for place in range(0, len(keep), keep_bytes))
                 for keep in cut(keeps, [count * keep_bytes for count in beats])]
        columns = (cut(marked, infos[::_INFO_WORDS]), masks, *(
            infos[first::_INFO_WORDS] for first in (2, 3)))
        return [Packet(*each) for each in zip(*columns, strict=True)]

    def _take(self, packets: int, limit: int) -> tuple[bytes, bytes, list[int]]:
        """Take packets: the bytes of all, their ``tkeep``, and `_INFO_WORDS` words of each."""
        packets = whole(packets, "the number of packets")
        if not 0 <= packets < NUMBERS:
            raise ValueError(f"{packets} packets cannot be taken")
        if not self._run(limit, Until.PACKETS, packets):
            raise WaitTimeoutError(
                f"{self.available} of {packets} packets of results came within {limit} cycles; "
                f"{self.describe()}")
        marked_bytes, keep_bytes = c_uint64(), c_uint64()
        self._library.measure(self._open, packets, byref(marked_bytes), byref(keep_bytes))
        marked = create_string_buffer(marked_bytes.value + 1)
        keeps = create_string_buffer(keep_bytes.value + 1)
        infos = (c_uint64 * (_INFO_WORDS * packets))()
        self._library.take(self._open, packets, marked, keeps, infos)
        return marked.raw, keeps.raw, list(infos)

    def drain(self, limit: int = LIMIT) -> None:
        """Run until all is sent and nothing has come for `QUIET_CYCLES`; drop what came."""
        if not self._run(limit, Until.QUIET, QUIET_CYCLES):
            raise WaitTimeoutError(f"the streams were not quiet within {limit} cycles; "
                                      f"{self.describe()}")
        self._library.forget(self._open)

    @property
    def available(self) -> int:
        """Packets of results that can be taken at once."""
        return self._library.available(self._open)

    def beat_bytes(self, stream: str) -> int:
        """Count the bytes of a beat of a stream."""
        check_port(stream)
        return self._beat_bytes[stream]

    # What the bench does and sees

    def stall(self, stream: str, share: float = 0.0, *, break_share: float = 0.0,
              break_cycles: int = 0, seed: int = 1) -> None:
        """Let a stream's end take cycles off from now on; a call without a share ends it.

        Parameters
        ----------
        stream : str
            `ACTIVATIONS`, `WEIGHTS`, `RESULTS`, or `REGISTERS`, whose answers then wait.
        share : float
            Of the cycles, at random; below 1. A source takes them off between two beats only.
        break_share, break_cycles : float, int
            In such a share of the cycles a break of that many cycles begins.
        seed : int
        """
        if stream not in _STREAMS:
            raise ValueError(f"there are {', '.join(_STREAMS)}, no {stream!r}")
        for name, value in (("share", share), ("break_share", break_share)):
            if not 0 <= real(value, name) < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1, not {value}")
        break_cycles, seed = whole(break_cycles, "break_cycles"), whole(seed, "seed")
        if not 0 <= break_cycles < NUMBERS or bool(break_share) != bool(break_cycles):
            raise ValueError("a break has a share and a length, of 1 to 2^64 - 1 cycles: "
                             f"not {break_share} and {break_cycles}")
        mixed = seed * len(_STREAMS) + _STREAMS[stream]  # one seed serves all streams
        self._library.stall(self._open, _STREAMS[stream], share, break_share, break_cycles,
                            mixed % (1 << 64))

    def scramble(self, is_on: bool = True, *, seed: int = 1) -> None:
        """Let the sources show any bits while they offer nothing; else their last beat stays.

        Parameters
        ----------
        is_on : bool
        seed : int
        """
        self._library.scramble(self._open, bool(is_on), whole(seed, "seed") % NUMBERS)

    def counts(self, stream: str) -> StreamCounts:
        """Count what a stream did since the reset."""
        check_port(stream)
        raw = RawCounts()
        self._library.counts(self._open, _STREAMS[stream], byref(raw))
        values = {name: getattr(raw, name) for name in StreamCounts.__dataclass_fields__}
        return StreamCounts(**values | {"inside": bool(raw.inside)})

    def stop_clock(self, changes: int, seed: int = 1) -> None:
        """Stop the clock, high and low, while every input, reset too, takes any values.

        They come back before the next edge, so nothing may follow: in a machine whose every
        register waits for the rising edge.

        Parameters
        ----------
        changes : int
            Values that each input takes at either level.
        seed : int
        """
        self._check_call(self._library.stop_clock(
            self._open, time_of(changes), whole(seed, "seed") % NUMBERS))

    def describe(self) -> str:
        """Say what waits where."""
        parts = []
        for name, port in PORTS.items():
            counts = self.counts(name)
            verb = "to be taken" if name == RESULTS else "to be sent"
            last = f"last beat in cycle {counts.last_beat - 1}" if counts.last_beat else "no beat"
            middle = ", in the middle of one" if counts.inside else ""
            parts.append(f"{port}: {counts.waiting} packets {verb}{middle}, {last}")
        return f"cycle {self.cycles}: {'; '.join(parts)}; irq {int(self.interrupt)}"
