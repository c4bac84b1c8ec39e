"""The schedule of the machine between memory and a command ring: cycles and counters of lists.

As in `perf.rtl.schedule`, whose latencies these are, every part computes cycles from cycles. But
here a beat comes when the bus brings it, so each part is a process of its own, which follows every
block, beat or word, and goes on as far as it knows what it waits for. Nothing depends on who is
computed first, but on the bus, whose read side is shared and whose memory may draw latencies, and
where rows of passes meet those that come back: there the earliest thing happens first, once nobody
can go on without it.

===================  =======================================================================
module               what it follows
===================  =======================================================================
`machine`            all of it: `hw.memory_machine`
`scope`              what is not followed, and is refused
`network`            processes, and one decision at a time
`stages`             what results go through on their way out
`work`               a command, and what the dispatcher tells of an iteration
`queues`             `hw.streams.memory_fifo`, `hw.streams.stream_buffer`
`descriptor_reader`  `hw.memory.descriptor_reader`
`dispatcher`         `dispatcher`, `batch_walk` of `hw.memory`
`table_loader`       `hw.memory.table_loader`, for static tags
`ledger`             `hw.memory.ledger`, and the operands' fences
`beside_reader`      `hw.memory.beside_reader`
`operand_reader`     `row_reader`, `tile_reader`, `tile_extent`, `operand_reader` of `hw.memory`
`read_channel`       `read_channel`, `burst_splitter` of `hw.memory`
`read_port`          `hw.memory.read_port`, and the memory's words
`bus`                in what order things happen on the bus
`bus_memory`         latencies, as `simulation/harness/memory.h` has and draws them
`aligner`            `aligner`, `beat_splitter` of `hw.memory`
`loading`            rows of numbers: `hw.activations.row_unpacker` to `hw.activations.tile_stage`
`pass_gate`          `pass_gate` of `hw.activations`, and the registers to the stage
`vector_unit`        `hw.vector.vector_unit`: all of the following five
`row_passes`         `row_passes`, `row_operands` of `hw.vector`
`row_cycles`         `row_mean`, `row_scale` of `hw.vector`, by a row's numbers
`operand_loader`     `hw.vector.operand_loader`
`vector_pipe`        `vector_pipe`, `tile_rows` of `hw.vector`
`lane_results`       `hw.vector.lane_results`
`packed`             `hw.activations.packed_unpacker`
`tagging`            `outlier_detector`, `tile_tags` of `hw.activations`
`stage_reader`       blocks on their way out of `hw.activations.tile_stage`
`router`             `tile_router`, `tile_writer` of `hw.operands`
`weights`            `hw.operands.weight_loader`
`rooms`              `hw.operands.tile_space`
`array`              `hw.array.block_walker`, `hw.array.beat_issuer`
`groups`             groups of rows on their way from `hw.results.result_path`
`job_merge`          `hw.streams.job_merge`
`results`            `float_packets`, `block_assembler` of `hw.results`
`block_cutter`       `part_joiner`, `tile_turner` of `hw.results`
`result_tags`        `hw.results.result_tags`
`packing`            `hw.blocks.mx_packer`
`beats`              beats of results
`result_stream`      `hw.results.result_stream`
`result_sink`        `result_sink`, `count_writer` of `hw.memory`
`row_writer`         `row_writer`, `line_joiner` of `hw.memory`
`packed_writer`      `hw.memory.packed_writer`
`stores`             words on their way to memory
`word_joiner`        `hw.memory.word_joiner`
`burst_former`       `hw.memory.burst_former`
`write_port`         `hw.memory.write_port`, and the memory's answers
===================  =======================================================================
"""

from perf.rtl.bus_schedule.bus_memory import Latencies
from perf.rtl.bus_schedule.machine import ListSchedule, predict_list
from perf.rtl.bus_schedule.work import ScheduledCommand

__all__ = ["Latencies", "ListSchedule", "ScheduledCommand", "predict_list"]
