"""Gathers what leaves the lanes: into blocks that are to become MX, or rows that stay numbers."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden.formats import BLOCK_SIZE, FP32
from hw.contract.job import job_layout
from hw.contract.job_codes import FORMAT_CODES, AnyKind
from hw.contract.result_rows import result_rows_layout
from hw.contract.tile_block import raw_block_layout
from hw.parts.ring import index_signal

from .vector_pipe import pass_numbers_layout


class PassResults(wiring.Component):
    """Lay neighbouring results of a row side by side until they are sixteen, or `cols`.

    Blocks leave as those of activations that arrive, in tiles of R rows. Numbers leave as results
    of the array do, each group of them a row of a column tile. One is complete when the one before
    leaves or after; a job that follows another one waits a cycle.

    Parameters
    ----------
    config : Config
        With a vector unit.

    Members
    -------
    jobs : In(stream of job_layout)
        Passes.
    i : In(stream of pass_numbers_layout)
    blocks : Out(stream of raw_block_layout)
        Of passes whose results are MX.
    rows : Out(stream of result_rows_layout)
        Of others.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "i": In(stream.Signature(pass_numbers_layout(config.vector_lanes))),
            "blocks": Out(stream.Signature(raw_block_layout(config))),
            "rows": Out(stream.Signature(result_rows_layout(config)))})

    def elaborate(self, platform):
        m = Module()
        config, job, lanes = self.config, self.jobs.p, self.config.vector_lanes
        most = max(BLOCK_SIZE, config.cols)
        numbers = [Signal(FP32.width, name=f"number_{index}", reset_less=True)
                   for index in range(most)]
        count = Signal(bits_for(most), reset_less=True)
        row_last, job_last = (Signal(name=name, reset_less=True)
                              for name in ("row_last", "job_last"))
        is_whole = Signal()
        place = index_signal(most // lanes, "place")  # of the next group
        packs, leaves, takes, ends = (Signal(name=name)
                                      for name in ("packs", "leaves", "takes", "ends"))
        m.d.comb += [
            packs.eq(job.kind == AnyKind.VECTOR_PACKED),
            ends.eq(self.i.p.row_last | (place == Mux(
                packs, BLOCK_SIZE // lanes - 1, config.cols // lanes - 1))),
            leaves.eq(is_whole & Mux(packs, self.blocks.ready, self.rows.ready)),
            self.i.ready.eq(self.jobs.valid & (~is_whole | leaves & ~job_last)),
            takes.eq(self.i.valid & self.i.ready), self.jobs.ready.eq(leaves & job_last),
            self.blocks.valid.eq(is_whole & packs), self.rows.valid.eq(is_whole & ~packs)]
        with m.If(leaves):
            m.d.sync += is_whole.eq(0)
        with m.If(takes):
            m.d.sync += [
                is_whole.eq(ends), place.eq(Mux(ends, 0, place + 1)),
                count.eq(place * lanes + self.i.p.count), row_last.eq(self.i.p.row_last),
                job_last.eq(self.i.p.job_last)]
            for index, number in enumerate(numbers):
                with m.If(place == index // lanes):
                    m.d.sync += number.eq(self.i.p.numbers[index % lanes])
                with m.Elif(place == 0):
                    m.d.sync += number.eq(0)
        self._describe_block(m, numbers, count, row_last, job_last, leaves)
        rows = self.rows.p
        m.d.comb += [
            *(result.eq(number) for result, number in zip(
                rows.results, numbers[:config.cols], strict=False)),
            rows.rows.eq(1), rows.cols.eq(count), rows.output.eq(job.output),
            rows.block_ends.eq(1), rows.tile_last.eq(1), rows.job_last.eq(job_last)]
        return m

    def _describe_block(self, m, numbers, count, row_last, job_last, leaves):
        """Say where a block stands in its tile."""
        block, job = self.blocks.p, self.jobs.p
        row, k_block = Signal.like(block.row), Signal.like(block.k_block)
        m.d.comb += [
            *(element.eq(number) for element, number in zip(
                block.elements, numbers[:BLOCK_SIZE], strict=True)),
            block.count.eq(count), block.k_block.eq(k_block), block.row.eq(row),
            block.row_last.eq(row_last), block.job_last.eq(job_last),
            block.tile_last_row.eq((row == self.config.rows - 1) | job_last),
            block.job.float_format.eq(FORMAT_CODES[FP32.name]), block.job.table.eq(job.table),
            block.job.policy.eq(job.policy)]
        with m.If(leaves):
            m.d.sync += k_block.eq(Mux(row_last, 0, k_block + 1))
            with m.If(row_last):
                m.d.sync += row.eq(Mux((row == self.config.rows - 1) | job_last, 0, row + 1))
