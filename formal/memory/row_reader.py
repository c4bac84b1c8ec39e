"""Proof of the fence in `hw.memory.row_reader`."""

import hw.memory.row_reader as module
from formal.memory.fences import SAYS, SHARED, FenceHarness
from formal.proof import Mutant, Proof
from hw.memory.work import SIZE_BITS

PROOFS = (Proof(
    name="row_reader", **SHARED, says=SAYS.format(" waits"),
    make=lambda: FenceHarness(module.RowReader, [("fence", lambda work: 1)],
                               [("rows_left", SIZE_BITS), ("cols_left", SIZE_BITS)]),
    mutants=(Mutant(module.__name__, "self.work.valid & ~holds(work.fence, self.completed)",
                    "self.work.valid"),
             Mutant(module.__name__, "with m.If(~goes):", "with m.If(~goes & self.o.ready):"),
             Mutant(module.__name__, "goes & self.o.ready & ends", "self.o.ready & ends"),
             Mutant(module.__name__, "rows_at_once.eq(Mux(in_tiles, config.rows, 1))",
                    "rows_at_once.eq(Mux(in_tiles, config.rows, 0))"))),)
