"""The count of ended commands, to a word of memory that others watch."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from golden.memory.descriptor import WORD_BYTES

from .work import results_layout, store_layout


class CountWriter(wiring.Component):
    """Write a count when all that was written before it is in memory.

    Parameters
    ----------
    address_bits, data_bytes : int
    has_vector : bool
        As in `results_layout`.

    Members
    -------
    work : In(stream of results_layout)
        ``m`` is the count, ``address`` a multiple of four.
    o : Out(stream of store_layout)
    """

    def __init__(self, *, address_bits, data_bytes, has_vector=False):
        self.data_bytes = data_bytes
        super().__init__({
            "work": In(stream.Signature(results_layout(
                address_bits=address_bits, has_vector=has_vector))),
            "o": Out(stream.Signature(
                store_layout(address_bits=address_bits, data_bytes=data_bytes))),
        })

    def elaborate(self, platform):
        m = Module()
        work, store, shift = self.work.p, self.o.p, exact_log2(self.data_bytes)
        copies, at = self.data_bytes // WORD_BYTES, work.address[exact_log2(WORD_BYTES):shift]
        m.d.comb += [
            self.o.valid.eq(self.work.valid), self.work.ready.eq(self.o.ready),
            store.word.eq(work.address >> shift), store.data.eq(work.m.replicate(copies)),
            *(store.strobes.word_select(copy, WORD_BYTES).eq((at == copy).replicate(WORD_BYTES))
              for copy in range(copies)),
            store.ends.eq(work.ends), store.after.eq(1)]
        return m
