"""Column tiles, from the bus's beats into the operand memory."""

from golden.memory.layouts import tile_lines
from hw.contract.config import Config
from perf.rtl.bus_schedule.network import Cycles, Step
from perf.rtl.bus_schedule.operand_reader import tile_pieces
from perf.rtl.bus_schedule.rooms import TileRoom
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import CHUNK_KNOWN, NOT_YET, TAKEN
from perf.rtl.schedule.rooms import JobReader
from perf.rtl.schedule.weights import packet_beats


class WeightLoader:
    """Store column tiles as long as there is room.

    As `perf.rtl.schedule.weights.WeightLoader`, but that beats come when they come, and that some
    may follow a packet, which are dropped.

    Parameters
    ----------
    config : Config
    room : TileRoom
    beats, taken : list of int
        Of the stream of weights, as of `Aligner`.

    Attributes
    ----------
    known : list of int
        From when on the walker knows of each tile.
    """

    def __init__(self, config: Config, room: TileRoom, beats: Cycles, taken: Cycles):
        self._config, self._room, self._beats, self._taken = config, room, beats, taken
        self._jobs = JobReader()
        self._announced = self._last_beat = NOT_YET
        self.known: Cycles = []

    def skip_job(self, start: int) -> None:
        """Pass over a conversion, which has no weights."""
        self._jobs.skip_job(start)

    def run_job(self, work: Work, start: int) -> Step:
        """Load a job that starts in a cycle, as soon as the one before lets it."""
        config, job, width = self._config, work.job, self._config.weight_bytes
        taken = max(self._jobs.head(start), self._announced + 1)
        self._jobs.note_taken(taken)
        busy = taken + TAKEN
        mx9 = job.precisions[2].sum(axis=1).tolist()
        pieces = tile_pieces(config, work)
        for _ in range(0, job.m, job.tiles * config.rows):
            for column, lanes in tile_lines(job.n, config.cols):
                came = sum(-(-next(pieces)[1] // width) for _ in range(1 + job.bias))
                counted = packet_beats(job, lanes, mx9[column % len(mx9)], width)
                if counted > came:
                    raise ValueError(f"a column tile has {counted} beats, but its stride of "
                                     f"{work.command.b_stride} bytes has {came}")
                room = yield from self._room.reserve(job.k_blocks)
                self._announced = max(room, self._last_beat, busy)
                begun = len(self._taken)
                yield from self._take(begun + counted)
                self._last_beat = self._taken[-1]
                self.known.append(self._last_beat + CHUNK_KNOWN)
                yield from self._take(begun + came)  # what follows the packet

    def _take(self, end: int) -> Step:
        """Take beats up to a place, from the packet's announcement on."""
        beats, taken = self._beats, self._taken
        cycle = max(self._announced + TAKEN, taken[-1] + 1 if taken else NOT_YET)
        for place in range(len(taken), end):
            if len(beats) <= place:
                yield beats, place
            cycle = max(cycle, beats[place])
            taken.append(cycle)
            cycle += 1
