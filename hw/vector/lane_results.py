"""Gathers what leaves the lanes: into blocks that are to become MX, or groups of results."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden.formats import BLOCK_SIZE, FP32
from hw.contract.job import is_pass, job_layout
from hw.contract.job_codes import FORMAT_CODES, AnyKind
from hw.contract.result_rows import result_rows_layout
from hw.contract.tile_block import raw_block_layout
from hw.parts.ring import index_signal

from .tile_rows import cut_group_layout
from .vector_pipe import pass_numbers_layout


class LaneResults(wiring.Component):
    """Lay neighbouring results side by side, until they are a block, or what leaves at once.

    Blocks of passes leave as those of activations that arrive, in tiles of R rows. Numbers leave as
    results of the array do: those of passes `cols` of a row at a time, those of GEMMs in the groups
    in which they drained. One is complete when the one before leaves or after; a job that follows
    another one waits a cycle.

    Parameters
    ----------
    config : Config
        With a vector unit.

    Members
    -------
    jobs : In(stream of job_layout)
        Passes, and GEMMs whose results go through lanes.
    i : In(stream of pass_numbers_layout)
    cut : In(stream of cut_group_layout)
        Of GEMMs.
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
            "cut": In(stream.Signature(cut_group_layout(config))),
            "blocks": Out(stream.Signature(raw_block_layout(config))),
            "rows": Out(stream.Signature(result_rows_layout(config)))})

    def elaborate(self, platform):
        m = Module()
        config, job, lanes = self.config, self.jobs.p, self.config.vector_lanes
        most, of_row = max(BLOCK_SIZE, config.drain_lanes), config.cols // lanes
        numbers = [Signal(FP32.width, name=f"number_{index}", reset_less=True)
                   for index in range(most)]
        count = Signal(bits_for(max(BLOCK_SIZE, config.cols)), reset_less=True)  # of the last row
        row_last, job_last = (Signal(name=name, reset_less=True)
                              for name in ("row_last", "job_last"))
        is_whole = Signal()
        row = index_signal(config.drain_rows, "row")
        place = index_signal(max(BLOCK_SIZE // lanes, of_row), "place")  # of the next in its row
        at = index_signal(most // lanes, "at")  # and among all
        packs, of_pass, leaves, takes, ends = (
            Signal(name=name) for name in ("packs", "of_pass", "leaves", "takes", "ends"))
        m.d.comb += [
            packs.eq(job.kind == AnyKind.VECTOR_PACKED), of_pass.eq(is_pass(job.kind)),
            ends.eq(Mux(of_pass, self.i.p.row_last | (place == Mux(
                packs, BLOCK_SIZE // lanes - 1, of_row - 1)), self.i.p.group_last)),
            leaves.eq(is_whole & Mux(packs, self.blocks.ready, self.rows.ready)),
            self.i.ready.eq(self.jobs.valid & (~is_whole | leaves & ~job_last)),
            takes.eq(self.i.valid & self.i.ready), self.jobs.ready.eq(leaves & job_last),
            self.blocks.valid.eq(is_whole & packs), self.rows.valid.eq(is_whole & ~packs),
            self.cut.ready.eq(leaves & ~of_pass), at.eq(row * of_row + place)]
        rows = Signal(bits_for(config.drain_rows), reset_less=True)
        with m.If(leaves):
            m.d.sync += is_whole.eq(0)
        with m.If(takes):
            m.d.sync += [
                is_whole.eq(ends), place.eq(Mux(ends | self.i.p.row_last, 0, place + 1)),
                row.eq(Mux(ends, 0, row + self.i.p.row_last)), rows.eq(row + 1),
                count.eq(place * lanes + self.i.p.count), row_last.eq(self.i.p.row_last),
                job_last.eq(self.i.p.job_last)]
            for index, number in enumerate(numbers):
                with m.If(at == index // lanes):
                    m.d.sync += number.eq(self.i.p.numbers[index % lanes])
                with m.Elif(at == 0):
                    m.d.sync += number.eq(0)
        self._describe_block(m, numbers, count, row_last, job_last, leaves)
        self._describe_rows(m, numbers, rows, count, job_last, of_pass)
        return m

    def _describe_rows(self, m, numbers, rows, count, job_last, of_pass):
        """Say what numbers are: a row of a pass, or a group as it was cut."""
        group = self.rows.p
        m.d.comb += [
            *(result.eq(number) for result, number in zip(
                group.results, numbers[:self.config.drain_lanes], strict=True)),
            group.rows.eq(rows), group.cols.eq(count), group.output.eq(self.jobs.p.output),
            group.block_ends.eq(1), group.tile_last.eq(1), group.job_last.eq(job_last)]
        with m.If(~of_pass):
            m.d.comb += [group[name].eq(self.cut.p[name]) for name, _ in self.cut.p.shape()]

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
