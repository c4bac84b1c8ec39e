"""Proof of `hw.results.float_packets`."""

from amaranth import Array, Mux, Signal, Value

import hw.results.float_packets as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.config import Config
from hw.contract.job_codes import Output

CONFIG = Config.sized(rows=3, cols=3, k_max=16, drain_lanes=6, act_bytes=4, float_formats=("fp32",))

PLACE_BITS = (CONFIG.result_bytes - 1).bit_length()


class FloatPacketsHarness(Harness):
    """Groups of any rows and columns; one arbitrary byte of each beat is followed.

    Beside the module every number has a `Narrow` of its own, which holds it until its packet is
    taken.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.FloatPackets(CONFIG)
        self.free_inputs(m, dut)
        rows, o = dut.i.p, dut.o
        self.assume(m, ~dut.i.valid | (rows.rows != 0) & (rows.rows <= CONFIG.drain_rows)
                    & (rows.cols != 0) & (rows.cols <= CONFIG.cols)
                    & ((rows.output == Output.FP32) | (rows.output == Output.FP16)
                       | (rows.output == Output.BF16)))
        taken, busy, held = Signal(), Signal(), Signal(rows.shape())
        m.d.comb += taken.eq(dut.i.valid & dut.i.ready)
        m.d.sync += busy.eq(taken | (busy & ~o.ready))
        with m.If(taken):
            m.d.sync += held.eq(rows)
        self.check(m, "takes", dut.i.ready == (~busy | o.ready))
        self.check(m, "offers", o.valid == busy)
        self.check(m, "one_beat", ~busy | o.p.last & (o.p.job_last == held.job_last))
        stalled, before = Signal(), Signal(len(Value.cast(o.p)))
        m.d.sync += [stalled.eq(o.valid & ~o.ready), before.eq(o.p)]
        self.check(m, "stays", ~stalled | (Value.cast(o.p) == before))

        numbers = []
        for index in range(CONFIG.drain_lanes):
            row, col = divmod(index, CONFIG.cols)
            m.submodules[f"number_{index}"] = number = module.Narrow()
            m.d.comb += [number.load.eq(taken), number.is_there.eq(1), number.to.eq(rows.output),
                         number.i.eq(rows.results[index])]
            numbers.append(number.o)
            is_there = (row < held.rows) & (col < held.cols)
            self.check(m, f"number_{index}", ~busy | (
                self.look(f"dut.narrow_{index}.o", 32) == Mux(is_there, number.o, 0)))
        self._follow(m, o.p, busy, held, numbers)
        beside = self.look("dut.beside", CONFIG.drain_rows + CONFIG.cols + 2)
        for row in range(CONFIG.drain_rows):
            self.check(m, f"row_{row}", ~busy | (beside[row] == (row < held.rows)))
        for col in range(CONFIG.cols):
            self.check(m, f"col_{col}", ~busy | (
                beside[CONFIG.drain_rows + col] == (col < held.cols)))
        self.check(m, "beside", ~busy | (beside[-2] == (held.output == Output.FP32))
                   & (beside[-1] == held.job_last))

    def _follow(self, m, beat, busy, held, numbers):
        """Say what a byte is by its place: a row's bytes fill a power of two."""
        place = self.free_constant(m, PLACE_BITS, "place")
        row_bits, is_fp32 = (CONFIG.row_bytes - 1).bit_length(), held.output == Output.FP32
        row, col, byte = (Signal(4, name=name) for name in ("row", "col", "byte"))
        m.d.comb += [
            row.eq(Mux(is_fp32, place >> row_bits, place >> row_bits - 1)),
            col.eq(Mux(is_fp32, place[:row_bits] >> 2, place[:row_bits - 1] >> 1)),
            byte.eq(Mux(is_fp32, place[:2], place[:1]))]
        number, is_there = Signal(32), Signal()
        m.d.comb += [number.eq(Array(numbers)[row * CONFIG.cols + col]),
                     is_there.eq((row < held.rows) & (col < held.cols))]
        self.cover(m, "last_number", busy & is_there & ~is_fp32 & (row == CONFIG.drain_rows - 1)
                   & (col == CONFIG.cols - 1) & (number == 0x1234))
        self.check(m, "keep", ~busy | (beat.keep.bit_select(place, 1) == is_there))
        self.check(m, "byte", ~busy | (beat.data.word_select(place, 8) == Mux(
            is_there, number.word_select(byte[:2], 8), 0)))


PROOFS = (Proof(
    name="float_packets", make=FloatPacketsHarness, depth=1, steps=3,
    says="Each group leaves once, in order, as a packet of one beat. Its every number, as `Narrow` "
         "makes it, stands at its place once; all other bytes are zero and not kept. What is "
         "offered stays until it is taken; it waits for groups and the reader alone.",
    assumes="Groups have a row and a column at least, no more than there can be, and leave in "
            "floating point.",
    bounds="Two rows of three columns in a group.",
    mutants=(Mutant(module.__name__, "self.i.ready.eq(~self.o.valid | self.o.ready)",
                    "self.i.ready.eq(1)"),
             Mutant(module.__name__, "lane.load.eq(self.i.ready)", "lane.load.eq(1)"),
             Mutant(module.__name__, "row * row_bytes + col", "row * config.row_bytes + col"),
             Mutant(module.__name__, "lane.is_there.eq(arriving.rows[row] & arriving.cols[col])",
                    "lane.is_there.eq(arriving.rows[row])"))),)
