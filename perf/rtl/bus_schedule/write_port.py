"""The bus's write side and the memory's answers: `hw.memory.write_port`."""

from itertools import count

from hw.contract.config import Config
from hw.streams.memory_fifo import MemoryFIFO
from perf.rtl.bus_schedule.burst_former import BurstFormer
from perf.rtl.bus_schedule.bus_memory import Latencies
from perf.rtl.bus_schedule.ledger import Ledger
from perf.rtl.bus_schedule.network import Cycles, Step
from perf.rtl.bus_schedule.read_port import OFFERED
from perf.rtl.schedule.latencies import NOT_YET, RELEASED

MARKED = MemoryFIFO.latency
"""A burst begins; its answer is taken this much later at the earliest."""


class WritePort:
    """Send bursts, and note in the ledger whose last answer has come.

    Parameters
    ----------
    config : Config
    latencies : Latencies
    former : BurstFormer
    ledger : Ledger

    Attributes
    ----------
    answered : list of int
        When the answer to each burst came.
    sent : int or None
        When the memory had all of a burst for whose answer nothing has been drawn yet.
    words, owed, stalls : int
        That were sent; the cycles that each burst was owed, summed, and those in which an address
        or a word was offered and not taken.
    """

    def __init__(self, config: Config, latencies: Latencies, former: BurstFormer, ledger: Ledger):
        self._outstanding, self._latencies = config.outstanding, latencies
        self._addresses, self._words, self._answers = (
            latencies.pauses(name) for name in ("aw", "w", "b"))
        self._former, self._ledger = former, ledger
        self.answered: list[int] = []
        self.sent: int | None = None
        self._later: Cycles = []
        self.words = self.owed = self.stalls = 0

    @property
    def bursts(self) -> int:
        """How many were sent."""
        return len(self.answered)

    def run(self) -> Step:
        """Send for as long as there are bursts."""
        runs, words, answered = self._former.runs, self._former.words, self.answered
        sent = asked = NOT_YET
        held = 0  # cycles in which an answer waited to be taken: nothing is drawn for its channel
        for number in count():
            begun = max(sent, asked, (yield from runs.offered()))
            run = self._former.made[number]
            if run.after and answered:
                begun = max(begun, answered[-1] + RELEASED)
            elif number >= self._outstanding:
                begun = max(begun, answered[number - self._outstanding] + RELEASED)
            runs.taken.append(begun)
            sent, asked = begun, self._addresses.opens(begun + OFFERED)
            self.stalls += asked - begun - OFFERED
            for _ in range(run.beats):
                offered = max(sent + 1, (yield from words.offered()))
                sent = self._words.opens(offered)
                self.stalls += max(0, sent - max(offered, asked))
                words.taken.append(sent)
            answer = max(asked, sent) + self._latencies.write
            if self._latencies.jitter:
                self.sent = max(asked, sent)
                yield self._later, number
                answer += self._later[number]
            if answered:
                answer = max(answer, answered[-1] + 1)
            offered = self._answers.opens(answer - held) + held
            answer = max(offered, begun + MARKED)
            held += answer - offered
            answered.append(answer)
            self.words += run.beats
            self.owed += answer - asked
            if run.ends:
                self._ledger.ended.append(answer)

    def answer(self, later: int) -> None:
        """Let the answer come so much later than usual."""
        self.sent = None
        self._later.append(later)
