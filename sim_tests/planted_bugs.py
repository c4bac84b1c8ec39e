"""Plant bugs, one at a time, and see that a test turns red: ``mixdit check planted-bugs``.

Each bug is a replacement in a copy of the sources under ``build/planted``, and of its test run the
cases that ``make test`` runs in every turn. A bug that no longer applies, or that its test does
not notice, is a failure.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from commands import builds, children, tools
from commands.exit_codes import ExitCode
from commands.outputs import check_folder
from commands.running import sentences
from commands.terminal import complain, make_console
from commands.tools import ToolError

ROOT = Path(__file__).resolve().parent.parent
COPY = ROOT / "build" / "planted"
PACKAGES = ("commands", "golden", "hw", "sim_tests", "quality", "docs", "perf", "simulation",
            "examples")


@dataclass(frozen=True)
class Bug:
    """A mistake somebody could make.

    Attributes
    ----------
    name : str
    file : str
        Where it is made.
    right, wrong : str
        What stands there, and what the bug puts in its place.
    test : str
        What has to notice, as pytest takes it.
    """

    name: str
    file: str
    right: str
    wrong: str
    test: str


VECTOR_FUNCTIONS = "golden/tests/test_vector_functions.py"
VECTOR_ROWS = "golden/tests/test_vector_rows.py"
VECTOR_SOFTMAX = "golden/tests/test_vector_softmax.py"
VECTOR_JOBS = "golden/tests/memory/test_vector_jobs.py"
ROW_PASSES = "sim_tests/vector/test_row_passes.py -k 4"
MACHINE = "sim_tests/accelerator/test_accelerator.py -k 4x4"
FAULTS = "sim_tests/accelerator/test_faults.py -k 4x4"
ICARUS = "sim_tests/accelerator/test_icarus.py -k nothing_unknown"
ABORT = "sim_tests/accelerator/test_abort.py -k 4x4"
ISOLATION = "sim_tests/accelerator/test_isolation.py -k 4x4"
RESET = "sim_tests/accelerator/test_reset.py -k 4x4"
CROSSING = "sim_tests/memory/test_clock_crossing.py -k clock_crossing[slower]"
FUZZ = "sim_tests/fuzz/test_fuzz.py -k 4x4"
GATE = "sim_tests/activations/test_pass_gate.py"
PASS_CHECK = "sim_tests/control/test_pass_check.py -k 4x4"
PASS_ROWS = "sim_tests/activations/test_rows_of_passes.py -k 32"
PASS_STAGE = "sim_tests/activations/test_stage_of_passes.py -k 3-4"
VECTOR_RESULTS = "sim_tests/memory/test_vector_results.py -k vector]"
ENGINE_PASSES = "sim_tests/engines/test_engine_passes.py -k 3x4"
PACKER = "sim_tests/blocks/test_choosing_packer.py -k 3-4"
VECTOR_UNIT = "sim_tests/vector/test_vector_unit.py -k four"
RING_C = "sim_tests/host/ring_c/test_c_ring.py"
PACK_C = "sim_tests/host/ring_c/test_c_pack.py"

BUGS = (
    Bug("golden truncates instead of rounding", "golden/accumulator.py",
        "np.maximum(distance - 1, 0)) + 1) >> 1", "np.maximum(distance - 1, 0))) >> 1",
        "golden/tests/test_accumulator.py"),
    Bug("converter: truncation for rounding", "hw/blocks/block_rounder.py",
        "(carry[RESIDUAL_BITS - 1] | adds_mx6)", "0", "sim_tests/blocks/test_mx_converter.py"),
    Bug("converter: ties away from zero", "hw/blocks/block_rounder.py",
        "~is_mx9 & (base[0] | below_mx6.any())", "~is_mx9",
         "sim_tests/blocks/test_mx_converter.py"),
    Bug("reorder: a conflict loses the elements of later lanes", "hw/activations/scatter.py",
        "next_pending.eq(pending & ~written)", "next_pending.eq(pending[:lanes] & ~written)",
        "sim_tests/activations/test_scatter.py"),
    Bug("a skid buffer that forgets what skidded aside", "hw/streams/skid_buffer.py",
        "with m.If(self.i.valid & ~is_aside):", "with m.If(self.i.valid):",
        "sim_tests/streams/test_skid_buffer.py"),
    Bug("weights: a count that outlasts an abort", "hw/blocks/chunk_reader.py",
        "Signal.like(coming[Content.BASES]", "Signal.like(last[Content.BASES]",
        "sim_tests/accelerator/test_abort.py"),
    Bug("converter: microexponent dropped", "hw/blocks/block_aligner.py",
        "block.microexponent[pair].eq(is_lower & ~is_nan)", "block.microexponent[pair].eq(0)",
        "sim_tests/blocks/test_mx_converter.py"),
    Bug("dot product: microexponents of B dropped", "hw/array/mac_cell.py",
        "port.microexponent.eq(operand.microexponent)]",
        "port.microexponent.eq(operand.microexponent if operand is self.a else 0)]",
        "sim_tests/array/test_mac_cell.py"),
    Bug("accumulator: truncation for rounding half up", "hw/array/mac_cell.py",
        "self.carry.eq(shifted[0])", "self.carry.eq(0)", "sim_tests/array/test_mac_cell.py"),
    Bug("normalizer: exponent off by one", "hw/results/normalizer.py",
        "- PRODUCT_BINADES -", "- PRODUCT_BINADES - 1 -", "sim_tests/results/test_normalizer.py"),
    Bug("detector: threshold reached instead of exceeded", "hw/activations/radix_select.py",
        "(value > pivot) | is_tie", "(value >= pivot) | is_tie",
        "sim_tests/activations/test_outlier_detector.py"),
    Bug("operands: anchor off by one", "hw/operands/operand_store.py",
        "(anchor - stored.exponent)[:8] + Mux", "(anchor - stored.exponent + 1)[:8] + Mux",
        MACHINE),
    Bug("operands: residual two binades down", "hw/operands/operand_store.py",
        "Mux(serve_residual, RESIDUAL_BITS, 0)", "Mux(serve_residual, RESIDUAL_BITS - 1, 0)",
        MACHINE),
    Bug("tags of outliers and others swapped", "hw/activations/tile_tags.py",
        "self.static_tags.is_mx9, settled.is_mx9)",
        "self.static_tags.is_mx9, ~settled.is_mx9)",
        "sim_tests/activations/test_tile_stage.py"),
    Bug("a head's precision ignored", "hw/activations/tile_tags.py",
        "policy.selection == Selection.HEAD", "0", "sim_tests/activations/test_tile_stage.py"),
    Bug("a waiting tile's ring wraps a block late", "hw/activations/tile_stage.py",
        "beyond >= depth", "beyond > depth", "sim_tests/activations/test_tile_stage.py"),
    Bug("residuals of a tile's last row alone", "hw/operands/tile_writer.py",
        "residual_above | rounded.has_residual", "rounded.has_residual",
        "sim_tests/operands/test_tile_writer.py"),
    Bug("beats lost under stall: no wait for room", "hw/array/beat_issuer.py",
        "can_end.eq((hold == 0) & (credits >= self.config.drain_cycles))", "can_end.eq(hold == 0)",
        MACHINE),
    Bug("last beats too close", "hw/array/beat_issuer.py",
        "can_end.eq((hold == 0) & (credits", "can_end.eq((credits", MACHINE),
    Bug("column tiles released too early", "hw/array/block_walker.py",
        "tile.releases_weight.eq(tokens.ends_group)", "tile.releases_weight.eq(tokens.tile == 0)",
        MACHINE),
    Bug("token tiles released too early", "hw/array/block_walker.py",
        "tile.releases_act.eq(columns.is_last)", "tile.releases_act.eq(columns.is_first)",
        MACHINE),
    Bug("a NaN column ignored", "hw/results/result_path.py",
        "(act == NAN_EXPONENT) | (weight == NAN_EXPONENT)", "act == NAN_EXPONENT",
        MACHINE),
    Bug("bias: subnormals count", "hw/floats/fp32_adder.py",
        "Cat(Mux(is_normal, number.mantissa, 0), is_normal)", "Cat(number.mantissa, is_normal)",
        "sim_tests/floats/test_fp32_adder.py"),
    Bug("FP32 results: ties away from zero", "hw/floats/fp32_rounding.py",
        "guard & (sticky | kept[0])", "guard", "sim_tests/floats/test_fp32_adder.py"),
    Bug("FP16 results: ties away from zero", "hw/results/narrow.py",
        "rest[-1] & (rest[:-1].any() | kept[0])", "rest[-1]", "sim_tests/results/test_narrow.py"),
    Bug("drain: the chain of rows ignores drain_lanes", "hw/array/mac_array.py",
        "rows[config.drain_rows:]", "rows[1:]", "sim_tests/array/test_mac_array.py -k 5-2-2"),
    Bug("MX results: a part too many at the edge", "hw/array/tile_loops.py",
        "Mux(self.block_ends, 0, self.part + 1)", "Mux(last_part, 0, self.part + 1)",
        "sim_tests/array/test_block_walker.py -k 3-4-2"),
    Bug("a late packet not dropped", "hw/streams/packet_guard.py",
        'm.next = "DROP"', 'm.next = "PASS"', FAULTS),
    Bug("a wrong tkeep not seen", "hw/streams/packet_guard.py",
        "self.bad_keep.eq(self.i.p.keep != self.keep)", "self.bad_keep.eq(0)", FAULTS),
    Bug("faults blamed on the next job too", "hw/streams/packet_guard.py",
        "Mux(job_ends, 0, so_far | faults)", "so_far | faults", FAULTS),
    Bug("no interrupt for a refused job", "hw/control/controller.py",
        "events.refused.eq(refused)", "events.refused.eq(0)", FAULTS),
    Bug("a job register compared in part", "hw/control/job_check.py",
        "k_too_large = self.job_k >", "k_too_large = job.k >",
        "sim_tests/control/test_job_check.py"),
    Bug("a field that the page does not have", "hw/registers/map.py",
        'Field("FREE", ', 'Field("VACANT", ', "sim_tests/registers/test_registers.py"),
    Bug("a table written while a job reads it", "hw/control/controller.py",
        "in_use.eq((table >= config.tables) | Array(self.tables_in_use)[table])",
        "in_use.eq(table >= config.tables)", FAULTS),
    Bug("a channel that comes twice unseen", "hw/control/table_record.py",
        "return (seen.read_data & bit).any()", "return Signal()",
        "sim_tests/control/test_table_record.py"),
    Bug("a cleared order that keeps its marks", "hw/control/table_record.py",
        "Array(is_stale)[self.clear.table].eq(1)", "Array(is_stale)[self.clear.table].eq(0)",
        "sim_tests/control/test_table_record.py"),
    Bug("an incomplete order taken for a whole one", "hw/control/table_record.py",
        "Array(last)[self.select] < self.loaded.channels", "1",
        "sim_tests/control/test_table_record.py"),
    Bug("a job with the order of another K", "hw/control/job_check.py",
        "~(loaded.is_whole & (loaded.channels == job.k))", "~loaded.is_whole",
        "sim_tests/control/test_job_check.py"),
    Bug("a NaN for a threshold", "hw/control/job_check.py",
        "self.job_threshold > FP32_INFINITY", "self.job_threshold[31]",
        "sim_tests/control/test_job_check.py"),
    Bug("M of 2^29 taken for zero", "hw/control/job_check.py",
        "(self.job_m == 0)", "(self.job_m[:29] == 0)", "sim_tests/control/test_job_check.py"),
    Bug("maxima of a job that was aborted before it began", "hw/activations/channel_maxima.py",
        "maxima.write_en.eq(is_writing & ~ResetSignal())", "maxima.write_en.eq(is_writing)",
        "sim_tests/activations/test_channel_maxima.py"),
    Bug("registers taken in reset", "hw/registers/csr.py",
        "bus.awready.eq(is_open & ~has_address)", "bus.awready.eq(~has_address)",
        "sim_tests/registers/test_csr.py"),
    Bug("emission: time zero left to Yosys", "hw/parts/emit.py",
        "wake_processes(without_initial_values(", "str(str(", ICARUS),
    Bug("emission: no event at time zero", "hw/parts/time_zero.py",
        "initial {_WAKE} <= 0;", "initial if (0) {_WAKE} <= 0;",
        "sim_tests/accelerator/test_icarus.py -k process_wakes"),
    Bug("issuer: a hold that outlasts the reset", "hw/array/beat_issuer.py",
        "max(2, self.interval)))", "max(2, self.interval)), reset_less=True)", ICARUS),
    Bug("an abort that does not reset the engines", "hw/accelerator.py",
        "engines_reset.eq(controller.drain)", "engines_reset.eq(0)", ABORT),
    Bug("gates that drain in a reset", "hw/accelerator.py",
        "gate.drain.eq(controller.drain)", "gate.drain.eq(engines_reset)", RESET),
    Bug("beats taken while the engines are in reset", "hw/engines.py",
        "port.ready.eq(buffer.i.ready & ~ResetSignal())", "port.ready.eq(buffer.i.ready)", RESET),
    Bug("the end of a job from before the reset", "hw/accelerator.py",
        "engines.job_ended & ~begins", "engines.job_ended", RESET),
    Bug("an abort that forgets the packet in progress", "hw/streams/stream_gate.py",
        "drops_rest.eq(drops & stays_inside)", "drops_rest.eq(0)", ABORT),
    Bug("driver: a wait that forgets the wrap of the count", "hw/host/driver.py",
        'self.read("JOBS_ENDED")) % _COUNTS', 'self.read("JOBS_ENDED"))',
        "sim_tests/host/test_driver.py"),
    Bug("driver: a wait that lets no other task run", "hw/host/driver.py",
        "    await asyncio.sleep(0)", "    pass", "sim_tests/host/test_driver.py"),
    Bug("a killed build taken for a whole one", "commands/builds.py",
        "if mark.exists():", "if False:", "commands/tests/test_builds.py -k killed"),
    Bug("C driver: a wait that forgets the wrap of the count", "hw/host/c/mixdit.c",
        "now - ended < UINT32_C(1) << 31", "now >= ended", "sim_tests/host/test_c_driver_calls.py"),
    Bug("C driver: events cleared that were not read", "hw/host/c/mixdit.c",
        "MIXDIT_REG_IRQ_PENDING, *events)", "MIXDIT_REG_IRQ_PENDING, UINT32_MAX)",
        "sim_tests/host/test_c_interrupts.py"),
    Bug("C example: the count read before the events are cleared", "examples/c/interrupts.c",
        """result = mixdit_take_events(machine, &events);

    if (result == MIXDIT_OK)
        result = mixdit_jobs_ended(machine, &now);""",
        """result = mixdit_jobs_ended(machine, &now);

    if (result == MIXDIT_OK)
        result = mixdit_take_events(machine, &events);""",
        "sim_tests/host/test_c_interrupts.py"),
    Bug("C example: an irq that is stuck wakes the host for ever", "examples/c/interrupts.c",
        "idle == MOST_IDLE_WAKE_UPS || ", "", "sim_tests/host/test_c_interrupts.py"),
    Bug("C ring: a doorbell that may pass its descriptors", "hw/host/c/mixdit_ring.c",
        "barrier(ring); /* the doorbell comes after what it announces */", "", RING_C),
    Bug("C ring: descriptors behind the turn stay in the cache", "hw/host/c/mixdit_ring.c",
        "if (straight < count)", "if (false)", RING_C),
    Bug("C ring: a wait that forgets the wrap of the count", "hw/host/c/mixdit_ring.c",
        "now - ended < UINT32_C(1) << 31", "now >= ended", RING_C),
    Bug("C ring: the commands of another ring carried out", "hw/host/c/mixdit_ring.c",
        "!write32(ring, MIXDIT_REG_RING_TAIL, ended) ||", "", RING_C),
    Bug("C ring: resumed before it has come to rest", "hw/host/c/mixdit_ring.c",
        "come_to_rest(ring, polls, &status); /*",
        "(come_to_rest(ring, polls, &status), MIXDIT_OK); /*",
        "sim_tests/host/ring_c/test_c_ring_faults.py"),
    Bug("C ring: a descriptor in the host's byte order", "hw/host/c/mixdit_command.c",
        "(uint8_t)(bits >> 8u * byte & 0xFFu)", "((const uint8_t *)&bits)[byte]",
        "sim_tests/host/ring_c/test_c_command.py"),
    Bug("C weights: ties rounded up", "hw/host/c/mixdit_pack.c",
        "(dropped == half && (mantissa & 1u) != 0u)", "dropped == half", PACK_C),
    Bug("C weights: subnormals taken for numbers", "hw/host/c/mixdit_pack.c",
        "if (exponent == 0u) /*", "if ((pattern & 0x7FFFFFFFu) == 0u) /*", PACK_C),
    Bug("C weights: precision bits of the first beat alone", "hw/host/c/mixdit_pack.c",
        "k_block < blocks && format_of", "first == 0u && k_block < blocks && format_of", PACK_C),
    Bug("C attention: a fence that lacks", "examples/c/attention.c",
        "mixdit_fence(SCORES, CONVERT_KEY, &list[SCORES].wait_b);", "",
        "sim_tests/host/ring_c/test_c_attention.py"),
    Bug("memory: of several packed beats in one the first alone", "hw/memory/beat_splitter.py",
        "is_final.eq(~goes_on)", "is_final.eq(1)", "sim_tests/memory/test_beat_splitter.py -k 8-2"),
    Bug("memory: a part of a word joins a command that has ended", "hw/memory/word_joiner.py",
        "has & (kept.ends | kept.after |", "has & (kept.after |",
        "sim_tests/memory/test_word_joiner.py -k joiner[8]"),
    Bug("memory: an answer crosses to the other clock without its ID",
        "hw/memory/clock_crossing.py", 'f"{channel}valid", f"{channel}ready")]',
        'f"{channel}valid", f"{channel}ready", "bid", "rid")]', CROSSING),
    Bug("memory: a reset of one side that the other does not see", "hw/memory/clock_crossing.py",
        "~(is_up[side] & synchronizer.o)", "~is_up[side]", CROSSING),
    Bug("memory: two clocks, and a queue that is full a word too late",
        "hw/streams/clock_queue.py", 'counts["written_gray"] ^', 'gray(written - 1) ^', CROSSING),
    Bug("results of rows that a tile does not have", "hw/results/narrow.py",
        "with m.If(self.load & ~self.is_there):", "with m.If(0):", ISOLATION),
    Bug("a short block keeps elements of another job", "hw/activations/row_unpacker.py",
        "with m.Elif(place == 0):", "with m.Elif(0):",
        "sim_tests/activations/test_row_unpacker.py -k 3-32"),
    Bug("a gathered block keeps channels of another job", "hw/activations/gather.py",
        "Mux(about.count > lane, element, 0)", "element", ISOLATION),
    Bug("a packet of few columns keeps those of another job", "hw/blocks/chunk_reader.py",
        "with m.Elif(begins):", "with m.Elif(0):", ISOLATION),
    Bug("what is missing from a packet is what comes next", "hw/streams/packet_guard.py",
        'with m.State("FILL"):\n                m.d.comb += self.o.valid.eq(1)',
        'with m.State("FILL"):\n                m.d.comb += [self.o.valid.eq(1), '
        "self.o.payload.eq(self.i.p.data)]", ISOLATION),
    Bug("a waiting tile's row outlasts an abort", "hw/activations/tile_stage.py",
        "row = Signal.like(place.row)", "row = Signal.like(place.row, reset_less=True)", RESET),
    Bug("a packet's unit outlasts an abort", "hw/blocks/mx_packer.py",
        'index = Signal.like(coming[Content.BASES], name="index")',
        'index = Signal.like(coming[Content.BASES], name="index", reset_less=True)', RESET),
    Bug("abuse: RESUME beside ABORT resumes", "hw/control/controller.py",
        "with m.Elif(resume):", "with m.If(resume):", FUZZ),
    Bug("abuse: START beside ABORT starts", "hw/control/controller.py",
        "with m.If(self.drain | abort):", "with m.If(self.drain):", FUZZ),
    Bug("abuse: masked interrupts raise irq", "hw/control/controller.py",
        "(registers.irq_pending & registers.irq_enable).any()", "registers.irq_pending.any()",
        FUZZ),
    Bug("abuse: a table cleared while a job reads it", "hw/control/controller.py",
        "registers.table_clear_busy.eq(in_use)",
        "registers.table_clear_busy.eq(table >= config.tables)", FUZZ),
    Bug("abuse: entries out of turn taken", "hw/control/table_record.py",
        "self.order_fits.eq(entry.place == count)", "self.order_fits.eq(1)", FUZZ),
    Bug("abuse: tags that outlast a reset", "hw/control/table_record.py",
        'name=f"{name}_{table}")', 'name=f"{name}_{table}", reset_less=name == "tags")', FUZZ),
    Bug("abuse: fillings taken for residuals", "hw/operands/weight_loader.py",
        "(chunk.lanes > lane) & chunk", "chunk",
        "sim_tests/operands/test_weight_loader.py"),
    Bug("abuse: a block of exponent 0 taken for zeros", "hw/operands/operand_store.py",
        "Mux(serve_residual, stored.residual[element], stored.base[element])",
        "Mux(stored.exponent == 0, 0, "
        "Mux(serve_residual, stored.residual[element], stored.base[element]))", FUZZ),
    Bug("abuse: microexponents of the smallest blocks dropped", "hw/operands/operand_store.py",
        "operand.microexponent.eq(stored.microexponent)",
        "operand.microexponent.eq(Mux(stored.exponent < 8, 0, stored.microexponent))", FUZZ),
    Bug("abuse: registers read in half", "hw/registers/csr.py",
        "bus.rdata.eq(value)", "bus.rdata.eq(value[:16])", FUZZ),
    Bug("abuse: an abort forgets the packet that stopped", "hw/streams/stream_gate.py",
        "drops_rest.eq(drops & stays_inside)", "drops_rest.eq(0)", FUZZ),
    Bug("rows: of negative numbers the smallest", "hw/vector/row_extremes.py",
        "beats ^ signs[0]", "beats",
        "sim_tests/vector/test_row_extremes.py"),
    Bug("rows: subnormals that count", "hw/vector/row_extremes.py",
        "with m.If(~_exponent(best.pattern).any()):", "with m.If(0):",
        "sim_tests/vector/test_row_extremes.py"),
    Bug("rows: a maximum of what is not there", "hw/vector/row_extremes.py",
        "left.is_there & (~right.is_there | Mux(", "left.is_there & (Mux(",
        "sim_tests/vector/test_row_extremes.py"),
    Bug("rows: a square's carry lost", "hw/vector/square.py",
        "total.eq(rest + row)", "total.eq(rest | row)",
        "sim_tests/vector/test_square.py -k 13"),
    Bug("rows: coarse numbers truncated", "hw/vector/row_element.py",
        "value[split:] + value[split - 1]", "value[split:]",
        "sim_tests/vector/test_row_element.py"),
    Bug("rows: zeros with a hidden bit", "hw/vector/row_element.py",
        "self.is_valid & own.any() &", "self.is_valid &",
        "sim_tests/vector/test_row_element.py"),
    Bug("rows: far numbers that come around", "hw/vector/row_element.py",
        " & ~distance[SHIFT_BITS:].any()", "",
        "sim_tests/vector/test_row_element.py"),
    Bug("rows: fine numbers truncated", "hw/vector/row_totals.py",
        "each.rounds ^ each.sign)", "each.sign)",
        "sim_tests/vector/test_row_totals.py -k totals[4]"),
    Bug("rows: a row that goes on with the last one's sum", "hw/vector/row_totals.py",
        "begun.eq(Mux(first, 0, so_far[name]))", "begun.eq(so_far[name])",
        "sim_tests/vector/test_row_totals.py -k totals[4]"),
    Bug("rows: the largest square taken for zero", "hw/vector/row_totals.py",
        ", each.coarse[-1])", ", 0)",
        "sim_tests/vector/test_row_totals.py -k totals[4]"),
    Bug("rows: a mean's ties whatever the remainder", "hw/vector/row_mean.py",
        "Cat(remainder.any(), quotient)", "Cat(0, quotient)",
        "sim_tests/vector/test_row_mean.py"),
    Bug("rows: leading zeros of a mean that do not count", "hw/vector/row_mean.py",
        "exponent.eq(exponent - 1)", "exponent.eq(exponent)", "sim_tests/vector/test_row_mean.py"),
    Bug("rows: a mean of a row with a NaN", "hw/vector/row_mean.py",
        "is_nan.eq(self.exponent == INFINITY_FIELD)", "is_nan.eq(0)",
        "sim_tests/vector/test_row_mean.py"),
    Bug("rows: the total's sign without its weight", "hw/vector/row_scale.py",
        "value.eq(Mux(total[-1], total, 0))", "value.eq(0)",
        "sim_tests/vector/test_row_scale.py"),
    Bug("rows: a deviation beyond FP32 made zero", "hw/vector/row_scale.py",
        "_exponent(held).all() | ", "",
        "sim_tests/vector/test_row_scale.py"),
    Bug("batch walk: 64 bits of an address lose their reach", "hw/memory/batch_walk.py",
        "is_beyond.eq(after[-1])", "is_beyond.eq(0)",
        "sim_tests/memory/test_batch_walk.py -k 65"),
    Bug("batch walk: what was beyond is so in the next command", "hw/memory/batch_walk.py",
        "is_beyond & ~self.begins", "is_beyond", "sim_tests/memory/test_batch_walk.py -k 65"),
    Bug("row passes: a third row on two others", "hw/vector/row_passes.py",
        "self.i.ready.eq(~self.is_taken[half])", "self.i.ready.eq(1)", ROW_PASSES),
    Bug("row passes: sums read over a block that waits", "hw/vector/row_passes.py",
        "return wants | is_there & ~fills", "return wants", ROW_PASSES),
    Bug("row passes: a block is read when none is left", "hw/vector/row_passes.py",
        "(left <= 2 * self.lanes)", "(left == 0)", ROW_PASSES),
    Bug("row passes: a row's last block ends with its first part", "hw/vector/row_passes.py",
        "(part == last_at[exact_log2(at_once):])", "(part == 0)", ROW_PASSES),
    Bug("row passes: the maximum is not subtracted", "hw/vector/row_operands.py",
        "is_centred | (rows == Rows.MAXIMUM)", "is_centred", ROW_PASSES),
    Bug("row passes: a scale that is not rounded to V24", "hw/vector/row_operands.py",
        "self.operands.row_factor.value.eq(rounder.o)",
        "self.operands.row_factor.value.eq(scale.scale[8:])", ROW_PASSES),
    Bug("row passes: 1/x for a root", "hw/vector/scalar_unit.py",
        "root.of_root.eq(1)", "root.of_root.eq(0)", ROW_PASSES),
    Bug("rows: an RMS that subtracts the mean", "hw/vector/row_scale.py",
        "Mux(self.is_centred, self.coarse_total, 0)", "self.coarse_total",
        "sim_tests/vector/test_row_scale.py"),
    Bug("rows: a block whose residual lacks its base", "hw/vector/block_sum.py",
        "Mux(self.is_residual, d, 0)", "0",
        "sim_tests/vector/test_block_sum.py"),
    Bug("rows: a carry short of its places", "hw/vector/block_sum.py",
        "Cat(last.replicate(RESIDUAL_BITS), beat)", "Cat(*[0] * RESIDUAL_BITS, beat)",
        "sim_tests/vector/test_block_sum.py"),
    Bug("rows: a far block near again", "hw/vector/row_sum.py",
        " | is_far.replicate(SHIFT_WIDTH)", "",
        "sim_tests/vector/test_row_sum.py -k row_sum[64]"),
    Bug("rows: an MX9 block counted twice", "hw/vector/row_sum.py",
        "Mux(self.adds, block_sum.d, 0)", "block_sum.d",
        "sim_tests/vector/test_row_sum.py -k row_sum[64]"),
    Bug("interpolation: what is shifted out is forgotten", "hw/vector/interpolation.py",
        "(1 if shared.falls else is_whole)", "1",
        "sim_tests/vector/test_interpolation.py"),
    Bug("interpolation: nothing rounds", "hw/vector/interpolation.py",
        "half = 1 << self.c0_point - table.result_bits >> 1", "half = 0",
        "sim_tests/vector/test_interpolation.py"),
    Bug("interpolation: a narrow fraction is not aligned", "hw/vector/interpolation.py",
        "Const(0, shared.rest_bits - table.rest_bits)", "Const(0, 0)",
        "sim_tests/vector/test_interpolation.py"),
    Bug("fixed point: halves go down", "hw/vector/fixed.py",
        "(near[0] ^ is_negative)", "is_negative", "sim_tests/vector/test_fixed.py"),
    Bug("fixed point: halves go up", "hw/vector/fixed.py",
        "(near[0] ^ is_negative)", "(near[0] | is_negative)", "sim_tests/vector/test_fixed.py"),
    Bug("fixed point: far below a unit", "hw/vector/fixed.py",
        "(~is_far).replicate(len(kept))", "Const(-1, len(kept))",
        "sim_tests/vector/test_fixed.py"),
    Bug("V24 in hardware: ties go up", "hw/vector/v24.py",
        "(dropped[:-1].any() | pattern[DROPPED_BITS])", "1", "sim_tests/vector/test_v24.py"),
    Bug("V24 in hardware: a NaN may become infinity", "hw/vector/v24.py",
        "Mux(is_nan, Const(QUIET_NAN >> DROPPED_BITS, V24.width), number)", "number",
        "sim_tests/vector/test_v24.py"),
    Bug("product: the number is not rounded to V24", "hw/vector/product.py",
        "Mux(carry, right, 0)", "0", "sim_tests/vector/test_product.py"),
    Bug("product: V24's overflow is a number", "hw/vector/product.py",
        "ends[0] | ends[1] | overflows", "ends[0] | ends[1]", "sim_tests/vector/test_product.py"),
    Bug("product: a skipped stage loses bits", "hw/vector/product.py",
        "- DROPPED_BITS), dropped)", "- DROPPED_BITS), 0 & dropped)",
        "sim_tests/vector/test_product.py"),
    Bug("product: infinity times zero", "hw/vector/product.py",
        "| is_infinite & is_zero)", "| 0)", "sim_tests/vector/test_product.py"),
    Bug("exp2: saturates late", "hw/vector/exponential.py",
        ">= EXP2_LIMIT", "> EXP2_LIMIT", "sim_tests/vector/test_exponential.py"),
    Bug("exp2: -127 is a subnormal", "hw/vector/exponential.py",
        "< 1 - FP32.bias", "< -FP32.bias", "sim_tests/vector/test_exponential.py"),
    Bug("exp2: a NaN saturates", "hw/vector/exponential.py",
        "is_above & ~(is_special & is_nan)", "is_above", "sim_tests/vector/test_exponential.py"),
    Bug("gate: an odd half goes up", "hw/vector/gate.py",
        "value[0] & value[1]", "value[0]", "sim_tests/vector/test_gate.py"),
    Bug("gate: 1 less a unit too much", "hw/vector/gate.py",
        "(is_negative | value[0]", "(value[0]", "sim_tests/vector/test_gate.py"),
    Bug("gate: the end is missed where V24 rounds up", "hw/vector/gate.py",
        "(exponent >= limit) | carries & (exponent == limit - 1)", "exponent >= limit",
        "sim_tests/vector/test_gate.py"),
    Bug("functions: gates of the FP32 number", "hw/vector/functions.py",
        "Mux(is_exp2, significand, rounded)", "Cat(significand, Const(0, 1))",
        "sim_tests/vector/test_functions.py"),
    Bug("functions: a negative argument of a gate", "hw/vector/functions.py",
        "is_negative=x.sign & is_exp2", "is_negative=x.sign",
        "sim_tests/vector/test_functions.py"),
    Bug("functions: exp2 in the place of GELU", "hw/vector/functions.py",
        "with m.If(function == Function.EXP2):", "with m.If(function != Function.NONE):",
        "sim_tests/vector/test_functions.py"),
    Bug("reciprocal: an odd exponent", "hw/vector/reciprocal.py",
        "~x.exponent[0]", "x.exponent[0]", "sim_tests/vector/test_reciprocal.py"),
    Bug("reciprocal: a value of 1 does not carry", "hw/vector/reciprocal.py",
        "value[V24.mantissa_bits + 1] <<", "0 <<", "sim_tests/vector/test_reciprocal.py"),
    Bug("reciprocal: one over infinity", "hw/vector/reciprocal.py",
        "Mux(is_infinite, -1,", "Mux(is_infinite, 0,", "sim_tests/vector/test_reciprocal.py"),
    Bug("lane: an offset is added", "hw/vector/lane.py",
        " ^ (self.addend.subtracts << FP32.width - 1)", "", "sim_tests/vector/test_lane.py"),
    Bug("lane: padding saturates", "hw/vector/lane.py",
        "saturated & self.is_valid", "saturated", "sim_tests/vector/test_lane.py"),
    Bug("lane: a gate is not multiplied", "hw/vector/lane.py",
        "functions.uses_gate | self.channel_factor.enable", "self.channel_factor.enable",
        "sim_tests/vector/test_lane.py"),
    Bug("passes: three rows go in", "hw/activations/pass_gate.py",
        "(held != ROWS_HELD) & ", "", GATE),
    Bug("passes: a later job overtakes what comes back", "hw/activations/pass_gate.py",
        "owed == 0)),", "1)),", GATE),
    Bug("passes: what comes back waits for what comes", "hw/activations/pass_gate.py",
        "Mux(self.back.valid, self.back.p.as_value(), block.as_value())",
        "Mux(self.i.valid & may_go, block.as_value(), self.back.p.as_value())", GATE),
    Bug("passes: the other stream is taken too", "hw/streams/job_merge.py",
        "may_go & ~is_second & self.o.ready", "may_go & self.o.ready",
        "sim_tests/streams/test_job_merge.py"),
    Bug("passes: precision bits as of the job before", "hw/blocks/mx_packer.py",
        "Mux(self.of_tile, are_due,", "Mux(self.leaves_of_tile, are_due,", PACKER),
    Bug("passes: K-blocks of a GEMM's results in packets of tiles", "hw/blocks/mx_packer.py",
        "chunk.k_last | ~self.leaves_of_tile", "chunk.k_last", PACKER),
    Bug("passes: whatever is a pass packs", "hw/activations/row_unpacker.py",
        "block.job.packs.eq(job.kind == AnyKind.VECTOR_PACKED)",
        "block.job.packs.eq(is_pass(job.kind))", PASS_ROWS),
    Bug("passes: a job ends with a tile", "hw/activations/row_unpacker.py",
        "block.job_last.eq(job_ends)", "block.job_last.eq(tile_last_row & row_ends)", PASS_ROWS),
    Bug("passes: tags go to the packer of weights", "hw/activations/tile_tags.py",
        "settled.converts.eq(converts),", "settled.converts.eq(converts | is_pass(job.kind)),",
        PASS_STAGE),
    Bug("passes: their tiles multiplied", "hw/operands/tile_router.py",
        "multiplies &= ~is_pass(kind)", "pass", "sim_tests/operands/test_tile_router.py -k passes"),
    Bug("passes: a kind that a machine gives itself", "hw/control/job_check.py",
        "(*JobKind, AnyKind.VECTOR)", "AnyKind", PASS_CHECK),
    Bug("passes: MX9 where a selection says so", "hw/control/job_check.py",
        "with m.If(~chooses):", "with m.If(0):", PASS_CHECK),
    Bug("passes: a norm of epsilon below the normals", "hw/control/job_check.py",
        "asked.scalar < FP32_SMALLEST", "asked.scalar == 0", PASS_CHECK),
    Bug("passes: any stages for any job", "hw/control/job_check.py",
        "Mux(self.is_pass, of_pass, of_job)", "Mux(self.is_pass, of_pass, combined)", PASS_CHECK),
    Bug("passes: counts of blocks that were not made", "hw/control/scoreboard.py",
        'has_blocks if name == "conversion_counts" else 1)', "1)",
        "sim_tests/control/test_scoreboard.py -k passes"),
    Bug("passes: a vector goes on from row to row", "hw/vector/column_vector.py",
        "read_at.eq(Mux(self.read_last, after, read_at + 1))", "read_at.eq(read_at + 1)",
        "sim_tests/vector/test_column_vector.py -k 4-32"),
    Bug("passes: the channel factor truncated", "hw/vector/operand_loader.py",
        "rounded.append(rounder.o)",
        "rounded.append(rounder.i[FP32.width - V24.width:])", VECTOR_UNIT),
    Bug("passes: a residual's group let go a cycle early", "hw/vector/vector_pipe.py",
        "loader.meets.eq(met.valid & met.has_rows)",
        'loader.meets.eq(groups[at["residual"] - 1].valid & groups[at["residual"] - 1].has_rows)',
        VECTOR_UNIT),
    Bug("passes: a bias is subtracted", "hw/vector/vector_pipe.py",
        "lane.addend.subtracts.eq(0)]", "lane.addend.subtracts.eq(1)]", VECTOR_UNIT),
    Bug("passes: saturation is not told", "hw/vector/vector_pipe.py",
        "self.saturated.payload.eq(saturated)", "self.saturated.payload.eq(0)", VECTOR_UNIT),
    Bug("passes: saturation is told of the next one too", "hw/vector/vector_pipe.py",
        "so_far.eq(saturated & ~group.job_last)", "so_far.eq(saturated)", VECTOR_UNIT),
    Bug("passes: the last tile does not end", "hw/vector/lane_results.py",
        "block.tile_last_row.eq((row == self.config.rows - 1) | job_last)",
        "block.tile_last_row.eq(row == self.config.rows - 1)", VECTOR_UNIT),
    Bug("passes: packed without their precision bits", "hw/results/result_writer.py",
        "packer.in_tiles.eq(of_pass)", "packer.in_tiles.eq(0)",
        ENGINE_PASSES),
    Bug("passes: results of the array in their place", "hw/results/result_writer.py",
        "ends=lambda rows: rows.job_last", "ends=lambda rows: rows.tile_last", ENGINE_PASSES),
    Bug("results: a column tile's factors for the next one too", "hw/vector/tile_rows.py",
        "ends & group.tile_last & group.columns_end)", "0)", VECTOR_UNIT),
    Bug("results: the first row's factor for its whole group", "hw/vector/tile_rows.py",
        "Array(group.factors)[row])]", "group.factors[0])]",
        "sim_tests/vector/test_vector_unit.py -k rows"),
    Bug("results: rows of a group one below the other", "hw/vector/lane_results.py",
        "at.eq(row * of_row + place)", "at.eq(place)",
        "sim_tests/vector/test_vector_unit.py -k rows"),
    Bug("results: sums with what stands behind a row's end", "hw/vector/row_sums.py",
        "with m.If(now.pair_last & (now.tail != 0)):", "with m.If(0):", VECTOR_RESULTS),
    Bug("results: blocks are added up once for each half of B", "hw/vector/row_sums.py",
        "adds = now.valid & ~now.weight_residual", "adds = now.valid", VECTOR_RESULTS),
    Bug("results: one over a sum of zero", "hw/results/row_factor.py",
        "with m.If(is_zero):", "with m.If(0):", VECTOR_RESULTS),
    Bug("results: exp2 of what goes through lanes, too", "hw/results/result_path.py",
        "Mux(at_function.at_drain, Function.EXP2, Function.NONE)", "Function.EXP2",
        VECTOR_RESULTS),
    Bug("results: the tag of the block before", "hw/results/result_tags.py",
        "tag.eq(next_tag)", "tag.eq(tag)", VECTOR_RESULTS),
    Bug("results: a residual's tile from column 0", "hw/memory/beside_reader.py",
        "after = advance(tile, cols * NUMBER_BYTES)", "after = tile", VECTOR_RESULTS),
    Bug("vector: V24 truncates", "golden/vector/lane.py",
        "(bits + half + to_even)",
        "bits", VECTOR_FUNCTIONS),
    Bug("vector: V24's ties go up", "golden/vector/lane.py",
        "half + to_even",
        "half + 1", VECTOR_FUNCTIONS),
    Bug("vector: a product of FP32 numbers", "golden/vector/lane.py",
        "to_lane(x).astype(np.float64), to_lane(y)",
        "canonical(x).astype(np.float64), canonical(y)", VECTOR_FUNCTIONS),
    Bug("vector: halves go down", "golden/vector/fixed.py",
        "(kept + 1) >> 1",
        "kept >> 1", VECTOR_FUNCTIONS),
    Bug("vector: exp2 saturates late", "golden/vector/formats.py",
        "EXP2_LIMIT = 96",
        "EXP2_LIMIT = 97", VECTOR_FUNCTIONS),
    Bug("vector: the gate of a negative number", "golden/vector/gate.py",
        "(1 << table.result_bits) - value",
        "(1 << table.result_bits) - 1 - value", VECTOR_FUNCTIONS),
    Bug("vector: a coefficient", "golden/vector/tables.py",
        "133937,",
        "133938,", "golden/tests/test_vector_tables.py"),
    Bug("vector: the parity of a root's exponent", "golden/vector/reciprocal.py",
        "is_odd = power & 1",
        "is_odd = ~power & 1", VECTOR_FUNCTIONS),
    Bug("vector: the mean of all places", "golden/vector/norms.py",
        "row_statistics(rows[..., :count])",
        "row_statistics(rows)", VECTOR_ROWS),
    Bug("vector: the variance of a single sum", "golden/vector/statistics.py",
        "spread - statistics.coarse_total**2",
        "spread - statistics.coarse_total", VECTOR_ROWS),
    Bug("vector: a silent overflow of a row", "golden/vector/statistics.py",
        "_is_finite(statistics) & np.isfinite(under_root)",
        "_is_finite(statistics)", VECTOR_ROWS),
    Bug("vector: a row's infinity", "golden/vector/statistics.py",
        "return statistics.exponent != _INFINITY_FIELD",
        "return statistics.exponent > 0", VECTOR_ROWS),
    Bug("vector: the maximum of magnitudes", "golden/vector/statistics.py",
        "np.where(bits < 0, ~(bits & 0x7FFFFFFF), bits)",
        "bits & 0x7FFFFFFF", VECTOR_ROWS),
    Bug("vector: padding masked in the sum alone", "golden/vector/softmax.py",
        "        valid_columns=valid_columns,\n        rounding",
        "        rounding", VECTOR_SOFTMAX),
    Bug("vector: padding counts in the maximum", "golden/vector/softmax.py",
        "return row_maximum(np.where(is_valid, scores, np.float32(-np.inf)))",
        "return row_maximum(scores)", VECTOR_SOFTMAX),
    Bug("vector: MX9 weighs eight times MX6", "golden/vector/sums.py",
        "np.where(tensor.is_mx9, 0, RESIDUAL_BITS)",
        "np.where(tensor.is_mx9, RESIDUAL_BITS, RESIDUAL_BITS)", VECTOR_SOFTMAX),
    Bug("vector: a sum of zero is divided by", "golden/vector/softmax.py",
        "np.where(is_zero, np.float32(0), reciprocal(sums))",
        "reciprocal(sums)", VECTOR_SOFTMAX),
    Bug("vector jobs: the first row of a residual for all", "golden/memory/stages.py",
        " + row * command.residual_stride", "", VECTOR_JOBS),
    Bug("vector jobs: columns have a factor too many", "golden/memory/checks.py",
        "function in (Function.GELU, Function.SILU) and", "False and", VECTOR_JOBS),
    Bug("vector jobs: what stands behind a row in its sum", "golden/vector/sums.py",
        "np.where(place < tensor.shape[-1], magnitude, 0)", "magnitude", VECTOR_JOBS),
    Bug("vector jobs: rows of any length are measured", "golden/memory/checks.py",
        "min(machine.k_max, MOST_COLUMNS) if is_vector else machine.k_max", "machine.k_max",
        VECTOR_JOBS),
    Bug("vector jobs: a saturated power goes on", "golden/memory/stages.py",
        "if outcome.saturated:", "if False:", VECTOR_JOBS),
    Bug("vector jobs: tags of A for blocks of results", "golden/memory/checks.py",
        "command.n if command.flags & JobFlag.TAGGED else command.columns", "command.columns",
        VECTOR_JOBS),
    Bug("vector jobs: one fence for all that is beside A and B", "golden/memory/fences.py",
        '"residual": "wait_residual"', '"residual": "wait_side"', VECTOR_JOBS),
    Bug("vector: terms in another order", "golden/vector/combination.py",
        "in terms:",
        "in reversed(terms):", VECTOR_ROWS),
)


def turns_red(bug: Bug) -> bool:
    """Plant a bug in a fresh copy and run its test."""
    shutil.rmtree(COPY, ignore_errors=True)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, COPY / package,
                        ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    for name in ("pyproject.toml", "conftest.py", "selection.toml"):
        shutil.copy(ROOT / name, COPY)
    runtime = ROOT / "build" / "runtime"  # Verilator's own objects, the same for every model
    if runtime.is_dir():
        (COPY / "build").mkdir()
        (COPY / "build" / "runtime").symlink_to(runtime)
    path = COPY / bug.file
    source = path.read_text(encoding="utf-8")
    path.write_text(source.replace(bug.right, bug.wrong, 1), encoding="utf-8")
    done = children.run([sys.executable, "-m", "pytest", "-q", "-x", "--selection", "push",
                         "--every-turn", *bug.test.split()], cwd=COPY,
                        env=os.environ | {"PYTHONPATH": str(COPY)}, stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace")
    # 1 says that tests failed, but is also what a broken environment ends with.
    if done.returncode not in (0, 1) or (done.returncode and " failed" not in done.stdout):
        raise ToolError(f"{bug.test} did not run: {bug.name}\n{done.stdout[-500:]}")
    return done.returncode == 1


def main(
    words: Annotated[list[str] | None, typer.Argument(
        metavar="[WORD]...", help="Only bugs whose name has one of these.")] = None,
) -> int:
    """Plant bugs, one at a time, and see that a test turns red.

    All take most of an hour, and an interrupted call is lost. The exit code is 1 if one stays
    unseen.

    Example: mixdit check planted-bugs rounding
    """
    bugs = [bug for bug in BUGS if not words or any(word in bug.name for word in words)]
    console = make_console()
    tried, unseen = [], []
    with sentences(lambda: f"Interrupted: {len(tried)} of {len(bugs)} bugs were tried, and "
                           f"{len(tried) - len(unseen)} turned a test red. None of this is kept: "
                           "the next call begins anew; words choose bugs."):
        builds.check_place(COPY)
        tools.require(tools.VERILATOR)
        check_folder(COPY)
        if not bugs:
            raise ValueError(f"no bug's name has one of {', '.join(words or ())}")
        for bug in BUGS:
            if bug.right not in (ROOT / bug.file).read_text(encoding="utf-8"):
                complain(f"{bug.file} has no {bug.right!r} to replace: {bug.name}")
                return ExitCode.DIFFERENT
        for bug in track(bugs, "Planting bugs", console=console):
            seen = turns_red(bug)
            tried.append(bug)
            unseen += [] if seen else [bug]
            console.print(f"{'red   ' if seen else 'UNSEEN'} {bug.name}  ({bug.test})")
    console.print(f"{len(bugs) - len(unseen)} of {len(bugs)} bugs turned a test red.")
    return ExitCode.DIFFERENT if unseen else ExitCode.DONE
