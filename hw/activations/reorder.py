"""Brings the channels of each row into a calibrated order, or turns tokens into channels."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE
from hw.contract.tile_block import raw_block_layout
from hw.parts.sram import Sram

from .calibration_tables import order_read_signature
from .gather import Gather
from .scatter import Scatter, element_width, segment_layout, segment_words


class Reorder(wiring.Component):
    """Reorder or transpose the blocks of the jobs that ask for it; let the others through.

    Which it is, each block's ``job`` says:

    - ``reorder``: the element that arrived as channel i leaves at the place that the order table
      has for it. Once a row is whole, its blocks leave in order; the last one has as many elements
      as the last one had. A table that is not a permutation of the row's channels gives
      unspecified elements, nothing worse.
    - ``transposed`` (whatever ``reorder`` says): ``row`` counts the tokens of a slab of 16 and a
      row is one token's channels of a column tile. Once a slab is whole, or the tile at its end,
      one block of up to 16 tokens leaves per channel: ``row`` is the channel, ``k_block`` the slab
      in the tile, ``row_last`` tells the tile's last slab and ``tile_last_row`` the last channel.
    - neither: blocks pass through in the same cycle, once all earlier ones have left.

    One segment (row, slab) is written while the one before is read: one block per cycle (or, if a
    beat of the stream brings fewer elements than a block has, as fast as these arrive), if the
    sixteen channels of each arriving block go to places that differ modulo 16; otherwise a block
    waits for channels that share a place modulo 16: see `Scatter`. The first block of a segment
    leaves two cycles after its last element is written. Nothing is registered on the way from
    ``i``, or from the banks, to ``o``. The first block of a job with another table than the one
    before waits a cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of raw_block_layout)
    o : Out(stream of raw_block_layout)
    order : Out(order_read_signature)
        To the order tables: see `hw.activations.calibration_tables.CalibrationTables`.
    order_changes : In(tables)
        Each table's bit: it is being written.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(raw_block_layout(config))),
            "o": Out(stream.Signature(raw_block_layout(config))),
            "order": Out(order_read_signature(config)), "order_changes": In(config.tables),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.scatter = scatter = Scatter(self.config)
        m.submodules.gather = gather = Gather(self.config)
        wiring.connect(m, scatter.order, wiring.flipped(self.order))

        # Both sides take the halves of the banks in turn, starting with half 0.
        write_half = Signal()
        read_half = Signal()
        is_full = Signal(2)
        segments = [Signal(segment_layout(self.config), name=f"segment_{half}", reset_less=True)
                    for half in range(2)]
        m.d.sync += [
            write_half.eq(write_half ^ scatter.done), read_half.eq(read_half ^ gather.done)]
        for half, segment in enumerate(segments):
            with m.If(scatter.done & (write_half == half)):
                m.d.sync += [is_full[half].eq(1), segment.eq(scatter.segment)]
            with m.If(gather.done & (read_half == half)):
                m.d.sync += is_full[half].eq(0)
        m.d.comb += [
            scatter.can_write.eq(~Mux(write_half, is_full[1], is_full[0])),
            gather.can_read.eq(Mux(read_half, is_full[1], is_full[0])),
            gather.segment.eq(Mux(read_half, segments[1], segments[0])),
        ]
        for index in range(BLOCK_SIZE):
            bank = Sram(width=element_width(self.config), depth=2 * segment_words(self.config))
            m.submodules[f"bank_{index}"] = bank
            m.d.comb += [
                bank.write_en.eq(scatter.write.en[index]),
                bank.write_addr.eq(Cat(write_half, scatter.write.words[index])),
                bank.write_data.eq(scatter.write.elements[index]),
                bank.read_en.eq(gather.read.en),
                bank.read_addr.eq(Cat(read_half, gather.read.words[index])),
                gather.read.elements[index].eq(bank.read_data),
            ]

        # A block that needs no bank waits until the banks' last one has left.
        needs_banks = Signal()
        is_empty = Signal()
        m.d.comb += [
            needs_banks.eq(self.i.p.job.reorder | self.i.p.job.transposed),
            is_empty.eq(~(scatter.is_busy | is_full.any() | gather.is_busy)),
            scatter.i.p.eq(self.i.p), scatter.order_changes.eq(self.order_changes),
            scatter.i.valid.eq(self.i.valid & needs_banks),
            self.i.ready.eq(Mux(needs_banks, scatter.i.ready, is_empty & self.o.ready)),
            gather.o.ready.eq(self.o.ready),
            self.o.valid.eq(Mux(is_empty, self.i.valid & ~needs_banks, gather.o.valid)),
            self.o.p.eq(Mux(is_empty, self.i.p, gather.o.p)),
        ]
        return m
