"""Proof of the fences in `hw.memory.tile_reader`."""

import hw.memory.tile_reader as module
from formal.memory.fences import CONFIG, SAYS, SHARED, FenceHarness
from formal.proof import Mutant, Proof
from hw.memory.work import SIZE_BITS, largest_group

PROOFS = (Proof(
    name="tile_reader", **SHARED,
    says=SAYS.format(" and, if it has biases, that of these wait"),
    make=lambda: FenceHarness(module.TileReader, [
        ("fence", lambda work: 1), ("side_fence", lambda work: work.has_bias)],
        [("at_bias", 1), ("columns_left", SIZE_BITS), ("rows_left", SIZE_BITS)],
        lambda work: (work.group_rows != 0) & (work.group_rows <= largest_group(CONFIG))),
    mutants=(Mutant(module.__name__, "goes.eq(self.work.valid & ~held)",
                    "goes.eq(self.work.valid)"),
             Mutant(module.__name__, "work.has_bias & holds", "holds"),
             Mutant(module.__name__, "holds(work.side_fence", "holds(work.fence"),
             Mutant(module.__name__, "~at_bias & is_last & is_last_group",
                    "is_last & is_last_group"),
             Mutant(module.__name__, "rows_left - of_group", "rows_left"))),)
