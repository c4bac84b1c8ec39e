"""What is read beside operands: tables, and words that others write."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .axi4 import segment_layout
from .read_channel import word_layout
from .table_loader import TableLoader
from .word_watch import WordWatch


class SideReader(wiring.Component):
    """Load tables and watch words, never both at a time.

    Parameters
    ----------
    config : Config
    address_bits, length_bits, data_bytes : int

    Members
    -------
    load, watch : In(stream)
        As ``i`` of `TableLoader` and of `WordWatch`.
    load_resp, watch_resp : Out(2)
        As their ``resp``.
    waits : Out(1)
        As in `WordWatch`.
    segments : Out(stream of segment_layout)
    words : In(stream of word_layout)
    table_select, …
        The other members of `TableLoader`.
    """

    def __init__(self, config, *, address_bits, length_bits, data_bytes):
        inside = {"address_bits": address_bits, "length_bits": length_bits}
        sizes = inside | {"data_bytes": data_bytes}
        self.loader, self.watcher = TableLoader(config, **sizes), WordWatch(**sizes)
        shared = {"segments": Out(stream.Signature(segment_layout(**inside))),
                  "words": In(stream.Signature(word_layout(data_bytes)))}
        self.table_members = {
            name: member for name, member in self.loader.signature.members.items()
            if name not in ("i", "resp", *shared)}
        super().__init__({
            "load": self.loader.signature.members["i"], "load_resp": Out(2),
            "watch": self.watcher.signature.members["i"], "watch_resp": Out(2), "waits": Out(1),
            **shared, **self.table_members})

    def elaborate(self, platform):
        m = Module()
        m.submodules.loader = loader = self.loader
        m.submodules.watcher = watcher = self.watcher
        wiring.connect(m, wiring.flipped(self.load), loader.i)
        wiring.connect(m, wiring.flipped(self.watch), watcher.i)
        with m.If(self.watch.valid):
            self._read_for(m, watcher)
        with m.Else():
            self._read_for(m, loader)
        m.d.comb += [loader.words.p.eq(self.words.p), watcher.words.p.eq(self.words.p),
                     self.load_resp.eq(loader.resp), self.watch_resp.eq(watcher.resp),
                     self.waits.eq(watcher.waits)]
        for name, member in self.table_members.items():
            outer, inner = getattr(self, name), getattr(loader, name)
            m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
        return m

    def _read_for(self, m, part):
        m.d.comb += [
            self.segments.valid.eq(part.segments.valid), self.segments.p.eq(part.segments.p),
            part.segments.ready.eq(self.segments.ready),
            part.words.valid.eq(self.words.valid), self.words.ready.eq(part.words.ready)]
