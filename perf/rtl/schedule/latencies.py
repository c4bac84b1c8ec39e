"""Cycles between registers, each written once and taken from the component where that says it."""

from dataclasses import dataclass
from functools import cache

from hw.activations.outlier_detector import detection_cycles
from hw.activations.tile_stage import TileStage
from hw.array.mac_array import array_latency
from hw.blocks.block_aligner import BlockAligner
from hw.contract.config import Config
from hw.results.result_converter import ResultConverter
from hw.results.result_path import drain_latency
from hw.streams.stream_fifo import StreamFIFO

NOT_YET = -1
"""When something happened that has not: a cycle before all others, which holds nothing up."""

QUEUED = 1
"""A started job is at the head of an engine's queue in the next cycle: `hw.control.job_queue`."""

TAKEN = 1
"""An engine that takes a job is busy with it from the next cycle on."""

CUT = 1
"""The last beat of a block, or of a chunk, is taken; it is offered in the next cycle."""

ALIGNMENT = 2 + BlockAligner.latency
"""Registers between the cut (or reordered) row and the stage: in order, widened, aligned."""

SCATTERED = 1
"""`hw.activations.scatter` takes a block; its first elements are written a cycle later."""

GATHERED = 1
"""The banks hold a whole row; the first read is in the next cycle, its block at `gather`'s
output one later."""

RELEASED = 1
"""Room that is given back counts in the next cycle: stage, detector's memories, operand memories,
credits, the queue of tags, and buffers of streams."""

TAG_SETTLED = 1
"""A tag is taken by `hw.activations.tile_tags`; it is handed out in the next cycle."""

TAG_QUEUED = StreamFIFO.latency
"""A settled tag's way through the stage's queue."""

TAGS_BEHIND_MEMORY = 3
"""Tags that have left the memory of the stage's queue: at its output, and two registers."""

STAGE_READ = TileStage.latency - TAG_SETTLED - TAG_QUEUED
"""Registers between a block's read in the stage and the stage's output: fetched, rounded."""

TILE_ANNOUNCED = 2
"""An untagged tile is announced by `hw.activations.tile_tags`; the stage's reader knows of it two
cycles later: an Amaranth `SyncFIFOBuffered`."""

STORED = TileStage.untagged_latency - STAGE_READ
"""A block is stored in the stage; if its tile needs no tags, it may be read in the next cycle."""

PACKED_BUFFERED = 1
"""Register between `hw.activations.packed_unpacker` and the router, a `StreamBuffer`."""

TILE_KNOWN = 2
"""A tile's last block is written; the walker sees one more tile two cycles later."""

CHUNK_KNOWN = CUT + TILE_KNOWN
"""The last beat of a column tile is taken; the walker sees one more."""

WALKED = 3
"""A pair of blocks is stepped over; the issuer sees it: flags read, queue of two registers."""

CONVERTED = 1 + ResultConverter.latency
"""Registers between gathered blocks of results and the packer: assembler's, converter's."""

NARROWED = 1
"""Results enter `hw.results.float_packets`; they are offered to the stream a cycle later."""

ENDED = 1
"""A job's last beat leaves; the job has ended in the next cycle: `hw.results.result_stream`."""

SEARCH_START = 2
"""The last magnitude of a tile is taken; its search may start: `hw.activations.tile_maxima`."""


@dataclass(frozen=True)
class ArrayLatencies:
    """What follows from how the array is built.

    Attributes
    ----------
    capture : int
        From a tile's last beat at the issuer to its sums in the result registers.
    queue : int
        From there to the output of the queue of results.
    interval : int
        Least cycles between the last beats of two tiles.
    """

    capture: int
    queue: int
    interval: int


@cache
def array_latencies(config: Config) -> ArrayLatencies:
    """Look the array's latencies up."""
    latency = array_latency(config)
    return ArrayLatencies(capture=1 + latency, queue=drain_latency(config) + StreamFIFO.latency,
                          interval=max(config.drain_cycles, latency))


@cache
def search_cycles(k_blocks: int) -> int:
    """Count the cycles that a search adds to a tile's detection."""
    return detection_cycles(k_blocks, search=True) - detection_cycles(k_blocks, search=False)


FIRST_TAG = detection_cycles(1, search=False) - SEARCH_START
"""A search without passes starts; its first tag is offered."""

NEXT_SEARCH = 1
"""The last tag of a tile is taken; the next search may start."""
