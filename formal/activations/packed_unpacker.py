"""Proof of `hw.activations.packed_unpacker`."""

from amaranth import Array, Cat, Mux, Signal, Value
from amaranth.lib import data

import hw.activations.packed_unpacker as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.blocks.chunk_reader import chunk_layout, packet_layout
from hw.contract.block_bits import NAN_EXPONENT
from hw.contract.config import Config

CONFIG = Config.sized(rows=3, cols=2, k_max=32)

ROWS, TILES = 9, 3
"""Most rows of a job, most tiles."""

BASE_BITS, RESIDUAL_BITS = 96, 48


class PackedUnpackerHarness(Harness):
    """Jobs of any rows; what the reader hands out is anything, and stays until it is taken.

    That it hands out what a packet brings is the proof of `chunk_reader`.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.PackedUnpacker(CONFIG)
        self.free_inputs(m, dut)
        self._walk(m, dut)
        self._rows(m, dut)

    def _walk(self, m, dut):
        """Each job has just the packets of its tiles."""
        layout = packet_layout(CONFIG.rows, CONFIG.k_blocks_max)
        packet = data.View(layout, self.look("dut.reader.packets__payload", layout.size))
        valid = self.look("dut.reader.packets__valid")
        starts, ready = Signal(), self.cut("dut.reader.packets__ready")
        new, job, busy = dut.jobs.p, Signal(dut.jobs.p.shape()), Signal()
        self.assume(m, ~dut.jobs.valid | (new.m > 0) & (new.m <= ROWS))
        tile, tiles, rows_left = Signal(2), Signal(2), Signal(4)
        m.d.comb += [starts.eq(valid & ready),
                     tiles.eq(sum(job.m > each * CONFIG.rows for each in range(TILES))),
                     rows_left.eq(job.m - tile * CONFIG.rows)]
        ends = tile == tiles - 1
        with m.If(dut.jobs.valid & dut.jobs.ready):
            m.d.sync += [busy.eq(1), job.eq(new)]
        with m.If(starts):
            m.d.sync += [busy.eq(~ends), tile.eq(Mux(ends, 0, tile + 1))]
        self.check(m, "takes_a_job", dut.jobs.ready == ~busy)
        self.check(m, "announces", valid == busy)
        self.check(m, "tile", Mux(busy, tile < tiles, tile == 0))
        self.check(m, "packet", ~valid | (packet.k_blocks == job.k_blocks)
                   & ~packet.has_biases & (packet.job_last == ends)
                   & (packet.lanes == Mux(ends, rows_left, CONFIG.rows)))
        self.check(m, "job", (self.look("dut.busy") == busy) & (~busy | (
            self.look("dut.job", len(Value.cast(job))) == Value.cast(job))))
        self.check(m, "left", ~busy | (job.m > 0) & (job.m <= ROWS)
                   & (self.look("dut.rows_left", 32) == rows_left))

    def _rows(self, m, dut):
        """Every row of a K-block leaves once, in order, as it is."""
        layout = chunk_layout(CONFIG.rows)
        chunk, o = Signal(layout), dut.o
        m.d.comb += Value.cast(chunk).eq(self.cut("dut.reader.o__payload", layout.size))
        # Of the streams called `o` in this module, the reader's has no number behind its name.
        comes, taken = self.cut("dut.reader.o__valid"), self.look("dut.o__ready")
        self.assume(m, ~comes | (chunk.lanes > 0) & (chunk.lanes <= CONFIG.rows))
        copy, busy, row = Signal(layout), Signal(), Signal(2)
        row_last = row == copy.lanes - 1
        goes = Signal()
        m.d.comb += goes.eq(~busy | (o.ready & row_last))
        with m.If(goes):
            m.d.sync += [busy.eq(comes), copy.eq(chunk), row.eq(0)]
        with m.Elif(o.ready):
            m.d.sync += row.eq(row + 1)
        bases, residuals = Signal(layout["base"].shape), Signal(layout["residual"].shape)
        m.d.comb += [
            bases.eq(Array(copy.base[BASE_BITS * each:] for each in range(4))[row]),
            residuals.eq(Array(copy.residual[RESIDUAL_BITS * each:] for each in range(4))[row])]
        own, out = Cat(bases[:BASE_BITS], residuals[:RESIDUAL_BITS]), o.p
        exponent = out.rounded.block.exponent
        self.cover(m, "last_row", o.valid & (row == 2) & out.job_last & out.k_last)
        self.check(m, "takes_a_k_block", taken == goes)
        self.check(m, "offers", o.valid == busy)
        self.check(m, "block", ~busy | (Value.cast(out.rounded.block) == own))
        self.check(m, "facts", ~busy | (out.rounded.is_mx9 == copy.is_mx9)
                   & (out.rounded.has_residual == residuals[:RESIDUAL_BITS].any())
                   & (out.rounded.has_nan == (exponent == NAN_EXPONENT))
                   & (out.rounded.saturated == 0) & (out.k_first == copy.k_first)
                   & (out.k_last == copy.k_last) & (out.job_last == copy.job_last))
        self.check(m, "place", ~busy | (out.row == row) & (out.row_last == row_last))
        sent = data.View(layout, self.look("dut.sent", layout.size))
        self.check(m, "sent", ~busy | (sent.base == bases) & (sent.residual == residuals)
                   & (row < copy.lanes) & (copy.lanes <= CONFIG.rows)
                   & (sent.lanes == copy.lanes) & (self.look("dut.row", 2) == row))


PROOFS = (Proof(
    name="packed_unpacker", make=PackedUnpackerHarness, depth=1, steps=6,
    says="A job has just one packet for each of its tiles, of the rows there are; every row of a "
         "K-block leaves once, in order, as it is, with its place; a row a cycle while `o` takes "
         "them.",
    assumes="A job has rows.",
    bounds=f"Three rows, K_MAX 32, jobs of up to {ROWS} rows. `ChunkReader` is cut off and hands "
           "out anything.",
    mutants=(Mutant(module.__name__, "self.o.ready & row_last)", "self.o.ready)"),
             Mutant(module.__name__, "ends_job.eq(rows_left <= config.rows)",
                    "ends_job.eq(rows_left < config.rows)"),
             Mutant(module.__name__, "sent.residual.shift_right(RESIDUAL_BLOCK_BITS)",
                    "sent.residual"))),)
