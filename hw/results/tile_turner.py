"""Turns a tile of an array wider than a block: from row by row to block column by block column."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, FP32
from hw.contract.job_codes import Output
from hw.contract.result_block import choose, result_block_layout, rows_of_results
from hw.contract.result_rows import result_rows_layout
from hw.parts.ring import index_signal
from hw.parts.sram import Sram


class TileTurner(wiring.Component):
    """Cut the rows of a tile into blocks; hand out the first block of every row, then the second.

    A memory of two tiles, ``2 * drain_cycles`` words of drain_rows x cols results: one is written
    while the other is read. A tile's first block appears two cycles after its last rows were
    taken; one block per cycle. ``i`` stalls while two tiles wait.

    Parameters
    ----------
    config : Config
        With cols a multiple of 16.

    Members
    -------
    i : In(stream of result_rows_layout)
        As `BlockAssembler`'s, its results zero beyond ``cols``.
    o : Out(stream of result_block_layout)
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(result_rows_layout(config))),
            "o": Out(stream.Signature(result_block_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        row, block = (index_signal(limit, name) for limit, name in (
            (config.rows, "row"), (config.cols // BLOCK_SIZE, "block")))
        layout = data.StructLayout({
            "last_row": row.shape(), "last_block": block.shape(), "job_last": 1, "is_mx9": 1,
        })
        tiles = Array(Signal(layout, name=f"tile_{half}", reset_less=True) for half in range(2))
        # Halves are written in turn and read in turn, so while fewer than two tiles are complete
        # the half to be written is not the one that is read.
        complete = Signal(range(3))
        fills = Signal()
        empties = Signal()
        filling = Signal()
        emptying = Signal()
        m.d.sync += [complete.eq(complete + fills - empties),
                     filling.eq(filling ^ fills), emptying.eq(emptying ^ empties)]
        m.submodules.words = words = Sram(
            width=FP32.width * config.drain_lanes, depth=2 * config.drain_cycles)
        self._write(m, words, tiles[filling], complete, fills, filling)

        # Cycle 1: read the word that holds the row.
        tile = tiles[emptying]
        is_free = Signal()
        reads = Signal()
        ends_column = Signal()
        rows_log2 = config.drain_rows.bit_length() - 1
        m.d.comb += [
            is_free.eq(~self.o.valid | self.o.ready), reads.eq(is_free & (complete != 0)),
            ends_column.eq(row == tile.last_row),
            empties.eq(reads & ends_column & (block == tile.last_block)),
            words.read_en.eq(reads),
            words.read_addr.eq(Mux(emptying, config.drain_cycles, 0) + (row >> rows_log2)),
        ]
        lane = index_signal(config.drain_rows, "lane")
        column = Signal.like(block)
        with m.If(is_free):
            m.d.sync += self.o.valid.eq(complete != 0)
        with m.If(reads):
            m.d.sync += [
                row.eq(Mux(ends_column, 0, row + 1)),
                lane.eq(row[:rows_log2]), column.eq(block), self.o.p.row.eq(row),
                self.o.p.row_last.eq(ends_column), self.o.p.job_last.eq(empties & tile.job_last),
                self.o.p.is_mx9.eq(tile.is_mx9),
            ]
        with m.If(reads & ends_column):
            m.d.sync += block.eq(Mux(empties, 0, block + 1))

        # Cycle 2: pick the row's block from the word.
        blocks = Signal(data.ArrayLayout(self.o.p.elements.shape(), config.cols // BLOCK_SIZE))
        m.d.comb += [blocks.eq(choose(rows_of_results(config, words.read_data), lane)),
                     self.o.p.elements.eq(choose(blocks, column))]
        return m

    def _write(self, m, words, tile, complete, fills, filling):
        """Write a group of rows per cycle, and note what the tile is when it is complete."""
        config, rows = self.config, self.i.p
        taken = Signal()
        group = index_signal(config.drain_cycles, "group")
        m.d.comb += [
            self.i.ready.eq(complete != 2), taken.eq(self.i.valid & self.i.ready),
            fills.eq(taken & rows.tile_last),
            words.write_en.eq(taken), words.write_data.eq(rows.results),
            words.write_addr.eq(Mux(filling, config.drain_cycles, 0) + group),
        ]
        with m.If(taken):
            m.d.sync += group.eq(Mux(fills, 0, group + 1))
        with m.If(fills):
            m.d.sync += [
                tile.last_row.eq(group * config.drain_rows + rows.rows - 1),
                tile.last_block.eq((rows.cols - 1) >> (BLOCK_SIZE.bit_length() - 1)),
                tile.job_last.eq(rows.job_last), tile.is_mx9.eq(rows.output == Output.MX9),
            ]
