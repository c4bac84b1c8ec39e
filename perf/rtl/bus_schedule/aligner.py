"""Pieces of memory to beats: `hw.memory.aligner`, `beat_splitter`, and the engines' buffer."""

from collections import deque

from hw.contract.config import Config
from perf.rtl.bus_schedule.network import Cycles, Step
from perf.rtl.bus_schedule.queues import Queue, buffer_room
from perf.rtl.bus_schedule.read_channel import ReadChannel
from perf.rtl.schedule.latencies import NOT_YET, RELEASED

HELD = 1
"""A word is taken; what is in it may leave in the next cycle."""


class Aligner:
    """Cut pieces out of words.

    Word j of a piece is taken in W[j], and beat j of it leaves in S[j]. A piece that begins with a
    word takes the next word when the beat before leaves, any other needs it for that beat:

        S[j] = max(W[j] + 1, room)         W[j+1] = max(word, S[j])
        S[j] = max(W[j] + 1, word, room)   W[j+1] = S[j]

    The last beat of the second kind may find all of its bytes in the word before. The next piece's
    first word comes while a piece's last beat leaves, unless that takes a word itself.

    Parameters
    ----------
    config : Config
    channel : ReadChannel
    beat_bytes : int
        Of a beat of the engines' stream.
    ahead : int
        Pieces that wait.

    Attributes
    ----------
    cuts : Queue
        Of pieces; see `pieces`.
    pieces : deque of (int, int)
        Address and bytes of those that are asked for.
    beats, taken : list of int
        From when on each beat is offered to the engines, and when they took it.
    """

    def __init__(self, config: Config, channel: ReadChannel, beat_bytes: int, ahead: int):
        self._word, self._beat, self._channel = config.bus_bytes, beat_bytes, channel
        self.cuts = Queue(ahead)
        self.pieces: deque[tuple[int, int]] = deque()
        self.beats: Cycles = []
        self.taken: Cycles = []

    def run(self) -> Step:
        """Cut pieces for as long as there are any."""
        channel, ended, takes_word = self._channel, NOT_YET, False
        while True:
            begun = max((yield from self.cuts.offered()), ended)
            self.cuts.taken.append(begun)
            address, length = self.pieces.popleft()
            offset = address % self._word
            words = -(-(offset + length) // self._word)
            first = begun + (takes_word and begun == ended)
            word = max(first, (yield from channel.word()))
            channel.left.append(word)
            for beat, left in enumerate(range(length, 0, -self._word), 1):
                sent = word + HELD
                takes_word = bool(offset) and beat < words
                if takes_word:
                    sent = max(sent, (yield from channel.word()))
                sent = yield from self._send(sent, min(left, self._word))
                if takes_word:
                    word = sent
                    channel.left.append(word)
                elif left > self._word:
                    word = max(sent, (yield from channel.word()))
                    channel.left.append(word)
            ended = sent

    def _send(self, offered: int, size: int) -> Step:
        """Send so many bytes as one or several beats; return when the last left."""
        for _ in range(0, size, self._beat):
            left = max(offered, (yield from buffer_room(self.taken, len(self.beats))))
            self.beats.append(left + RELEASED)
            offered = left + 1
        return left
