"""The machine's schedule: the counters of jobs, from their shapes and precisions alone.

Engines are recurrences over what they wait for: a tile is used when it is whole, memories give room
back tile by tile, and everything in between moves at one block, beat or group per cycle. So the
times of tiles and passes follow from those before, and equal the machine's to the cycle.

>>> from hw.contract.config import Config
>>> from perf.rtl.schedule import predict, uniform_job
>>> config = Config.sized(rows=64, cols=64)
>>> job = uniform_job(config, 256, 4608, 1152, act_share=0.05)
>>> predict(config, [job] * 3)[1].cycles  # between neighbours
21600

===============  =========================================================================
module           what it follows
===============  =========================================================================
`machine`        all engines, job by job
`scheduled_job`  what a job is to the schedule
`mixes`          jobs of which only shares are known
`streams`        whose turn it is on a shared stream
`rooms`          room for tiles; each engine's place in the queue of jobs
`loading`        rows of numbers: `hw.activations.row_unpacker` to `hw.activations.tile_stage`
`chain`          registers in a row, `hw.streams.register_slice`
`banks`          `hw.activations.reorder`
`stage`          `outlier_detector`, `tile_tags`, `tile_stage` of `hw.activations`
`packed`         `hw.activations.packed_unpacker`
`tiles`          token tiles of either kind, to `hw.operands.tile_writer`
`weights`        `hw.operands.weight_loader`
`array`          `hw.array.block_walker`, `hw.array.beat_issuer`
`results`        `result_path`, `float_packets`, `block_assembler`, `result_stream` of `hw.results`
`packing`        `hw.blocks.mx_packer`
`conversion`     conversions, from the stage to the stream
`latencies`      registers in between
===============  =========================================================================
"""

from perf.rtl.schedule.machine import predict
from perf.rtl.schedule.mixes import uniform_job
from perf.rtl.schedule.scheduled_job import COUNTER_NAMES, JobCounters, ScheduledJob

__all__ = ["COUNTER_NAMES", "JobCounters", "ScheduledJob", "predict", "uniform_job"]
