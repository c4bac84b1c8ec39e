"""The bus's write side and the memory's answers: `hw.memory.write_port`."""

from itertools import count

from hw.contract.config import Config
from hw.streams.stream_fifo import StreamFIFO
from perf.rtl.bus_schedule.burst_former import BurstFormer
from perf.rtl.bus_schedule.bus_memory import Latencies
from perf.rtl.bus_schedule.ledger import Ledger
from perf.rtl.bus_schedule.network import Step
from perf.rtl.bus_schedule.read_port import OFFERED
from perf.rtl.schedule.latencies import NOT_YET, RELEASED

MARKED = StreamFIFO.latency
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
    words, owed : int
        That were sent; the cycles that each burst was owed, summed.
    """

    def __init__(self, config: Config, latencies: Latencies, former: BurstFormer, ledger: Ledger):
        self._outstanding, self._latency = config.outstanding, latencies.write
        self._former, self._ledger = former, ledger
        self.answered: list[int] = []
        self.words = self.owed = 0

    @property
    def bursts(self) -> int:
        """How many were sent."""
        return len(self.answered)

    def run(self) -> Step:
        """Send for as long as there are bursts."""
        runs, words, answered = self._former.runs, self._former.words, self.answered
        sent = NOT_YET
        for number in count():
            begun = max(sent, (yield from runs.offered()))
            run = self._former.made[number]
            if run.after and answered:
                begun = max(begun, answered[-1] + RELEASED)
            elif number >= self._outstanding:
                begun = max(begun, answered[number - self._outstanding] + RELEASED)
            runs.taken.append(begun)
            sent = begun
            for _ in range(run.beats):
                sent = max(sent + 1, (yield from words.offered()))
                words.taken.append(sent)
            asked = begun + OFFERED
            answer = max(max(asked, sent) + self._latency, begun + MARKED)
            if answered:
                answer = max(answer, answered[-1] + 1)
            answered.append(answer)
            self.words += run.beats
            self.owed += answer - asked
            if run.ends:
                self._ledger.ended.append(answer)
