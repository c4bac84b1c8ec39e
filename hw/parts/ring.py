"""Indices and addresses, also in a ring buffer of any depth."""

from amaranth import Mux, Signal


def following(address, depth):
    """Give the address after `address` in a ring of `depth` words, as an expression."""
    return Mux(address == depth - 1, 0, address + 1)


def address_bits(depth):
    """Give the width of an address among `depth` words; at least one bit."""
    return max(1, (depth - 1).bit_length())


def index_signal(limit, name):
    """Make a register for a number below `limit`; at least one bit, as Verilog wants it."""
    return Signal(address_bits(limit), name=name)
