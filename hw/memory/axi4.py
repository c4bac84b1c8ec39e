"""AXI4 as the memory system speaks it: signatures, addresses, and what a burst is.

Addresses inside have a bit more than those of the bus, the *reach*: it is set where an address lies
beyond the last that the bus has, and stays set however far one goes on from there.
"""

from amaranth import Cat
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from hw.contract.config import PAGE_BYTES

OKAY, OUTSIDE, SLVERR, DECERR = range(4)
"""Answers. AXI4 has another one for 1, which no access of this machine can get: it is what the
ports answer themselves, where the window does not let an access through."""

PAGE_BITS = exact_log2(PAGE_BYTES)

MOST_BEATS = 256
"""Of a burst of incrementing addresses."""

INCREMENTING = 0b01


def axi4_signature(*, address_bits, data_bytes, id_bits):
    """Describe an AXI4 bus without what this machine leaves at its reset value (lock, QoS, region).

    Seen from the manager.
    """
    address = {
        "valid": Out(1), "ready": In(1), "addr": Out(address_bits), "len": Out(8), "size": Out(3),
        "burst": Out(2), "id": Out(id_bits), "cache": Out(4), "prot": Out(3)}
    return wiring.Signature({
        **{f"ar{name}": member for name, member in address.items()},
        "rvalid": In(1), "rready": Out(1), "rdata": In(8 * data_bytes), "rresp": In(2),
        "rlast": In(1), "rid": In(id_bits),
        **{f"aw{name}": member for name, member in address.items()},
        "wvalid": Out(1), "wready": In(1), "wdata": Out(8 * data_bytes), "wstrb": Out(data_bytes),
        "wlast": Out(1),
        "bvalid": In(1), "bready": Out(1), "bresp": In(2), "bid": In(id_bits),
    })


def reach(value, address_bits):
    """Give a number as an address, with the bit that says that the bus does not have it."""
    return Cat(value[:address_bits], value[address_bits:].any())


def advance(address, step):
    """Add to an address that has its reach, as an expression; the step has fewer bits."""
    after = (address + step)[:len(address)]
    return Cat(after[:-1], after[-1] | address[-1])


def page_of(word, data_bytes):
    """Give the page that a word of the bus lies in."""
    return word >> PAGE_BITS - exact_log2(data_bytes)


def window_layout(*, address_bits):
    """Describe the pages that may be touched: from `first` on, below `end`.

    Parameters
    ----------
    address_bits : int
        Of addresses inside.
    """
    return data.StructLayout({"first": address_bits - PAGE_BITS, "end": address_bits - PAGE_BITS})


def is_outside(window, page):
    """Tell whether a page lies outside of a window, as an expression."""
    return (page < window.first) | (page >= window.end)


def answer_of(resp):
    """Give an answer of the bus; an OKAY to an exclusive access, which none is, is an OKAY."""
    return Cat(resp[0] & resp[1], resp[1])


def segment_layout(*, address_bits, length_bits):
    """Describe bytes of memory that belong together.

    Members
    -------
    address : unsigned(address_bits)
        Of the first byte; any.
    length : unsigned(length_bits)
        Bytes, at least 1.
    """
    return data.StructLayout({"address": address_bits, "length": length_bits})


def burst_layout(*, address_bits, data_bytes, burst_beats):
    """Describe a burst.

    Members
    -------
    word : unsigned(address_bits - log2(data_bytes))
        Address of its first beat in words of the bus.
    beats : unsigned
        1 to `burst_beats`.
    """
    return data.StructLayout({
        "word": address_bits - exact_log2(data_bytes), "beats": bits_for(burst_beats)})
