"""What a row says of itself: the offset and the factor that its numbers go through."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from golden.memory.jobs import Rows
from hw.contract.factor import Factor
from hw.contract.named import Named

from .lane import Addend
from .row_mean import RowMean
from .row_scale import RowScale
from .row_totals import COLUMN_BITS, RowTotals
from .scalar_unit import ScalarUnit
from .v24 import V24Rounder

Measure = data.StructLayout({
    "rows": Named(Rows), "columns": COLUMN_BITS, "scalar": FP32.width, "is_scaled": 1})
"""How a row is measured.

Members
-------
rows : Named(Rows)
    SUM, which is the array's, is as NONE.
columns : unsigned(17)
    N.
scalar : unsigned(32)
    FP32 pattern. Of norms N^2 epsilon.
is_scaled : unsigned(1)
    The row's factor is ``scalar``; not of norms.
"""

Operands = data.StructLayout({"addend": Addend, "row_factor": Factor})


def is_norm(rows):
    """Tell whether rows are added up, as an expression."""
    return (rows == Rows.LAYER_NORM) | (rows == Rows.RMS_NORM)


class RowOperands(wiring.Component):
    """Add up a row, and make its mean and its scale of the sums, both at the same time.

    From the row's last block it takes 7 cycles and those of `RowMean` or of `RowScale`, whichever
    are more; a row that is not added up takes one. One row at a time.

    Parameters
    ----------
    lanes : int
        As in `RowTotals`.

    Members
    -------
    measure : In(Measure), exponent : In(8), maximum : In(32)
        Of the row, and of its extremes: from `start` until `done`.
    start : In(1)
        Begin a row; its blocks may follow from this cycle on.
    block : In(lanes x unsigned(32)), is_valid : In(lanes), first, last : In(1)
        As in `RowTotals`; of rows that are added up.
    operands : Out(Operands)
        In the cycle of `done`.
    done : Out(1)
    """

    def __init__(self, *, lanes: int):
        self.lanes = lanes
        super().__init__({
            "measure": In(Measure), "exponent": In(FP32.exponent_bits), "maximum": In(FP32.width),
            "start": In(1), "block": In(data.ArrayLayout(FP32.width, lanes)),
            "is_valid": In(lanes), "first": In(1), "last": In(1),
            "operands": Out(Operands), "done": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.totals = totals = RowTotals(lanes=self.lanes)
        m.submodules.mean = mean = RowMean()
        m.submodules.scale = scale = RowScale()
        m.submodules.scalars = scalars = ScalarUnit()
        m.submodules.rounder = rounder = V24Rounder()
        rows = self.measure.rows
        is_centred = rows == Rows.LAYER_NORM
        m.d.comb += [
            *(getattr(totals, name).eq(getattr(self, name))
              for name in ("block", "is_valid", "first", "last", "exponent")),
            mean.start.eq(totals.done), mean.total.eq(totals.totals.total),
            mean.exponent.eq(self.exponent), mean.columns.eq(self.measure.columns),
            scale.start.eq(totals.done), scale.squares.eq(totals.totals.squares),
            scale.coarse_total.eq(totals.totals.coarse_total), scale.exponent.eq(self.exponent),
            scale.columns.eq(self.measure.columns), scale.offset.eq(self.measure.scalar),
            scale.is_centred.eq(is_centred),
            self.operands.addend.value.eq(Mux(is_centred, mean.mean, self.maximum)),
            self.operands.addend.enable.eq(is_centred | (rows == Rows.MAXIMUM)),
            self.operands.addend.subtracts.eq(1),
            rounder.i.eq(Mux(is_norm(rows), scale.scale, self.measure.scalar)),
            self.operands.row_factor.value.eq(rounder.o),
            self.operands.row_factor.enable.eq(is_norm(rows) | self.measure.is_scaled),
        ]
        for name in ("sum", "reciprocal_root", "product"):
            wiring.connect(m, getattr(scale, name), getattr(scalars, name))
        waits_for_mean, waits_for_scale = Signal(), Signal()
        has_mean, has_scale = mean.done | ~waits_for_mean, scale.done | ~waits_for_scale
        with m.If(mean.done):
            m.d.sync += waits_for_mean.eq(0)
        with m.If(scale.done):
            m.d.sync += waits_for_scale.eq(0)
        with m.If(totals.done):
            m.d.sync += [waits_for_mean.eq(1), waits_for_scale.eq(1)]
        m.d.sync += self.done.eq(Mux(is_norm(rows), (waits_for_mean | waits_for_scale)
                                     & has_mean & has_scale, self.start))
        return m
