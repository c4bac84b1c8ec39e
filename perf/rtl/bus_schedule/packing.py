"""Packets of MX blocks, unit by unit: `hw.blocks.mx_packer`."""

from itertools import count
from typing import NamedTuple

from hw.contract.config import Config
from perf.rtl.bus_schedule.beats import Beat, Beats
from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.schedule.latencies import CUT, NOT_YET


class Chunk(NamedTuple):
    """A K-block that is packed.

    Attributes
    ----------
    rows, units : int
    ends_packet, ends_job : bool
    has_tags : bool
        A unit of precision bits goes before it.
    """

    rows: int
    units: int
    ends_packet: bool
    ends_job: bool
    has_tags: bool = False


class Packer:
    """Fill K-blocks up and cut them into units, and gather those in beats of the result stream.

    K-block k is whole and moves on at F[k]; its last unit is cut at E[k]. A unit that is not
    gathered in the cycle in which it is cut waits beside the stream, and the next one is cut when
    it has gone.

    Parameters
    ----------
    config : Config
    unit_bytes : int
        As in `hw.blocks.mx_packer.MXPacker`.

    Attributes
    ----------
    chunks : list of Chunk
    filled, cut : list of int
        F and E of each.
    tagged, tags_taken : list of int
        Of each K-block with precision bits: when the last of them came, and when they were cut.
    beats : Beats
    """

    def __init__(self, config: Config, unit_bytes: int):
        self._per_beat = config.result_bytes // unit_bytes
        self.chunks: list[Chunk] = []
        self._whole: Cycles = []
        self.filled: Cycles = []
        self.cut: Cycles = []
        self.tagged: Cycles = []
        self.tags_taken: Cycles = []
        self.beats = Beats()

    def gate(self) -> Process[int]:
        """Say when the first block of the K-block that is announced next may come."""
        before = len(self.chunks) - 1
        if before < 0:
            return NOT_YET
        if len(self.filled) <= before:
            yield self.filled, before
        return self.filled[before]

    def add(self, chunk: Chunk, last_block: int) -> None:
        """Take a K-block, whose last block comes in a cycle."""
        self.chunks.append(chunk)
        self._whole.append(last_block)

    def fill(self) -> Step:
        """Let each K-block move on when it is whole and the one before has been cut."""
        for number in count():
            if len(self._whole) <= number:
                yield self._whole, number
            cycle = self._whole[number] + 1
            if number:
                if len(self.cut) < number:
                    yield self.cut, number - 1
                cycle = max(cycle, self.cut[number - 1])
            self.filled.append(cycle)

    def run(self) -> Step:
        """Cut and gather all K-blocks."""
        beats, gathered, place = self.beats, NOT_YET, 0
        while True:
            number = len(self.cut)
            if len(self.filled) <= number:
                yield self.filled, number
            chunk, cycle = self.chunks[number], self.filled[number] + 1
            if chunk.has_tags:
                tags = len(self.tags_taken)
                if len(self.tagged) <= tags:
                    yield self.tagged, tags
                cycle = max(cycle, self.tagged[tags] + CUT, gathered + 1)
                self.tags_taken.append(cycle)
            units = chunk.units + chunk.has_tags
            for unit in range(1, units + 1):
                cycle = max(cycle, gathered + 1)
                if unit == units:
                    self.cut.append(cycle)
                ends = unit == units and chunk.ends_packet
                place += 1
                if self._per_beat == 1:
                    beats.offer(Beat(1, ends and chunk.ends_job), cycle)
                    yield from beats.leave()
                    gathered = beats.taken[-1]
                else:
                    if place == 1 and beats.offered:
                        yield from beats.leave()
                        gathered = max(cycle, beats.taken[-1])
                    else:
                        gathered = cycle
                    if ends or place == self._per_beat:
                        beats.offer(Beat(place, ends and chunk.ends_job), gathered + 1)
                if ends or place == self._per_beat:
                    place = 0
                cycle += 1
