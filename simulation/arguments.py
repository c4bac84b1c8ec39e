"""What a simulated machine is told, checked: what makes no sense gets a sentence."""

from golden.arguments import whole
from hw.host.carrier import ACTIVATIONS, RESULTS, WEIGHTS

ADDRESS_BITS = 12
"""Of ``s_axil``."""

PORTS = {ACTIVATIONS: "s_axis_act", WEIGHTS: "s_axis_wgt", RESULTS: "m_axis_out"}
"""Streams of packets, and their ports."""


def time_of(cycles: int) -> int:
    """Return cycles that may pass."""
    cycles = whole(cycles, "cycles")
    if cycles < 0:
        raise ValueError(f"time does not pass backwards: {cycles} cycles")
    return cycles


def check_port(stream: str) -> None:
    """Refuse what is no stream of packets."""
    if stream not in PORTS:
        raise ValueError(f"there are {', '.join(PORTS)}, no {stream!r}")


def address_of(address: int) -> int:
    """Return the address of a register."""
    address = whole(address, "an address")
    if address < 0 or address % 4:
        raise ValueError(f"registers are at multiples of 4, not at {address:#x}")
    if address >= 1 << ADDRESS_BITS:
        raise ValueError(f"registers lie below {1 << ADDRESS_BITS:#x}, not at {address:#x}")
    return address
