"""Parts of a word that follow each other become one: `hw.memory.word_joiner`."""

from itertools import count

from hw.contract.config import Config
from perf.rtl.bus_schedule.network import Step
from perf.rtl.bus_schedule.stores import Store, Stores
from perf.rtl.schedule.latencies import NOT_YET


class WordJoiner:
    """Keep a word until another one comes, or it is whole or the last of its command.

    Parameters
    ----------
    config : Config
    i, o : Stores
    """

    def __init__(self, config: Config, i: Stores, o: Stores):
        self._whole, self._i, self._o = (1 << config.bus_bytes) - 1, i, o

    def run(self) -> Step:
        """Join for as long as words come."""
        i, o, since = self._i, self._o, NOT_YET
        kept: Store | None = None
        for place in count():
            if kept and self._is_complete(kept):
                o.offer(kept, since)
                yield o.taken, len(o.offered) - 1
                kept, since = None, o.taken[-1]
            if len(i.offered) <= place:
                yield i.offered, place
            word, cycle = i.words[place], max(i.offered[place], since)
            if kept and (word.after or word.word != kept.word):
                o.offer(kept, cycle)
                yield o.taken, len(o.offered) - 1
                kept, cycle = None, o.taken[-1]
            i.taken.append(cycle)
            kept = word._replace(strobes=word.strobes | kept.strobes) if kept else word
            since = cycle + 1

    def _is_complete(self, word: Store) -> bool:
        return word.ends or word.after or word.strobes == self._whole
