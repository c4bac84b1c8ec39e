"""What a job's conversion counts: outlier K-blocks, NaN blocks, saturated elements."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract.counts import CONVERSION_COUNTS
from hw.contract.job import report_signature
from hw.contract.tile_block import tile_block_layout


class ConversionCounter(wiring.Component):
    """Count over each job what passes on a stream of blocks.

    Parameters
    ----------
    config : Config

    Members
    -------
    transfer : In(1)
        ``block`` is being transferred.
    block : In(tile_block_layout)
    counts : Out(report_signature(CONVERSION_COUNTS))
        The cycle after a job's last block.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "transfer": In(1), "block": In(tile_block_layout(config)),
            "counts": Out(report_signature(CONVERSION_COUNTS)),
        })

    def elaborate(self, platform):
        m = Module()
        block, rounded = self.block, self.block.rounded

        # Cycle 0: what this block adds. Cycle 1: add it.
        saturated = Signal.like(rounded.saturated, name="saturated_elements", reset_less=True)
        is_unit, is_nan = (Signal(name=name, reset_less=True) for name in ("is_unit", "is_nan"))
        is_counted = Signal()
        job_ends = Signal()
        m.d.sync += [
            is_counted.eq(self.transfer),
            is_unit.eq(rounded.is_mx9 & block.row_last), is_nan.eq(rounded.has_nan),
            saturated.eq(rounded.saturated),
            job_ends.eq(self.transfer & block.job_last & block.k_last & block.row_last),
        ]
        so_far = Signal(CONVERSION_COUNTS)
        total = Signal(CONVERSION_COUNTS)
        m.d.comb += [
            total.mx9_units.eq(so_far.mx9_units + is_unit),
            total.nan_blocks.eq(so_far.nan_blocks + is_nan),
            total.saturated_elements.eq(so_far.saturated_elements + saturated),
            self.counts.valid.eq(job_ends), self.counts.payload.eq(total),
        ]
        with m.If(is_counted):
            m.d.sync += so_far.eq(Mux(job_ends, 0, total.as_value()))
        return m
