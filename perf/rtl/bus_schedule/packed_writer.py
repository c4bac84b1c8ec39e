"""Results that are blocks, to words of memory: `hw.memory.packed_writer`."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from golden.formats import BLOCK_SIZE
from golden.memory.layouts import tile_lines
from hw.contract.config import Config
from hw.contract.job_codes import Output
from perf.rtl.bus_schedule.beats import Beats
from perf.rtl.bus_schedule.network import Process
from perf.rtl.bus_schedule.stores import Store, Stores
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.weights import chunk_beats


class PackedBeat(NamedTuple):
    """A beat of a packed tile.

    Attributes
    ----------
    tile, place : int
        Which tile, and which of its beats.
    is_tags : bool
        It holds precision bits, which are written here, and come from nowhere.
    """

    tile: int
    place: int
    is_tags: bool


def block_beats(config: Config, work: Work) -> Iterator[PackedBeat]:
    """List the beats of packed activations in the order in which they are written."""
    job, together = work.job, max(1, config.cols // BLOCK_SIZE)
    blocks, covered = -(-job.n // BLOCK_SIZE), 8 * config.act_bytes
    tiles = list(tile_lines(job.m, config.rows))
    written: defaultdict[int, int] = defaultdict(int)
    for group in range(0, len(tiles), job.tiles):
        for first in range(0, blocks, together):
            for tile, lines in tiles[group : group + job.tiles]:
                _, bases, residuals = chunk_beats(lines, config.act_bytes)
                for block in range(first, min(blocks, first + together)):
                    count = bases + residuals * (job.output is Output.MX9)
                    if work.is_tagged:  # precision bits come with their blocks
                        count = bases + residuals * work.result_tags[block] + (
                            block % covered == 0)
                    elif block % covered == 0:
                        yield PackedBeat(tile, written[tile], True)
                        written[tile] += 1
                    for _ in range(count):
                        yield PackedBeat(tile, written[tile], False)
                        written[tile] += 1


def column_beats(config: Config, work: Work) -> Iterator[PackedBeat]:
    """List the beats of the packed weights that a conversion makes, in beats of activations."""
    mx9 = work.job.precisions[0]
    for tile, lanes in tile_lines(work.job.n, config.cols):
        _, bases, residuals = chunk_beats(lanes, config.weight_bytes)
        flags = mx9[tile % len(mx9)]
        tags = -(-len(flags) // (8 * config.weight_bytes))
        beats = tags + bases * len(flags) + residuals * int(flags.sum())
        for place in range(beats * (config.weight_bytes // config.act_bytes)):
            yield PackedBeat(tile, place, False)


def row_beats(config: Config, work: Work) -> Iterator[PackedBeat]:
    """List the beats of the packed token tiles that a pass makes."""
    mx9, size = work.job.precisions[0], config.act_bytes
    for tile, lines in tile_lines(work.job.m, config.rows):
        _, bases, residuals = chunk_beats(lines, size)
        flags = mx9[tile % len(mx9)]
        beats = -(-len(flags) // (8 * size)) + bases * len(flags) + residuals * int(flags.sum())
        for place in range(beats):
            yield PackedBeat(tile, place, False)


class PackedWriter:
    """Put the beats of packets to their places.

    Parameters
    ----------
    config : Config
    beats : Beats
        Of the result stream.
    stores : Stores
    """

    def __init__(self, config: Config, beats: Beats, stores: Stores):
        self._config, self._beats, self._stores = config, beats, stores

    def write_job(self, work: Work, since: int) -> Process[int]:
        """Write a job's packets, no beat before a cycle; return when the last was."""
        config, stores, source = self._config, self._stores, self._beats
        converts, size = work.job.kind.converts, config.act_bytes
        parts = config.weight_bytes // size if converts else 1
        walk = row_beats if work.is_pass else column_beats if converts else block_beats
        beats = list(walk(config, work))
        at, cycle, left = len(source.taken), since, 0
        for number, beat in enumerate(beats):
            if not beat.is_tags and not left:
                if len(source.offered) <= at:
                    yield source.offered, at
                cycle, left = max(cycle, source.offered[at]), source.beats[at].parts * parts
            if beat.place * size >= work.command.c_stride and beats[-1].tile:
                raise ValueError(f"a tile of results does not end within its stride of "
                                 f"{work.command.c_stride} bytes")
            address = work.at.c + beat.tile * work.command.c_stride + beat.place * size
            word, offset = divmod(address, config.bus_bytes)
            stores.offer(Store(word, ((1 << size) - 1) << offset,
                               ends=work.ends and number == len(beats) - 1), cycle)
            if len(stores.taken) < len(stores.offered):
                yield stores.taken, len(stores.offered) - 1
            cycle = stores.taken[-1] + 1
            if not beat.is_tags:
                left -= 1
                if not left:
                    source.taken.append(cycle - 1)
                    at += 1
        return cycle - 1
