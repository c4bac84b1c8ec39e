"""Proof of `hw.activations.pass_gate`."""

from amaranth import Mux, Signal, Value

import hw.activations.pass_gate as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.config import Config

CONFIG = Config.sized(rows=2, cols=2, k_max=16, bus_bytes=8, vector_lanes=2)

NUMBERS = 12
"""Bits of what is counted here; nothing that is counted comes near their end."""


class PassGateHarness(Harness):
    """A vector unit that lets rows go, and gives them back, at any time after they came."""

    def prove(self, m):
        m.submodules.dut = dut = module.PassGate(CONFIG)
        self.free_inputs(m, dut)
        self.offers_stay(m, dut.i, "i")
        i, back, o = dut.i, dut.back, dut.o
        comes, enters, begins, returns = (
            Signal(name=name) for name in ("comes", "enters", "begins", "returns"))
        is_pass, packs = i.p.job.is_pass, i.p.job.packs
        # Rows in the unit's places, rows that are to come back, and whether one is half in.
        held, owed, inside = Signal(NUMBERS), Signal(NUMBERS), Signal()
        m.d.comb += [
            comes.eq(i.valid & i.ready), enters.eq(comes & is_pass), begins.eq(enters & ~inside),
            returns.eq(back.valid & back.ready & back.p.row_last)]
        with m.If(enters):
            m.d.sync += inside.eq(~i.p.row_last)
        m.d.sync += [held.eq(held + begins - dut.row_left),
                     owed.eq(owed + (begins & packs) - returns)]
        # Only what is there leaves a place, and only what went in comes back.
        self.assume(m, ~dut.row_left | (held != 0))
        self.assume(m, ~back.valid | (owed != 0))
        self.cover(m, "two_rows", (held == module.ROWS_HELD) & (owed == module.ROWS_HELD))
        self.cover(m, "waits", i.valid & ~is_pass & o.ready & ~back.valid & ~i.ready)
        self.cover(m, "returns", returns & i.valid & ~is_pass)

        self.check(m, "two_rows_at_most", held <= module.ROWS_HELD)
        self.check(m, "never_more_owed_than_are_counted", owed <= module.MOST_OWED)
        self.check(m, "counts", (self.look("dut.held", 2) == held)
                   & (self.look("dut.owed", 6) == owed) & (self.look("dut.in_row") == inside))
        self.check(m, "no_row_goes_in_on_two", ~begins | (held < module.ROWS_HELD))
        self.check(m, "a_row_goes_in_whole", ~(i.valid & is_pass & inside)
                   | (i.ready == (o.ready & ~back.valid)))
        self.check(m, "what_returns_is_never_late", back.ready == o.ready)
        self.check(m, "later_jobs_wait", ~(comes & ~is_pass) | ((owed == 0) & ~back.valid))
        self.check(m, "and_for_nothing_else", ~(i.valid & ~is_pass & (owed == 0))
                   | (i.ready == o.ready))
        leaves = Signal()
        m.d.comb += leaves.eq(o.valid & o.ready)
        self.check(m, "one_in_one_out", leaves == (comes | (back.valid & back.ready)))
        self.check(m, "as_it_is", ~leaves | (Value.cast(o.p) == Mux(
            back.valid, Value.cast(back.p), Value.cast(i.p))))


PROOFS = (Proof(
    name="pass_gate", make=PassGateHarness, depth=1, steps=8,
    says="Never are more than two rows in the vector unit's places, nor more on their way back "
         "than are counted; a row that has begun to go in waits for nothing but what comes back. "
         "What comes back never waits for the gate, other jobs only for what is to come back. "
         "Every block leaves once, as it is.",
    assumes="What i offers stays until it is taken. A row leaves a place, or comes back, only "
            "after it went in.",
    bounds="A 2x2 machine with two lanes.",
    mutants=(Mutant(module.__name__, "(held != ROWS_HELD) & ", ""),
             Mutant(module.__name__, "in_row.eq(~block.row_last)", "in_row.eq(0)"),
             Mutant(module.__name__, "owed == 0)),", "1)),"),
             Mutant(module.__name__, "self.o.ready & ~self.back.valid & may_go",
                    "self.o.ready & may_go"))),)
