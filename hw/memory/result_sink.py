"""Takes the machine's results to memory, in whatever form they are."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.streams.packet_guard import beat_layout

from .beat_splitter import BeatSplitter
from .count_writer import CountWriter
from .line_joiner import LINE_BYTES, LineJoiner
from .packed_writer import PackedWriter
from .row_writer import RowWriter
from .word_joiner import WordJoiner
from .work import INDEX_BITS, Form, largest_group, results_layout, store_layout


class ResultSink(wiring.Component):
    """Give each job's results to the writer of their form.

    Parameters
    ----------
    config : Config
    address_bits, data_bytes : int

    Members
    -------
    work : In(stream of results_layout)
    i : In(stream of beat_layout)
    o : Out(stream of store_layout)
    overlong : Out(1), overlong_index : Out
        As in `PackedWriter`, and of which command.
    """

    def __init__(self, config, *, address_bits, data_bytes):
        self.config, self.data_bytes = config, data_bytes
        self.sizes = {"address_bits": address_bits, "data_bytes": data_bytes}
        super().__init__({
            "work": In(stream.Signature(results_layout(
                address_bits=address_bits, has_vector=bool(config.vector_lanes)))),
            "i": In(stream.Signature(beat_layout(config.result_bytes))),
            "o": Out(stream.Signature(store_layout(**self.sizes))),
            "overlong": Out(1), "overlong_index": Out(INDEX_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.rows = rows = RowWriter(self.config, **self.sizes)
        m.submodules.packed = packed = PackedWriter(self.config, **self.sizes)
        m.submodules.count = count = CountWriter(
            has_vector=bool(self.config.vector_lanes), **self.sizes)
        m.submodules.lines = lines = LineJoiner(
            rows=largest_group(self.config), line_words=max(2, LINE_BYTES // self.data_bytes),
            **self.sizes)
        wiring.connect(m, rows.o, lines.i)
        beats, store = self._split(m, packed), self._join(m)
        m.d.comb += [self.overlong.eq(packed.overlong),
                     self.overlong_index.eq(self.work.p.index)]
        with m.Switch(self.work.p.form):
            with m.Case(Form.NUMBERS):
                m.d.comb += [rows.work.valid.eq(self.work.valid),
                             self.work.ready.eq(rows.work.ready),
                             rows.i.valid.eq(self.i.valid), self.i.ready.eq(rows.i.ready)]
            with m.Case(Form.COUNT):
                self._connect(m, count, store, lines)
            with m.Default():
                self._connect(m, packed, store, lines)
                m.d.comb += [beats.valid.eq(self.i.valid), self.i.ready.eq(beats.ready)]
        # What is in lines belongs to a command before, or to rows that go on.
        with m.If(~lines.is_empty):
            m.d.comb += [store.valid.eq(lines.o.valid), store.p.eq(lines.o.p)]
        m.d.comb += [lines.o.ready.eq(store.ready), rows.i.p.eq(self.i.p), beats.p.eq(self.i.p)]
        for writer in (rows, packed, count):
            m.d.comb += writer.work.p.eq(self.work.p)
        return m

    def _split(self, m, packed):
        """Cut beats of results into those of packed activations; return where they come in."""
        config = self.config
        if config.result_bytes == config.act_bytes:
            return packed.i
        m.submodules.splitter = splitter = BeatSplitter(
            beat_layout, wide_bytes=config.result_bytes, narrow_bytes=config.act_bytes)
        wiring.connect(m, splitter.o, packed.i)
        return splitter.i

    def _join(self, m):
        """Join beats that are shorter than words; return where words go."""
        if self.config.act_bytes == self.data_bytes:
            return self.o
        m.submodules.joiner = joiner = WordJoiner(**self.sizes)
        wiring.connect(m, joiner.o, wiring.flipped(self.o))
        return joiner.i

    def _connect(self, m, writer, store, lines):
        """Let a writer work, and send what it writes."""
        m.d.comb += [
            writer.work.valid.eq(self.work.valid), self.work.ready.eq(writer.work.ready),
            store.valid.eq(writer.o.valid), store.p.eq(writer.o.p),
            writer.o.ready.eq(store.ready & lines.is_empty)]
