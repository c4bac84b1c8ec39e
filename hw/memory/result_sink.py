"""Takes the machine's results to memory, in whatever form they are."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.streams.packet_guard import beat_layout

from .count_writer import CountWriter
from .line_joiner import LINE_BYTES, LineJoiner
from .packed_writer import PackedWriter
from .row_writer import RowWriter, group_rows
from .work import INDEX_BITS, Form, results_layout, store_layout


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
        self.config, self.sizes = config, {"address_bits": address_bits, "data_bytes": data_bytes}
        super().__init__({
            "work": In(stream.Signature(results_layout(address_bits=address_bits))),
            "i": In(stream.Signature(beat_layout(config.result_bytes))),
            "o": Out(stream.Signature(store_layout(**self.sizes))),
            "overlong": Out(1), "overlong_index": Out(INDEX_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.rows = rows = RowWriter(self.config, **self.sizes)
        m.submodules.packed = packed = PackedWriter(self.config, **self.sizes)
        m.submodules.count = count = CountWriter(**self.sizes)
        joined, is_empty = self._join(m, rows)
        self._is_empty = is_empty
        m.d.comb += [self.overlong.eq(packed.overlong),
                     self.overlong_index.eq(self.work.p.index)]
        with m.Switch(self.work.p.form):
            with m.Case(Form.NUMBERS):
                m.d.comb += [rows.work.valid.eq(self.work.valid),
                             self.work.ready.eq(rows.work.ready)]
                m.d.comb += [rows.i.valid.eq(self.i.valid), self.i.ready.eq(rows.i.ready)]
            with m.Case(Form.COUNT):
                self._connect(m, count)
            with m.Default():
                self._connect(m, packed)
                m.d.comb += [packed.i.valid.eq(self.i.valid), self.i.ready.eq(packed.i.ready)]
        # What is in lines belongs to a command before, or to rows that go on.
        with m.If(~is_empty):
            m.d.comb += [self.o.valid.eq(joined.valid), self.o.p.eq(joined.p)]
        m.d.comb += joined.ready.eq(self.o.ready)
        for writer in (rows, packed, count):
            m.d.comb += writer.work.p.eq(self.work.p)
        for writer in (rows, packed):
            m.d.comb += writer.i.p.eq(self.i.p)
        return m

    def _join(self, m, rows):
        """Join words of rows into lines, if a word is shorter; tell whether any are left."""
        words = LINE_BYTES // self.sizes["data_bytes"]
        if words > 1:
            m.submodules.joiner = joiner = LineJoiner(
                rows=group_rows(self.config), line_words=words, **self.sizes)
            wiring.connect(m, rows.o, joiner.i)
            return joiner.o, joiner.is_empty
        joined = stream.Signature(store_layout(**self.sizes)).create(path=("joined",))
        m.d.comb += [joined.valid.eq(rows.o.valid), rows.o.ready.eq(joined.ready),
                     *(joined.p[name].eq(rows.o.p[name]) for name, _ in joined.p.shape())]
        return joined, ~rows.o.valid

    def _connect(self, m, writer):
        """Let a writer work, and send what it writes."""
        m.d.comb += [
            writer.work.valid.eq(self.work.valid), self.work.ready.eq(writer.work.ready),
            self.o.valid.eq(writer.o.valid), self.o.p.eq(writer.o.p),
            writer.o.ready.eq(self.o.ready & self._is_empty)]
