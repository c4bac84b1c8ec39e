"""Tiles in `hw.activations.tile_stage`, from the search to blocks that leave for the router."""

from collections import deque
from dataclasses import dataclass

from hw.activations.tile_tags import TILES_AHEAD
from hw.contract.config import Config
from perf.rtl.schedule.latencies import (
    FIRST_TAG,
    NEXT_SEARCH,
    NOT_YET,
    RELEASED,
    SEARCH_START,
    STAGE_READ,
    TAG_SETTLED,
    TAGS_BEHIND_MEMORY,
    TILE_ANNOUNCED,
    search_cycles,
)


@dataclass(frozen=True)
class Reads:
    """When the blocks of a tile, or of a K-block of one, were read in the stage.

    Attributes
    ----------
    early : list of int
        The first, which wait in the stage's registers and not in its memory.
    first : int
        When the first would have been read, had it not been early.
    rows : int
        Blocks per K-block.
    """

    early: list[int]
    first: int
    rows: int

    def of(self, k_block: int) -> int:
        """Tell when the last block of a K-block was read."""
        block = (k_block + 1) * self.rows - 1
        return self.early[block] if block < len(self.early) else self.first + block


class Tagging:
    """Settle tags: the search in `outlier_detector`, then `tile_tags` of `hw.activations`.

    Parameters
    ----------
    config : Config
    """

    def __init__(self, config: Config):
        self._room = config.k_blocks_max + TAGS_BEHIND_MEMORY
        self._offered = self._given = self._taken = NOT_YET  # of the last tag
        self._announced = NOT_YET  # the last untagged tile
        self._tag = self._left = 0  # handed out, and read
        self._popped: deque[tuple[int, int, Reads]] = deque()
        self._read: deque[int] = deque([NOT_YET] * TILES_AHEAD, maxlen=TILES_AHEAD)

    @property
    def searched(self) -> int:
        """When the last tile's last tag was taken, and its magnitudes were not needed any more."""
        return self._taken

    @property
    def done(self) -> int:
        """When the last tile was: its last tag was taken, or it was announced without any."""
        return max(self._taken, self._announced)

    @property
    def given(self) -> int:
        """When the last tag was handed out."""
        return self._given

    def announce(self, busy: int) -> int:
        """Announce an untagged tile, from cycle `busy` on; return when the stage knows of it."""
        self._announced = max(self._announced + 1, self._read[0] + RELEASED, busy)
        return self._announced + TILE_ANNOUNCED

    def search(self, whole: int, k_blocks: int, searches: bool, busy: int) -> None:
        """Search a tile that is whole, its last block having come in cycle `whole`."""
        start = max(whole + SEARCH_START, self._taken + NEXT_SEARCH)
        passes = search_cycles(k_blocks) if searches else 0
        self._offered = max(start + FIRST_TAG + passes, self._read[0] + RELEASED, busy)

    def settle(self, tags: int, gate: int = NOT_YET) -> int:
        """Hand out the tile's next tags from cycle `gate` on; return when the first was."""
        taken = max(self._offered, self._given)
        first = max(taken + TAG_SETTLED, gate, self._room_for(self._tag))
        self._given, self._taken = first, taken
        for tag in range(max(1, tags - 2), tags):  # those before never wait longer
            # A tag is taken when the one before is handed out, in the same cycle.
            self._taken = max(taken + tag, self._given)
            self._given = max(self._taken + TAG_SETTLED, first + tag,
                              self._room_for(self._tag + tag))
        self._offered = self._taken + 1
        self._tag += tags
        return first

    def _room_for(self, tag: int) -> int:
        """Say when the queue has room for a tag: when an earlier one has left it."""
        wanted = tag - self._room
        while self._popped and self._popped[0][1] <= wanted:
            self._popped.popleft()
        if not self._popped or wanted < self._popped[0][0]:
            return NOT_YET
        first, _, reads = self._popped[0]
        return reads.of(wanted - first) + 1 + RELEASED

    def pop(self, tags: int, reads: Reads) -> None:
        """Note that the next tags leave the queue, each with the last read of its K-block."""
        self._popped.append((self._left, self._left + tags, reads))
        self._left += tags

    def note_read(self, end: int) -> None:
        """Note that the last block of a tile was read."""
        self._read.append(end)


class StageReader:
    """Read the blocks of tiles and offer them, rounded, to the router.

    Behind the memory's output comes a `StreamBuffer` of `hw.streams`: it holds one block more than
    the cycles that a block takes, and knows a cycle late that there is room.
    """

    def __init__(self) -> None:
        self._read = NOT_YET
        self._sent = deque([NOT_YET - 1] * (STAGE_READ + 1), maxlen=STAGE_READ + 1)

    @property
    def sent(self) -> int:
        """When the last block left."""
        return self._sent[-1]

    @property
    def last_read(self) -> int:
        """When the last block was read."""
        return self._read

    def send(self, rows: int, k_blocks: int, since: int, gate: int) -> Reads:
        """Send the blocks of so many K-blocks, the first from cycle `gate` on.

        Parameters
        ----------
        rows, k_blocks : int
        since : int
            From then on they may be read, one a cycle.
        gate : int
            From then on the router has room for all of these blocks.
        """
        blocks = rows * k_blocks
        read = max(self._read + 1, self._sent[0] + RELEASED, since)
        first = max(read + STAGE_READ, self._sent[-1] + 1, gate)
        early = []
        for index in range(min(blocks, STAGE_READ + 1)):
            early.append(read)
            self._sent.append(first + index)
            read = max(read + 1, self._sent[0] + RELEASED)
        last = first + blocks - 1
        if blocks > STAGE_READ + 1:
            self._sent.extend(range(last - STAGE_READ, last + 1))
            self._read = last - STAGE_READ
        else:
            self._read = early[-1]
        return Reads(early, first - STAGE_READ, rows)
