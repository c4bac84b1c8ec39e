"""Loads a calibration table from memory."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.registers.csr import field_layout
from hw.registers.map import REGISTER

from .axi4 import OKAY, segment_layout
from .read_channel import word_layout
from .work import BLOCKS_BITS

ENTRY_BITS = 16
"""Of a channel in memory."""

TABLE_BITS = 8


def load_layout(*, address_bits):
    """Describe what is loaded.

    Members
    -------
    table : unsigned(8)
    is_tags : unsigned(1)
        Static tags, a bit each; otherwise an order, 16 bits for each channel.
    address : unsigned(address_bits)
        A multiple of a word of the bus.
    count : unsigned(16)
        Entries, at least 1.
    """
    return data.StructLayout({"table": TABLE_BITS, "is_tags": 1, "address": address_bits,
                              "count": BLOCKS_BITS})


class TableLoader(wiring.Component):
    """Write what lies in memory into a table, as a host would.

    Channels that the machine does not have are left out. If a word cannot be read the table holds
    nothing.

    Parameters
    ----------
    config : Config
    address_bits, length_bits, data_bytes : int

    Members
    -------
    i : In(stream of load_layout)
        Taken when the table has been loaded, or could not be.
    resp : Out(2)
        Then: how the bus answered, the last time that it was not OKAY.
    segments : Out(stream of segment_layout)
    words : In(stream of word_layout)
    table_select, table_clear, table_clear_write, order_entry, order_entry_write, tag_entry,
    tag_entry_write : Out
        As the registers; see `hw.registers.csr`.
    table_clear_busy, entries_wait : In(1)
        Likewise.
    """

    def __init__(self, config, *, address_bits, length_bits, data_bytes):
        self.config, self.data_bytes = config, data_bytes
        super().__init__({
            "i": In(stream.Signature(load_layout(address_bits=address_bits))), "resp": Out(2),
            "segments": Out(stream.Signature(
                segment_layout(address_bits=address_bits, length_bits=length_bits))),
            "words": In(stream.Signature(word_layout(data_bytes))),
            "table_select": Out(TABLE_BITS), "table_clear_busy": In(1), "entries_wait": In(1),
            **{name: Out(field_layout(REGISTER[name.upper()]))
               for name in ("table_clear", "order_entry", "tag_entry")},
            **{f"{name}_write": Out(1) for name in ("table_clear", "order_entry", "tag_entry")},
        })

    def elaborate(self, platform):
        m = Module()
        load, word = self.i.p, self.words.p
        size = exact_log2(self.data_bytes)
        tags, channels = 8 * self.data_bytes, 8 * self.data_bytes // ENTRY_BITS  # of a word
        left = Signal(BLOCKS_BITS)  # entries that have not been looked at
        done = Signal(BLOCKS_BITS)  # that have been written
        at = Signal(range(tags))  # the next one in its word
        entry = Signal(ENTRY_BITS)  # a channel, or sixteen tags
        word_ends = Signal()
        exists = Signal()
        steps = Signal()
        m.d.comb += [
            self.table_select.eq(load.table),
            self.table_clear.order.eq(~load.is_tags), self.table_clear.tags.eq(load.is_tags),
            self.segments.p.address.eq(load.address),
            self.segments.p.length.eq(Mux(load.is_tags, (load.count + 7) >> 3, load.count << 1)),
            self.order_entry.place.eq(done),
            entry.eq(Array(word.data.word_select(each, ENTRY_BITS) for each in range(channels))[
                Mux(load.is_tags, at >> exact_log2(ENTRY_BITS), at)[: size - 1]]),
            self.order_entry.channel.eq(entry),
            self.tag_entry.k_block.eq(done),
            self.tag_entry.mx9.eq(Array(entry)[at[: exact_log2(ENTRY_BITS)]]),
            exists.eq(load.is_tags | (self.order_entry.channel < self.config.k_max)),
            word_ends.eq((left == 1) | Mux(load.is_tags, at == tags - 1,
                                           at == channels - 1))]
        with m.FSM():
            with m.State("CLEAR"):
                m.d.comb += self.table_clear_write.eq(self.i.valid & ~self.table_clear_busy)
                m.d.sync += [left.eq(load.count), done.eq(0), at.eq(0), self.resp.eq(OKAY)]
                with m.If(self.table_clear_write):
                    m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += self.segments.valid.eq(1)
                with m.If(self.segments.ready):
                    m.next = "ENTRY"
            with m.State("ENTRY"):
                is_bad = word.resp != OKAY
                m.d.comb += [
                    steps.eq(self.words.valid & (is_bad | ~self.entries_wait)),
                    self.order_entry_write.eq(steps & ~is_bad & exists & ~load.is_tags),
                    self.tag_entry_write.eq(steps & ~is_bad & load.is_tags)]
                with m.If(steps):
                    m.next = "STAND"
                with m.If(steps & is_bad):
                    m.d.sync += self.resp.eq(word.resp)
            with m.State("STAND"):  # the entry stands for a second cycle
                m.d.comb += self.words.ready.eq(word_ends)
                m.d.sync += [done.eq(done + exists), left.eq(left - 1),
                             at.eq(Mux(word_ends, 0, at + 1))]
                m.next = "ENTRY"
                with m.If(left == 1):
                    m.next = "END"
            with m.State("END"):
                m.d.comb += self.table_clear_write.eq(self.resp != OKAY)
                m.next = "TAKEN"
            with m.State("TAKEN"):
                m.d.comb += self.i.ready.eq(1)
                m.next = "CLEAR"
        return m
