"""Proof of the fence in `hw.memory.row_reader`."""

import hw.memory.row_reader as module
from formal.memory.fences import SAYS, SHARED, FenceHarness
from formal.proof import Mutant, Proof

PROOFS = (Proof(
    name="row_reader", **SHARED, says=SAYS.format(" waits"),
    make=lambda: FenceHarness(module.RowReader, [("fence", lambda work: 1)]),
    mutants=(Mutant(module.__name__, "self.work.valid & ~holds(work.fence, self.completed)",
                    "self.work.valid"),
             Mutant(module.__name__, "with m.If(~goes):", "with m.If(~goes & self.o.ready):"),
             Mutant(module.__name__, "goes & self.o.ready & ends", "self.o.ready & ends"))),)
