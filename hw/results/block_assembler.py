"""Gathers FP32 results into blocks of sixteen columns, as the next GEMM reads them."""

from amaranth import Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE
from hw.contract.result_block import result_block_layout
from hw.contract.result_rows import result_rows_layout
from hw.streams.register_slice import register_slice

from .part_joiner import PartJoiner
from .tile_turner import TileTurner


class BlockAssembler(wiring.Component):
    """Turn groups of rows of output tiles into blocks of sixteen columns, all rows of each.

    An array of at most sixteen columns makes a block from several column tiles, see `PartJoiner`;
    a wider one several blocks from one, see `TileTurner`. One block per cycle, from one tile to
    the next too. What either hands out is registered: it appears at ``o`` a cycle later.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of result_rows_layout)
        Of jobs whose results leave as MX. Tiles come group of resident token tiles > column tile >
        token tile; a group of rows has at least one row and one column.
    o : Out(stream of result_block_layout)
        Group of resident token tiles > the column tiles of a block, or of several > token tile >
        block > row.

    Raises
    ------
    ValueError
        If neither cols divides 16 nor 16 cols.
    """

    def __init__(self, config):
        if not config.packs_results:
            raise ValueError(f"packed results need cols that divide {BLOCK_SIZE}, or a multiple "
                             f"of it, not {config.cols}")
        self.config = config
        super().__init__({
            "i": In(stream.Signature(result_rows_layout(config))),
            "o": Out(stream.Signature(result_block_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        kind = PartJoiner if config.cols <= BLOCK_SIZE else TileTurner
        m.submodules.gatherer = gatherer = kind(config)
        m.d.comb += [gatherer.i.p.eq(self.i.p), gatherer.i.valid.eq(self.i.valid),
                     self.i.ready.eq(gatherer.i.ready)]
        for lane, result in enumerate(self.i.p.results):  # blocks are filled up with zeros
            m.d.comb += gatherer.i.p.results[lane].eq(
                Mux(lane % config.cols < self.i.p.cols, result, 0))
        register_slice(m, gatherer.o, self.o, gatherer.o.p)
        return m
