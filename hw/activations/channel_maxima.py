"""Each channel's largest magnitude over a job, for the calibration of later ones."""

from amaranth import Module, Mux, ResetSignal, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, FP16, FP32
from hw.blocks.widen import Widen
from hw.contract.job_codes import FORMAT_BITS, FORMAT_CODES
from hw.contract.tile_block import raw_block_layout
from hw.parts.sram import Sram

from .calibration_tables import CHANNEL_BITS
from .scatter import element_width


class ChannelMaxima(wiring.Component):
    """Keep the largest magnitude of each channel over all rows of a job that measures.

    It listens, one block per cycle, and never stalls. Magnitudes compare as patterns without sign;
    a NaN is above infinity. A block's maxima are written the cycle after it was taken. Each
    measuring job begins anew: it has the channels of the K-blocks that its first row has brought.

    Parameters
    ----------
    config : Config

    Members
    -------
    taken : In(1)
        ``block`` is handed over in this cycle, not yet reordered.
    block : In(raw_block_layout)
    job_first : In(1)
        It belongs to the first row of its job.
    forget : In(1)
        No job has measured. A reset does not say so: an abort leaves what was measured.
    channel : In(16)
        Whose maximum is to be read.
    maximum : Out(32)
        The FP32 pattern of that channel's maximum (one of a narrower format, widened), five cycles
        after ``channel`` was set and the last block was taken; until then unspecified. Zero for a
        channel that the last measuring job does not have.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "taken": In(1), "block": In(raw_block_layout(config)), "job_first": In(1),
            "forget": In(1), "channel": In(16), "maximum": Out(FP32.width),
        })

    def elaborate(self, platform):
        m = Module()
        width, depth = element_width(self.config) - 1, self.config.k_blocks_max
        lanes = data.ArrayLayout(width, BLOCK_SIZE)
        m.submodules.maxima = maxima = Sram(width=lanes.size, depth=depth)
        stored = data.View(lanes, maxima.read_data)

        # Cycle 0: take a block, read its channels' maxima so far.
        measures = Signal()
        magnitudes = Signal(lanes)
        m.d.comb += measures.eq(
            self.taken & self.block.job.measure & ~self.block.job.transposed)
        is_narrow = self.block.job.float_format != FORMAT_CODES[FP32.name]
        for magnitude, element in zip(magnitudes, self.block.elements, strict=True):
            m.d.comb += magnitude.eq(Mux(is_narrow, element[:FP16.width - 1], element[:width]))

        # Cycle 1: write the larger of both. What is written while it is read, is kept aside.
        is_writing = Signal()
        is_first = Signal()
        is_repeated = Signal()
        k_block = Signal.like(self.block.k_block)
        taken, just_written = (Signal(lanes, name=name, reset_less=True)
                               for name in ("taken_magnitudes", "just_written"))
        taken_format = Signal(FORMAT_BITS, reset_less=True)
        # Zeros where nothing is measured, so that nothing behind them moves.
        m.d.sync += [is_writing.eq(measures), taken.eq(Mux(measures, magnitudes, 0))]
        with m.If(measures):
            m.d.sync += [
                k_block.eq(self.block.k_block), is_first.eq(self.job_first),
                is_repeated.eq(is_writing & (k_block == self.block.k_block)),
                taken_format.eq(self.block.job.float_format),
            ]
        largest = Signal(lanes)
        for lane in range(BLOCK_SIZE):
            so_far = Signal(width, name=f"so_far_{lane}")
            m.d.comb += [
                so_far.eq(Mux(is_repeated, just_written[lane], stored[lane])),
                largest[lane].eq(Mux(is_first | (taken[lane] > so_far), taken[lane], so_far)),
            ]
        m.d.sync += just_written.eq(largest)
        m.d.comb += [
            maxima.write_en.eq(is_writing & ~ResetSignal()), maxima.write_addr.eq(k_block),
            maxima.write_data.eq(largest),
        ]
        # What the memory holds: K-blocks and their format. They stay through an abort, as it does.
        has_measured = Signal(reset_less=True)
        last_k_block = Signal.like(k_block, reset_less=True)
        job_format = Signal(FORMAT_BITS, reset_less=True)
        with m.If(maxima.write_en & is_first):
            m.d.sync += [has_measured.eq(1), last_k_block.eq(k_block), job_format.eq(taken_format)]
        with m.If(self.forget):
            m.d.sync += has_measured.eq(0)

        self._read(m, maxima, stored, measures, is_writing, has_measured, last_k_block, job_format)
        return m

    def _read(self, m, maxima, stored, measures, is_writing, has_measured, last_k_block,
              job_format):
        """Read for software: wait for a free cycle, and again after each write."""
        read = Signal()
        is_read = Signal()
        is_stale = Signal(init=1)
        shown = Signal.like(self.channel)
        exists = Signal()
        was_there = Signal(reset_less=True)
        m.d.comb += [
            exists.eq(has_measured & (self.channel[CHANNEL_BITS:] <= last_k_block)),
            read.eq(~measures & (is_stale | (shown != self.channel))),
            maxima.read_en.eq(measures | (read & exists)),
            maxima.read_addr.eq(Mux(measures, self.block.k_block, self.channel[CHANNEL_BITS:])),
        ]
        m.d.sync += [is_read.eq(read), was_there.eq(exists)]
        with m.If(read):
            m.d.sync += [shown.eq(self.channel), is_stale.eq(0)]
        with m.If(is_writing):
            m.d.sync += is_stale.eq(1)
        m.submodules.widen = widen = Widen(float_formats=self.config.float_formats)
        magnitude = Signal.like(stored[0], reset_less=True)
        is_chosen = Signal()
        m.d.sync += is_chosen.eq(is_read)
        m.d.sync += magnitude.eq(0)
        with m.If(was_there):
            with m.Switch(shown[:CHANNEL_BITS]):
                for lane in range(BLOCK_SIZE):
                    with m.Case(lane):
                        m.d.sync += magnitude.eq(stored[lane])
        # One of its lanes is used.
        m.d.comb += [widen.format.eq(job_format), *(raw.eq(magnitude) for raw in widen.i)]
        with m.If(is_chosen):
            m.d.sync += self.maximum.eq(widen.o[0])
