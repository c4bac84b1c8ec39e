"""Takes the machine's results to memory, in whatever form they are."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.streams.packet_guard import beat_layout

from .packed_writer import PackedWriter
from .row_writer import RowWriter
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
        in_rows = Signal()
        m.d.comb += [in_rows.eq(self.work.p.form == Form.NUMBERS),
                     self.overlong.eq(packed.overlong),
                     self.overlong_index.eq(self.work.p.index)]
        for writer, chosen in ((rows, in_rows), (packed, ~in_rows)):
            m.d.comb += [
                writer.work.p.eq(self.work.p), writer.work.valid.eq(self.work.valid & chosen),
                writer.i.p.eq(self.i.p), writer.i.valid.eq(self.i.valid & chosen),
                writer.o.ready.eq(self.o.ready & chosen)]
        m.d.comb += [
            self.work.ready.eq(Mux(in_rows, rows.work.ready, packed.work.ready)),
            self.i.ready.eq(Mux(in_rows, rows.i.ready, packed.i.ready)),
            self.o.valid.eq(Mux(in_rows, rows.o.valid, packed.o.valid)),
            self.o.p.eq(Mux(in_rows, rows.o.p, packed.o.p))]
        return m
