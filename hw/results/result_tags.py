"""Says which blocks of results are MX9, where a table does, and hands the packer their tags."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from golden.formats import BLOCK_SIZE
from hw.contract.job import job_layout
from hw.contract.outlier_policy import Tag
from hw.contract.result_block import result_block_layout
from hw.contract.tag_read import tag_read_signature
from hw.parts.bits import least
from hw.parts.ring import index_signal


class ResultTags(wiring.Component):
    """Walk through the blocks of results, and look their tags up.

    A job without tags passes as it is. Of one with them each block gets its tag, read ahead; before
    the first block of every ``8 * act_bytes`` of a token tile the tags of these go to the packer,
    one per cycle, and no block of the next such tile before they have. It costs a cycle or two
    where a tile has fewer rows than a tag needs to be read.

    Parameters
    ----------
    config : Config
        With a vector unit, and columns whose results pack.

    Members
    -------
    jobs : In(stream of job_layout)
        GEMMs whose results are MX.
    i, o : stream of result_block_layout
        In the order of `BlockAssembler`.
    table : Out(tag_read_signature)
    tags : Out(stream of Tag)
        All of a job's are taken before its last block leaves.
    """

    def __init__(self, config):
        self.config = config
        blocks = stream.Signature(result_block_layout(config))
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))), "i": In(blocks), "o": Out(blocks),
            "table": Out(tag_read_signature(config)), "tags": Out(stream.Signature(Tag))})

    def elaborate(self, platform):
        m = Module()
        job, block = self.jobs.p, self.i.p
        tagged = self.tagged = Signal()
        is_known = Signal()  # the tag of the block that comes
        tag, next_tag = Signal(), Signal()
        next_is_known = Signal()
        at, after, covered = self._walk(m)
        feeds_left = Signal(range(covered + 1))
        feed_at = Signal.like(at)
        due, was_fed, may_go = Signal(), Signal(), Signal()
        has_fed = Signal()  # a tag waits for the packer
        m.d.comb += [
            tagged.eq(job.stages.tagged), due.eq(tagged & (at[:exact_log2(covered)] == 0)),
            # The last one of all waits for its tags, any other one of a tile for the next tag.
            may_go.eq(self.jobs.valid & (~tagged | is_known & (was_fed | ~due) & (
                ~block.row_last
                | Mux(block.job_last, (feeds_left == 0) & ~has_fed, next_is_known)))),
            self.o.valid.eq(self.i.valid & may_go), self.i.ready.eq(self.o.ready & may_go),
            self.o.p.eq(block), self.jobs.ready.eq(self.moves & block.job_last),
            self.moves.eq(self.o.valid & self.o.ready & block.row_last)]
        with m.If(tagged):
            m.d.comb += [self.o.p.is_mx9.eq(tag), self.o.p.tags_due.eq(due)]

        # One read at a time: of the next block's tag, or of one for the packer.
        reads_next, reads_first, feeds = (
            Signal(name=name) for name in ("reads_next", "reads_first", "feeds"))
        has_next, is_free = (Signal(name=name) for name in ("has_next", "is_free"))
        m.d.comb += [
            is_free.eq(self.jobs.valid & tagged & (~has_fed | self.tags.ready)),
            reads_first.eq(is_free & ~is_known & ~has_next),
            reads_next.eq(is_free & is_known & ~next_is_known & ~has_next & ~self.moves),
            feeds.eq(is_free & ~reads_first & ~reads_next & (feeds_left != 0)),
            self.table.en.eq(reads_first | reads_next | feeds), self.table.table.eq(job.table),
            self.table.k_block.eq(Mux(feeds, feed_at, Mux(reads_first, at, after))),
            self.tags.valid.eq(has_fed), self.tags.p.is_mx9.eq(self.table.is_mx9)]
        m.d.sync += has_next.eq(reads_first | reads_next)
        with m.If(~has_fed | self.tags.ready):
            m.d.sync += [has_fed.eq(feeds), self.tags.p.last.eq(feeds_left == 1)]
        with m.If(feeds):
            m.d.sync += [feed_at.eq(feed_at + 1), feeds_left.eq(feeds_left - 1)]
        with m.Elif(due & self.jobs.valid & ~was_fed & (feeds_left == 0) & ~has_fed):
            m.d.sync += [was_fed.eq(1), feed_at.eq(at), feeds_left.eq(least(
                self.blocks - at, covered))]
        with m.If(has_next & is_known):
            m.d.sync += [next_tag.eq(self.table.is_mx9), next_is_known.eq(1)]
        with m.Elif(has_next):
            m.d.sync += [tag.eq(self.table.is_mx9), is_known.eq(1)]
        with m.If(self.moves):
            m.d.sync += [was_fed.eq(0), tag.eq(next_tag), next_is_known.eq(0)]
            with m.If(block.job_last):
                m.d.sync += is_known.eq(0)
        return m

    def _walk(self, m):
        """Count blocks, tiles and groups; return this block, the next, and how many a beat marks.

        Blocks are counted from a row's beginning.
        """
        config, job = self.config, self.jobs.p
        covered, together = 8 * config.act_bytes, max(1, config.cols // BLOCK_SIZE)
        self.moves = Signal()  # a tile's last row of the block leaves
        self.blocks = blocks = Signal(bits_for(config.k_blocks_max))  # of a row
        at, after, first = (Signal(range(config.k_blocks_max), name=name)
                            for name in ("block", "next_block", "first_block"))
        done = index_signal(together, "done")  # blocks of this column tile
        rows_left, left = Signal.like(job.m), Signal.like(job.m)  # from this group on
        is_new, is_first = Signal(init=1), Signal(init=1)  # block of the job; of its group's pass
        of_group = Signal(range(config.rows * config.tile_slots + 1))
        lines_left, lines = Signal.like(of_group), Signal.like(of_group)  # from this tile on
        ends_tile, ends_pass, ends_group = (
            Signal(name=name) for name in ("ends_tile", "ends_pass", "ends_group"))
        m.d.comb += [
            blocks.eq((job.n + (BLOCK_SIZE - 1)) >> exact_log2(BLOCK_SIZE)),
            of_group.eq(job.tiles * config.rows), left.eq(Mux(is_new, job.m, rows_left)),
            lines.eq(Mux(is_first, least(left, of_group), lines_left)),
            ends_tile.eq((done == together - 1) | (at == blocks - 1)),
            ends_pass.eq(ends_tile & (lines <= config.rows)),
            ends_group.eq(ends_pass & (at == blocks - 1)),
            after.eq(Mux(ends_group, 0, Mux(ends_tile & ~ends_pass, first, at + 1)))]
        with m.If(self.moves):
            m.d.sync += [
                at.eq(after), is_new.eq(self.i.p.job_last), is_first.eq(ends_pass),
                rows_left.eq(Mux(ends_group, left - of_group, left)),
                lines_left.eq(Mux(ends_tile, lines - config.rows, lines)),
                done.eq(Mux(ends_tile, 0, done + 1))]
            with m.If(ends_pass):
                m.d.sync += first.eq(after)
        return at, after, covered
