"""Packets of MX blocks: `hw.blocks.mx_packer`."""

from hw.contract.config import Config
from perf.rtl.schedule.latencies import CUT, NOT_YET
from perf.rtl.schedule.weights import chunk_beats


class Packer:
    """Fill K-blocks up and cut them into units, and those into beats of the result stream.

    Parameters
    ----------
    config : Config
    unit_bytes : int
        As in `hw.blocks.mx_packer.MXPacker`.
    """

    def __init__(self, config: Config, unit_bytes: int):
        self.unit_bytes = unit_bytes
        self._per_beat = config.result_bytes // unit_bytes
        self._filled = self._cut = self._gathered = NOT_YET
        self.tags_taken = NOT_YET

    @property
    def gate(self) -> int:
        """When the first block of the next K-block may come."""
        return self._filled

    def start_job(self, turn: int) -> None:
        """Start a job, whose first beat leaves no earlier than in cycle `turn`."""
        self._turn = turn
        # Units that need not wait for it; None once it has left.
        self._ahead: int | None = self._per_beat if self._per_beat > 1 else 0

    def pack(self, last_block: int, rows: int, is_mx9: bool, tags: int | None,
             ends_packet: bool) -> None:
        """Pack a K-block.

        Parameters
        ----------
        last_block : int
            When its last block came.
        rows : int
        is_mx9 : bool
        tags : int, optional
            When the last of the tags came that go before it, if any do.
        ends_packet : bool
        """
        _, bases, residuals = chunk_beats(rows, self.unit_bytes)
        units = bases + residuals * is_mx9
        self._filled = max(last_block + 1, self._cut)
        first = max(self._filled, self._gathered) + 1
        if tags is not None:
            units += 1
            first = max(first, tags + CUT)
        if tags is not None:
            self.tags_taken = first
        self._cut = first + units - 1
        self._gathered = self._cut
        if self._ahead is not None:
            self._count_ahead(units - self._ahead, ends_packet)

    def _count_ahead(self, behind: int, ends_packet: bool) -> None:
        """Hold the units behind the job's first beat back until that has left.

        One more is cut already: it waits in a `hw.streams.skid_buffer.SkidBuffer`.
        """
        if behind > 0:
            self._gathered = max(self._cut, self._turn + behind - 1)
            if behind > 1:
                self._cut = self._gathered
            self._ahead = None
        else:
            self._ahead = 0 if ends_packet else -behind

    @property
    def ended(self) -> int:
        """When the last beat leaves."""
        return max(self._gathered + (self._per_beat > 1), self._turn)
