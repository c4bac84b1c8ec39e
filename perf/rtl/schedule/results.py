"""Results from the array to the stream, and the credits that their room stands for."""

from collections import deque
from collections.abc import Iterable

from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from hw.contract.job_codes import Output
from hw.contract.output_tile import parts_of_block
from perf.rtl.schedule.chain import Chain, Paces
from perf.rtl.schedule.latencies import CONVERTED, NARROWED, NOT_YET, RELEASED, array_latencies
from perf.rtl.schedule.packing import Packer
from perf.rtl.schedule.scheduled_job import ScheduledJob

_ONE_EACH = Paces([1])


class Results:
    """Bring the groups of rows of each tile into their format.

    Parameters
    ----------
    config : Config
    """

    def __init__(self, config: Config):
        self._config = config
        latencies = array_latencies(config)
        self._latency = latencies.capture + latencies.queue
        spare = config.result_depth - config.drain_cycles
        self._left = deque([NOT_YET] * (spare + 1), maxlen=spare + 1)  # groups, from the queue
        # Groups follow each other at least a cycle apart, so that never more are on their way than
        # the way has cycles.
        self._always_room = spare >= self._latency
        self._flowed: deque[tuple[int, int]] = deque(maxlen=spare + 1)
        self._drained = NOT_YET  # the last group could have left the queue
        self._moved = NOT_YET  # the last group in floating point, to the stream
        self._chain = Chain(CONVERTED)
        self._packer = Packer(config, config.act_bytes)
        self._emptied = [NOT_YET, NOT_YET]

    def start_job(self, job: ScheduledJob, turn: int) -> None:
        """Start a job, whose first beat leaves no earlier than in cycle `turn`."""
        self._job, self._turn = job, turn
        self._packs = job.packs_results
        if self._packs:
            self._packer.start_job(turn)

    @property
    def flow(self) -> bool:
        """Whether nothing of the job's results will wait, nor a pass for their room."""
        return (self._always_room and not self._packs and self._moved == self._drained + NARROWED)

    def flow_on(self, passes: Iterable[tuple[int, int]]) -> None:
        """Take the results of passes while they flow: the cycle of the last beat, and groups."""
        self._flowed.extend(passes)

    def _settle(self) -> None:
        """Work out when groups left that flowed."""
        for last_beat, groups in self._flowed:
            drained = last_beat + self._latency
            self._left.extend(range(drained, drained + groups))
            self._drained = drained + groups - 1
        if self._flowed:
            self._moved = self._drained + NARROWED
            self._flowed.clear()

    def room(self) -> int:
        """Say from when on there is room for a whole tile."""
        self._settle()
        return self._left[0] + RELEASED

    def add(self, last_beat: int, rows: int, column: int, last_column: bool) -> None:
        """Take the results of a tile whose last beat was issued in cycle `last_beat`."""
        self._settle()
        drained, drain_rows = last_beat + self._latency, self._config.drain_rows
        groups = -(-rows // drain_rows)
        self._drained = drained + groups - 1
        if not self._packs:
            self._narrow(drained, groups)
        elif self._config.cols > BLOCK_SIZE:
            self._turn_tile(drained, groups, rows, column)
        else:
            self._join(drained, groups, rows, column, last_column)

    def _leave(self, groups: int, visible: int, gate: int = NOT_YET) -> int:
        """Let groups leave the queue, the first from `gate` on; return when the last did."""
        first = max(visible, self._left[-1] + 1, gate)
        self._left.extend(range(first, first + groups))
        return first + groups - 1

    def _narrow(self, drained: int, groups: int) -> None:
        """Let groups leave one by one until the job has the stream."""
        first = self._leave(1, drained, self._moved)
        self._moved = max(first + NARROWED, self._turn)
        if groups > 1:
            self._moved = self._leave(groups - 1, drained + 1, self._moved) + NARROWED

    def _join(self, drained: int, groups: int, rows: int, column: int,
              last_column: bool) -> None:
        """Join column tiles to blocks: `hw.results.part_joiner`."""
        parts = parts_of_block(self._config)
        if (column + 1) % parts and not last_column:
            self._leave(groups, drained)
            return
        drain_rows = self._config.drain_rows
        for group in range(groups):
            # The group before is held until its last row leaves.
            self._chain.wait(self._leave(1, drained + group, self._chain.left))
            self._chain.run(_ONE_EACH, 0, min(drain_rows, rows - group * drain_rows),
                            NOT_YET if group else self._packer.gate)
        self._pack(rows)

    def _turn_tile(self, drained: int, groups: int, rows: int, column: int) -> None:
        """Cut a tile into blocks, block column by block column: `hw.results.tile_turner`."""
        self._chain.wait(self._leave(groups, drained, self._emptied[0] + RELEASED) + 1)
        columns = min(self._config.cols, self._job.n - column * self._config.cols)
        begun = self._chain.left
        for _ in range(0, columns, BLOCK_SIZE):
            self._chain.run(_ONE_EACH, 0, rows, self._packer.gate)
            self._pack(rows)
        single = rows == 1 and columns <= BLOCK_SIZE
        self._emptied = [self._emptied[1], begun if single else self._chain.before_left]

    def _pack(self, rows: int) -> None:
        self._packer.pack(self._chain.arrived, rows, self._job.output is Output.MX9, None, True)

    @property
    def ended(self) -> int:
        """When the job's last beat leaves."""
        self._settle()
        return self._packer.ended if self._packs else self._moved
