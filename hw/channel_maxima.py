"""Each channel's largest magnitude over a job, for the calibration of later ones."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, FP16, FP32

from .calibration_tables import CHANNEL_BITS
from .scatter import element_width
from .sram import Sram
from .tile_block import raw_block_layout
from .widen import FORMAT_BITS, FORMAT_CODES, Widen


class ChannelMaxima(wiring.Component):
    """Keep the largest magnitude of each channel over all rows of a job that measures.

    It listens, one block per cycle, and never stalls. Magnitudes compare as patterns without sign;
    a NaN is above infinity. A block's maxima are written the cycle after it was taken. The next
    measuring job begins anew in each K-block that its first row has.

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
    channel : In(16)
        What to read.
    maximum : Out(32)
        The FP32 pattern of that channel's maximum (one of a narrower format, widened), five cycles
        after ``channel`` was set and the last block was taken; until then unspecified. Zero for a
        channel beyond those of the machine.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "taken": In(1), "block": In(raw_block_layout(config)), "job_first": In(1),
            "channel": In(16), "maximum": Out(FP32.width),
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
        is_writing, is_first, is_repeated = Signal(), Signal(), Signal()
        k_block = Signal.like(self.block.k_block)
        taken, just_written = (Signal(lanes, name=name, reset_less=True)
                               for name in ("taken_magnitudes", "just_written"))
        job_format = Signal(FORMAT_BITS, reset_less=True)  # stays through an abort, as the memory
        m.d.sync += is_writing.eq(measures)
        with m.If(measures):
            m.d.sync += [
                taken.eq(magnitudes), k_block.eq(self.block.k_block), is_first.eq(self.job_first),
                is_repeated.eq(is_writing & (k_block == self.block.k_block)),
                job_format.eq(self.block.job.float_format),
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
            maxima.write_en.eq(is_writing), maxima.write_addr.eq(k_block),
            maxima.write_data.eq(largest),
        ]

        # Software's read waits for a free cycle, and is repeated after each write.
        read, is_read, is_stale = Signal(), Signal(), Signal(init=1)
        shown = Signal.like(self.channel)
        m.d.comb += [
            read.eq(~measures & (is_stale | (shown != self.channel))),
            maxima.read_en.eq(measures | (read & self._exists(self.channel))),
            maxima.read_addr.eq(Mux(measures, self.block.k_block, self.channel[CHANNEL_BITS:])),
        ]
        m.d.sync += is_read.eq(read)
        with m.If(read):
            m.d.sync += [shown.eq(self.channel), is_stale.eq(0)]
        with m.If(is_writing):
            m.d.sync += is_stale.eq(1)
        m.submodules.widen = widen = Widen(float_formats=self.config.float_formats)
        magnitude = Signal(width, reset_less=True)
        is_chosen = Signal()
        m.d.sync += is_chosen.eq(is_read)
        with m.Switch(shown[:CHANNEL_BITS]):
            for lane in range(BLOCK_SIZE):
                with m.Case(lane):
                    m.d.sync += magnitude.eq(stored[lane])
        # One of its lanes is used.
        m.d.comb += [widen.format.eq(job_format), *(raw.eq(magnitude) for raw in widen.i)]
        with m.If(is_chosen):
            m.d.sync += self.maximum.eq(Mux(self._exists(shown), widen.o[0], 0))
        return m

    def _exists(self, channel):
        """Tell whether a number is that of a channel."""
        channels = BLOCK_SIZE * self.config.k_blocks_max
        return channel < channels if channels < 1 << len(channel) else 1
