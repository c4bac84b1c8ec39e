"""Settles how precise each K-block of a tile becomes."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hw.contract.job import converts as converts_kind
from hw.contract.job import is_pass, is_untagged, job_layout
from hw.contract.job_codes import JobKind, Selection
from hw.contract.outlier_policy import Tag
from hw.contract.tag_read import tag_read_signature
from hw.parts.ring import index_signal

TILES_AHEAD = 4
"""Most tiles that are announced and not read to their end."""


def staged_tile_layout(config):
    """Describe a tile in the stage.

    Members
    -------
    rows, k_blocks : unsigned
        Both from 1 up.
    by_k_block : unsigned(1)
        Its blocks lie K-block by K-block, and not row by row.
    untagged : unsigned(1)
        All its blocks are MX6, and leave in the order in which they lie.
    job_last : unsigned(1)
        The last tile of its job.
    """
    return data.StructLayout({
        "rows": bits_for(config.tile_rows_max), "k_blocks": bits_for(config.k_blocks_max),
        "by_k_block": 1, "untagged": 1, "job_last": 1,
    })


class TileTags(wiring.Component):
    """Cut jobs into tiles and settle their tags: as detected, as the table says, or all the same.

    A detected tag is taken for each K-block, also where the job's policy does not ask for it: that
    it comes says that the tile is whole. One tag per cycle, a cycle later; one idle cycle between
    jobs. `hw.contract.job.is_untagged` jobs have no tags: their tiles are announced at once, one
    per cycle, and their blocks may come later.

    Parameters
    ----------
    config : Config

    Members
    -------
    jobs : In(stream of job_layout)
        GEMM and VECTOR_PACKED, whose tiles have R of the m rows; CONVERT and CONVERT_TRANSPOSED: C
        of the n rows.
    i : In(stream of Tag)
        From the `OutlierDetector`.
    static_tags : Out(tag_read_signature)
    tiles : Out(stream of staged_tile_layout)
        Each with its first tag or before; without tags, as soon as there is room.
    o : Out(stream of Tag)
    converted, passed : Out(stream of Tag)
        Those of ``o`` that belong to a CONVERT job, to a pass, in the same cycle; the second one
        with a vector unit.
    """

    def __init__(self, config):
        self.config = config
        tag = stream.Signature(Tag)
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))), "i": In(tag),
            "static_tags": Out(tag_read_signature(config)),
            "tiles": Out(stream.Signature(staged_tile_layout(config))),
            "o": Out(tag), "converted": Out(tag),
            **({"passed": Out(tag)} if config.vector_lanes else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        job = Signal(job_layout(config), reset_less=True)
        busy = Signal()
        rows_left = Signal.like(job.m, reset_less=True)
        converts, untagged = Signal(), Signal()
        k_block = index_signal(config.k_blocks_max, "k_block")
        tile = Signal(staged_tile_layout(config))
        lanes = Signal.like(tile.rows)
        m.d.comb += [
            self.jobs.ready.eq(~busy),
            converts.eq(converts_kind(job.kind) if config.vector_lanes
                        else job.kind != JobKind.GEMM),
            untagged.eq(is_untagged(job)),
            lanes.eq(Mux(converts, config.cols, config.rows)),
            tile.rows.eq(Mux(tile.job_last, rows_left, lanes)),
            tile.k_blocks.eq(job.k_blocks),
            tile.by_k_block.eq(job.kind == JobKind.CONVERT_TRANSPOSED),
            tile.untagged.eq(untagged), tile.job_last.eq(rows_left <= lanes),
        ]
        with m.If(self.jobs.valid & self.jobs.ready):
            m.d.sync += [busy.eq(1), job.eq(self.jobs.p),
                         rows_left.eq(Mux(self._has_rows(self.jobs.p.kind),
                                          self.jobs.p.m, self.jobs.p.n))]

        # Cycle 0: take a tag, ask the table for its own, announce the tile.
        m.submodules.tiles = tiles = SyncFIFOBuffered(width=tile.shape().size, depth=TILES_AHEAD)
        starts_tile, ends_tile = Signal(), Signal()
        take, announces = Signal(), Signal()
        can_settle = Signal()
        m.d.comb += [
            starts_tile.eq(k_block == 0),
            self.i.ready.eq(busy & ~untagged & can_settle & (tiles.w_rdy | ~starts_tile)),
            take.eq(self.i.valid & self.i.ready),
            announces.eq(busy & untagged & tiles.w_rdy),
            ends_tile.eq((take & self.i.p.last) | announces),
            tiles.w_en.eq((take & starts_tile) | announces), tiles.w_data.eq(tile),
            self.tiles.valid.eq(tiles.r_rdy), self.tiles.p.eq(tiles.r_data),
            tiles.r_en.eq(self.tiles.ready),
            self.static_tags.en.eq(take), self.static_tags.table.eq(job.table),
            self.static_tags.k_block.eq(k_block),
        ]
        with m.If(take):
            m.d.sync += k_block.eq(Mux(self.i.p.last, 0, k_block + 1))
        with m.If(ends_tile):
            m.d.sync += [rows_left.eq(rows_left - lanes), busy.eq(~tile.job_last)]

        # Cycle 1: hand it out, to both takers at once.
        settled = Signal(data.StructLayout({
            "is_mx9": 1, "in_table": 1, "last": 1, "converts": 1,
            **({"is_pass": 1} if config.vector_lanes else {})}), reset_less=True)
        is_settled = Signal()
        leaves = Signal()
        tag = Signal(Tag)
        policy = job.policy
        m.d.comb += [
            tag.is_mx9.eq(Mux(settled.in_table, self.static_tags.is_mx9, settled.is_mx9)),
            tag.last.eq(settled.last),
            self.o.p.eq(tag), self.converted.p.eq(tag),
            *self._hand_out(settled, is_settled),
            leaves.eq(self.o.valid & self.o.ready),
            can_settle.eq(~is_settled | leaves),
        ]
        with m.If(can_settle):
            m.d.sync += is_settled.eq(take)
        with m.If(take):
            m.d.sync += [
                settled.is_mx9.eq(Mux(policy.selection == Selection.HEAD, policy.units[0],
                                          self.i.p.is_mx9)),
                settled.in_table.eq(policy.selection == Selection.STATIC),
                settled.last.eq(self.i.p.last), settled.converts.eq(converts),
            ]
            if config.vector_lanes:
                m.d.sync += settled.is_pass.eq(is_pass(job.kind))
        return m

    def _has_rows(self, kind):
        """Tell whether a job's tiles are rows of its results, or of A, as an expression."""
        of_rows = kind == JobKind.GEMM
        return of_rows | is_pass(kind) if self.config.vector_lanes else of_rows

    def _hand_out(self, settled, is_settled):
        """Offer a tag to all that take it, when all of them do."""
        others = self.converted.ready | ~settled.converts
        if not self.config.vector_lanes:
            return [self.o.valid.eq(is_settled & others),
                    self.converted.valid.eq(is_settled & settled.converts & self.o.ready)]
        return [
            self.o.valid.eq(is_settled & others & (self.passed.ready | ~settled.is_pass)),
            self.converted.valid.eq(is_settled & settled.converts & self.o.ready),
            self.passed.valid.eq(is_settled & settled.is_pass & self.o.ready),
            self.passed.p.eq(self.o.p)]
