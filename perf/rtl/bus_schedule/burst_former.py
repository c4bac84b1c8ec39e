"""Words that follow each other become bursts: `hw.memory.burst_former`."""

from itertools import count
from typing import NamedTuple

from hw.contract.config import Config
from hw.memory.burst_former import PATIENCE
from hw.memory.write_port import BURSTS
from perf.rtl.bus_schedule.network import Step
from perf.rtl.bus_schedule.queues import Queue
from perf.rtl.bus_schedule.stores import Stores
from perf.rtl.schedule.latencies import NOT_YET


class Run(NamedTuple):
    """A burst of which all words are there; see `hw.memory.burst_former.run_layout`."""

    beats: int
    ends: bool = False
    after: bool = False


class BurstFormer:
    """Queue words, and say which of them make a burst.

    Parameters
    ----------
    config : Config
    stores : Stores

    Attributes
    ----------
    words, runs : Queue
    made : list of Run
        That were put into `runs`.
    patient_until : int or None
        A burst is being formed, and ends then if no other word has come.
    """

    def __init__(self, config: Config, stores: Stores):
        self._stores, self._most = stores, config.burst_beats
        self.words, self.runs = Queue(config.burst_beats * BURSTS), Queue(BURSTS)
        self.made: list[Run] = []
        self.patient_until: int | None = None
        self._is_expired = False

    def run(self) -> Step:
        """Form bursts for as long as words come."""
        stores, words, runs = self._stores, self.words, self.runs
        beats, following, taken = 0, -1, NOT_YET
        for place in count():
            self.patient_until = taken + PATIENCE if beats else None
            while len(stores.offered) <= place:
                yield stores.news, len(stores.news)
                if self._is_expired:
                    self._is_expired = False
                    closed = max(taken + PATIENCE, (yield from runs.room()))
                    if closed > self.patient_until:
                        self.patient_until = closed
                    else:
                        self._make(Run(beats), closed)
                        beats, self.patient_until = 0, None
            self.patient_until = None
            cycle, store = stores.offered[place], stores.words[place]
            if beats and cycle > taken + PATIENCE:
                closed = max(taken + PATIENCE, (yield from runs.room()))
                if closed < cycle:
                    self._make(Run(beats), closed)
                    beats = 0
            fills = store.ends or store.after or store.word % self._most == self._most - 1
            if beats and (store.word != following or store.after):
                cycle = max(cycle, (yield from runs.room()))
                self._make(Run(beats), cycle)
                beats, cycle = 0, cycle + fills  # one burst at a time
            cycle = max(cycle, (yield from words.room()))
            beats += 1
            if fills:
                cycle = max(cycle, (yield from runs.room()))
                self._make(Run(beats, store.ends, store.after), cycle)
                beats = 0
            words.put.append(cycle)
            stores.taken.append(cycle)
            following, taken = store.word + 1, cycle

    def expire(self) -> None:
        """Say that no word comes until the one has ended that is being formed."""
        self._is_expired = True
        self._stores.news.append(self.patient_until)

    def _make(self, run: Run, cycle: int) -> None:
        self.made.append(run)
        self.runs.put.append(cycle)
