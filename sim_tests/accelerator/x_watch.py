"""Watch the accelerator's AMBA ports for X and Z, in a simulator that knows them."""

from collections.abc import Iterator
from typing import Any

from cocotb.triggers import RisingEdge

from sim_tests import drive

STREAMS = ("s_axis_act", "s_axis_wgt", "m_axis_out")

HANDSHAKES = (
    "irq", "aresetn",
    *(f"{stream}_t{half}" for stream in STREAMS for half in ("valid", "ready")),
    *(f"s_axil_{channel}{half}" for channel in ("aw", "w", "b", "ar", "r")
      for half in ("valid", "ready")),
)
"""Ports that are known in every cycle."""

PAYLOADS = {
    **{f"{stream}_tvalid": (f"{stream}_tkeep", f"{stream}_tlast") for stream in STREAMS},
    "s_axil_rvalid": ("s_axil_rdata", "s_axil_rresp"),
    "s_axil_bvalid": ("s_axil_bresp",),
}
"""Ports that are known while another one is high; ``tdata`` is so where ``tkeep`` is set."""


async def watch(dut: Any) -> None:
    """Fail the test in the first cycle that has an unknown bit where somebody looks.

    A value of cocotb's is read as text: as a number it would have its unknown bits resolved.
    """
    edge = RisingEdge(drive.clock_of(dut))
    while True:
        await edge
        for name, bits in _unknown(dut):
            raise AssertionError(f"cycle {drive.cycle()}: {name} is {bits}")


def _unknown(dut: Any) -> Iterator[tuple[str, str]]:
    """List ports that have unknown bits, with their bits."""
    values = {name: str(getattr(dut, name).value) for name in HANDSHAKES}
    for valid, names in PAYLOADS.items():
        if values[valid] == "1":
            values |= {name: str(getattr(dut, name).value) for name in names}
    yield from ((name, bits) for name, bits in values.items() if bits.strip("01"))
    for stream in STREAMS:
        if values[f"{stream}_tvalid"] == "1":
            name, keep = f"{stream}_tdata", values[f"{stream}_tkeep"]
            bits = str(getattr(dut, name).value)
            if any(bits[8 * byte:8 * byte + 8].strip("01") for byte, kept in enumerate(keep)
                   if kept == "1"):
                yield name, bits
