"""Commands become jobs, and work for readers and writer: `hw.memory.dispatcher`."""

from collections.abc import Iterator, Sequence

from golden.memory.layouts import iterations
from hw.contract.config import JOBS_UNDER_WAY
from hw.memory.work import UNDER_WAY
from perf.rtl.bus_schedule.beside_reader import has_beside
from perf.rtl.bus_schedule.descriptor_reader import DescriptorReader
from perf.rtl.bus_schedule.ledger import Ledger
from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.bus_schedule.operand_reader import OperandReader
from perf.rtl.bus_schedule.queues import Queue
from perf.rtl.bus_schedule.result_sink import ResultSink
from perf.rtl.bus_schedule.table_loader import TableLoader
from perf.rtl.bus_schedule.work import ScheduledCommand, Work
from perf.rtl.schedule.latencies import RELEASED

CHECKED = 1
"""A descriptor has been looked at; its first job may start in the next cycle."""


class Dispatcher:
    """Start a job for each iteration of each command.

    Parameters
    ----------
    commands : sequence of ScheduledCommand
    descriptors : DescriptorReader
    ledger : Ledger
    act, weight : OperandReader
    beside : OperandReader or None
        Of a machine with a vector unit.
    tables : TableLoader
    sink : ResultSink
    ends : list of int
        When each job has ended.

    Attributes
    ----------
    starts : list of int
        When each job starts.
    """

    def __init__(self, commands: Sequence[ScheduledCommand], descriptors: DescriptorReader,
                 ledger: Ledger, act: OperandReader, weight: OperandReader,
                 beside: OperandReader | None, tables: TableLoader, sink: ResultSink,
                 ends: Cycles):
        self._commands, self._descriptors, self._ledger = commands, descriptors, ledger
        self._act, self._weight, self._sink = act, weight, sink
        self._beside, self._tables = beside, tables
        self._queues = [each.queue for each in (act, weight, sink, beside) if each]
        self._ends = ends
        self.starts: Cycles = []

    def run(self) -> Step:
        """Carry all commands out."""
        ready, done = self._descriptors.ready, self._descriptors.done
        for number, each in enumerate(self._commands):
            if len(ready) <= number:
                yield ready, number
            checked = max(ready[number], (yield from self._ledger.count(number - UNDER_WAY + 1)))
            since = checked + CHECKED
            if each.command.loads_tags:
                since = yield from self._tables.load(number, each.command, since)
            places = list(iterations(each.command))
            for place, (at, job) in enumerate(zip(places, each.jobs, strict=True)):
                start = yield from self._room(since)
                cycles = each.row_cycles[place] if each.row_cycles else ()
                work = Work(len(self.starts), number, each.command, job, at,
                            place == len(places) - 1, cycles, each.result_tags)
                for queue, works in self._takers(work):
                    works.append(work)
                    queue.put.append(start)
                self.starts.append(start)
                self._tables.note_start(number, each.command)
                since = start + 1
            if each.command.notify:
                start = max(since, (yield from self._sink.queue.room()))
                self._sink.works.append(None)
                self._sink.queue.put.append(start)
            done.append(start)

    def _takers(self, work: Work) -> Iterator[tuple[Queue, list]]:
        """List whom a work is given to."""
        yield self._act.queue, self._act.works
        if work.multiplies:
            yield self._weight.queue, self._weight.works
        if self._beside and has_beside(work):
            yield self._beside.queue, self._beside.works
        yield self._sink.queue, self._sink.works

    def _room(self, since: int) -> Process[int]:
        """Say when the next job may start, which all have to have room for."""
        for queue in self._queues:
            since = max(since, (yield from queue.room()))
        ended = len(self.starts) - JOBS_UNDER_WAY
        if ended >= 0:
            if len(self._ends) <= ended:
                yield self._ends, ended
            since = max(since, self._ends[ended] + RELEASED)
        return since
