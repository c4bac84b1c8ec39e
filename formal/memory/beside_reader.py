"""Proof of the fences in `hw.memory.beside_reader`."""

import hw.memory.beside_reader as module
from formal.memory.fences import SAYS, SHARED, FenceHarness
from formal.proof import Mutant, Proof
from hw.memory.work import SIZE_BITS

LEFT = [("group_left", SIZE_BITS), ("columns_left", SIZE_BITS), ("rows_left", SIZE_BITS),
        ("channel_left", 1), ("bias_left", 1)]


class BesideHarness(FenceHarness):
    """A work that has been let go has something left, of which each number is at least one."""

    def _pieces(self, m, dut, is_open, some_wait):
        super()._pieces(m, dut, is_open, some_wait)
        work = dut.work.p
        left = {name: self.look(f"dut.{name}", bits) for name, bits in self.left}
        self.check(m, "something_left", ~dut.o.valid | left["bias_left"] | left["channel_left"]
                   | work.has_residual)
        self.check(m, "rows_left", ~dut.o.valid | ~work.has_residual
                   | (left["rows_left"] != 0) & (left["group_left"] != 0))


def _is_good(work):
    return ((work.has_bias | work.has_channel | work.has_residual) & (work.m != 0)
            & (work.group_rows != 0))


PROOFS = (Proof(
    name="beside_reader", **SHARED | {
        "assumes": "A work stays until it is taken, and has something to be read, a residual and "
                   "a group of its rows at least one row. Commands end one at a time, and a fence "
                   "is 255 of them away at most."},
    says=SAYS.format("s of what it has wait"),
    make=lambda: BesideHarness(module.BesideReader, [
        ("side_fence", lambda work: work.has_bias | work.has_channel),
        ("residual_fence", lambda work: work.has_residual)], LEFT,
        _is_good),
    mutants=(Mutant(module.__name__, "goes.eq(self.work.valid & ~held)",
                    "goes.eq(self.work.valid)"),
             Mutant(module.__name__, "(work.has_bias | work.has_channel) & holds",
                    "work.has_bias & holds"),
             Mutant(module.__name__, "holds(work.residual_fence", "holds(work.side_fence"),
             Mutant(module.__name__, "self.work.ready.eq(goes & self.o.ready & ends)",
                    "self.work.ready.eq(goes & self.o.ready)"),
             Mutant(module.__name__, "tiles_end & (rows_left <= of_group)",
                    "tiles_end & (rows_left < of_group)"),
             Mutant(module.__name__, "group_left.eq(group_left - 1)",
                    "group_left.eq(group_left)"))),)
