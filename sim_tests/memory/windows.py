"""Windows of memory for the benches of the bus's two sides."""

from hw.memory.axi4 import PAGE_BYTES, window_layout


def set_window(dut, address_bits, first=0, end=None):
    """Let through what lies in pages from the first on, below the end; all that there is without.

    Parameters
    ----------
    dut : handle
    address_bits : int
        Of the bus.
    first, end : int, optional
        In pages.
    """
    pages = {"first": first, "end": (1 << address_bits) // PAGE_BYTES if end is None else end}
    dut.window.value = window_layout(address_bits=address_bits + 1).const(pages).as_value().value
