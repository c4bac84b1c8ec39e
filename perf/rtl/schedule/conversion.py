"""Jobs that convert: tiles leave the stage K-block by K-block as packets."""

from hw.contract.config import Config
from perf.rtl.schedule.latencies import RELEASED, TAG_QUEUED
from perf.rtl.schedule.loading import Shape
from perf.rtl.schedule.packing import Packer
from perf.rtl.schedule.scheduled_job import ScheduledJob
from perf.rtl.schedule.tiles import TokenTiles


class Converter:
    """Pack the tiles of conversions.

    Parameters
    ----------
    config : Config
    tiles : TokenTiles
    """

    def __init__(self, config: Config, tiles: TokenTiles):
        self._tiles = tiles
        self._packer = Packer(config, config.weight_bytes)

    def run(self, job: ScheduledJob, turn: int) -> int:
        """Convert; return when the last beat leaves.

        Parameters
        ----------
        job : ScheduledJob
        turn : int
            When the first beat may leave.
        """
        self._packer.start_job(turn)
        mx9 = job.precisions[0]
        for index, shape in enumerate(self._tiles.shapes):
            self._convert(shape, mx9[index % len(mx9)].tolist())
        return self._packer.ended

    def _convert(self, shape: Shape, mx9: list[bool]) -> None:
        tiles, packer = self._tiles, self._packer
        tiles.stage_tile(shape)
        per_unit = 8 * packer.unit_bytes
        for first in range(0, shape.k_blocks, per_unit):
            tags = min(per_unit, shape.k_blocks - first)
            tag = tiles.tagging.settle(tags, packer.tags_taken + RELEASED)
            all_tags = tiles.tagging.given
            for k_block in range(first, first + tags):
                gate = max(packer.gate, tiles.routed)
                since = tag + k_block - first + TAG_QUEUED
                reads = tiles.reader.send(shape.rows, 1, since, gate)
                tiles.tagging.pop(1, reads)
                packer.pack(tiles.reader.sent, shape.rows, mx9[k_block],
                            all_tags if k_block == first else None,
                            k_block == shape.k_blocks - 1)
        tiles.note_sent(shape)
