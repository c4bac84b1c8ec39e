"""Who writes each job's results: `hw.memory.result_sink`, `count_writer`."""

from golden.memory.descriptor import WORD_BYTES
from hw.contract.config import Config
from perf.rtl.bus_schedule.beats import Beats
from perf.rtl.bus_schedule.network import Step
from perf.rtl.bus_schedule.packed_writer import PackedWriter
from perf.rtl.bus_schedule.queues import Queue
from perf.rtl.bus_schedule.row_writer import RowWriter
from perf.rtl.bus_schedule.stores import Store, Stores
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import TAKEN


class ResultSink:
    """Write the results of works, one after the other.

    Parameters
    ----------
    config : Config
    beats : Beats
        Of the result stream.
    stores : Stores
    works : int
        That wait.
    notify_address : int
        Where counts go.

    Attributes
    ----------
    queue : Queue
        Of works.
    works : list of Work or None
        That were put into it; None for a count.
    """

    def __init__(self, config: Config, beats: Beats, stores: Stores, works: int,
                 notify_address: int):
        self._stores = stores
        word, offset = divmod(notify_address, config.bus_bytes)
        self._count = Store(word, ((1 << WORD_BYTES) - 1) << offset, ends=True, after=True)
        self.rows = RowWriter(config, beats, stores)
        self._packed = PackedWriter(config, beats, stores)
        self.queue = Queue(works)
        self.works: list[Work | None] = []

    def run(self) -> Step:
        """Write for as long as there are works."""
        stores = self._stores
        while True:
            since = yield from self.queue.offered()
            work = self.works[len(self.queue.taken)]
            if work is None:
                stores.offer(self._count, max(since, (yield from self.rows.empty())))
                if len(stores.taken) < len(stores.offered):
                    yield stores.taken, len(stores.offered) - 1
                self.queue.taken.append(stores.taken[-1])
            elif work.job.packs_results or work.job.kind.converts:
                # What is in lines belongs to a command before.
                since = max(since + TAKEN, (yield from self.rows.empty()))
                self.queue.taken.append((yield from self._packed.write_job(work, since)))
            else:
                yield from self.rows.write_job(work, since + TAKEN, self.queue.taken)
