"""AXI4 as the memory system speaks it: signatures, and what a burst is."""

from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

OKAY, EXOKAY, SLVERR, DECERR = range(4)
"""Answers."""

PAGE_BYTES = 4096
"""No burst crosses a multiple of it."""

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
