"""Proof of `hw.operands.tile_router`, with its `ConversionCounter` and `JobSwitch`."""

from amaranth import Mux, Signal, Value

import hw.operands.conversion_counter as counters
import hw.operands.tile_router as module
import hw.streams.job_switch as switches
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.config import Config
from hw.contract.job_codes import JobKind

CONFIG = Config.sized(rows=2, cols=2, k_max=32)


class TileRouterHarness(Harness):
    """Jobs of any kinds, and blocks on both sides that come and are taken at any time."""

    def prove(self, m):
        m.submodules.dut = dut = module.TileRouter(CONFIG)
        self.free_inputs(m, dut)
        busy, kind = Signal(), Signal(2)
        is_packed, converts = Signal(), Signal()
        m.d.comb += [is_packed.eq(kind == JobKind.GEMM_PACKED),
                     converts.eq((kind == JobKind.CONVERT) | (kind == JobKind.CONVERT_TRANSPOSED))]
        block = Signal(dut.floating.p.shape())
        valid, ready, moves = Signal(), Signal(), Signal()
        m.d.comb += [
            Value.cast(block).eq(Mux(is_packed, Value.cast(dut.packed.p),
                                     Value.cast(dut.floating.p))),
            valid.eq(busy & Mux(is_packed, dut.packed.valid, dut.floating.valid)),
            ready.eq(busy & Mux(converts, dut.conversions.ready, dut.operands.ready)),
            moves.eq(valid & ready)]
        ends = moves & block.row_last & block.k_last & block.job_last
        with m.If(~busy | ends):
            m.d.sync += [busy.eq(dut.jobs.valid), kind.eq(dut.jobs.p.kind)]
        self.check(m, "takes_a_job", dut.jobs.ready == (~busy | ends))
        self.check(m, "kept", (self.look("dut.switch.busy") == busy)
                   & (~busy | (self.look("dut.switch.kind", 2) == kind)))
        for name, is_its in (("floating", ~is_packed), ("packed", is_packed)):
            self.check(m, f"{name}_taken", getattr(dut, name).ready == (ready & is_its))
        for name, is_its in (("operands", ~converts), ("conversions", converts)):
            output = getattr(dut, name)
            self.check(m, f"{name}_given", (output.valid == (valid & is_its)) & (
                ~output.valid | (Value.cast(output.p) == Value.cast(block))))

        # Counts of the job so far, with the block that moves.
        counts = Signal(dut.counts.payload.shape())
        reported, was_end = Signal.like(counts), Signal()
        total = Signal.like(counts)
        m.d.comb += [
            total.mx9_units.eq(counts.mx9_units + (
                moves & block.rounded.is_mx9 & block.row_last)),
            total.nan_blocks.eq(counts.nan_blocks + (moves & block.rounded.has_nan)),
            total.saturated_elements.eq(
                counts.saturated_elements + Mux(moves, block.rounded.saturated, 0))]
        m.d.sync += [was_end.eq(ends), reported.eq(total), counts.eq(
            Mux(ends, 0, Value.cast(total)))]
        self.cover(m, "reports", was_end & (reported.nan_blocks == 2) & converts)
        self.check(m, "reports_a_job", dut.counts.valid == was_end)
        self.check(m, "counts", ~was_end | (Value.cast(dut.counts.payload)
                                            == Value.cast(reported)))
        width = len(Value.cast(counts))
        is_counted = self.look("dut.counter.is_counted")
        total_inside = self.look("dut.counter.total", width)
        so_far = self.look("dut.counter.so_far", width)
        self.check(m, "so_far", Mux(is_counted, total_inside == Value.cast(reported),
                                    so_far == Value.cast(reported)))
        self.check(m, "counted", ~was_end | is_counted)
        self.check(m, "goes_on", was_end & (Value.cast(counts) == 0)
                   | ~was_end & (Value.cast(counts) == Value.cast(reported)))


PROOFS = (Proof(
    name="tile_router", make=TileRouterHarness, depth=1, steps=5,
    says="A job's blocks come from who makes them and go to who needs them, as they are, one for "
         "one, in every cycle in which both are ready; the job ends with its last, and a cycle "
         "later its counts are those of its blocks.",
    bounds="A 2x2 machine.",
    mutants=(Mutant(counters.__name__, "rounded.is_mx9 & block.row_last", "rounded.is_mx9"),
             Mutant(counters.__name__, "Mux(job_ends, 0, total.as_value())",
                    "Mux(job_ends & ~is_nan, 0, total.as_value())"),
             Mutant(switches.__name__, "self.jobs.ready.eq(~self.busy | self.ended)",
                    "self.jobs.ready.eq(~self.busy)"),
             Mutant(module.__name__, "switch.busy & from_packed & self.operands.ready",
                    "from_packed & self.operands.ready"))),)
