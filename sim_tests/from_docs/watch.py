"""A watch on the protocol of every pin."""

from collections.abc import Mapping

import cocotb
from cocotb.triggers import RisingEdge

from sim_tests.from_docs.pins import HANDSHAKE_OUTPUTS
from sim_tests.from_docs.stream_ends import kept_bytes


class Watch:
    """Checks in every cycle after the first reset what the documentation promises of the pins.

    No handshake output is ever X; from the edge that sees aresetn low to the end of the first
    cycle with aresetn high none is 1; what is offered stays as it is until it is taken; no kept
    byte that is offered is X.
    """

    def __init__(self, dut):
        self.cycles = 0
        self._dut = dut
        cocotb.start_soon(self._run())

    async def _run(self):
        dut = self._dut
        handshakes = [(name, getattr(dut, name)) for name in HANDSHAKE_OUTPUTS]
        was_reset, offered = False, {}
        has_been_reset = False
        while True:
            await RisingEdge(dut.aclk)
            is_reset = dut.aresetn.value == 0
            self.cycles += 1
            if has_been_reset:
                levels = {name: str(signal.value) for name, signal in handshakes}
                unknown = [name for name, level in levels.items() if level not in "01"]
                assert not unknown, f"X on {unknown}"
                if was_reset:
                    high = [name for name, level in levels.items() if level == "1"]
                    assert not high, f"{high} high in or right after reset"
                offered = {} if is_reset else self._check_offers(levels, offered)
            was_reset = is_reset
            has_been_reset = has_been_reset or is_reset

    def _check_offers(self, levels: Mapping[str, str], offered: Mapping) -> dict:
        """Compare with what was offered and not taken; return what is now."""
        dut = self._dut
        now = {}
        if levels["m_axis_out_tvalid"] == "1":
            now["out"] = (kept_bytes(dut), str(dut.m_axis_out_tlast.value))
            assert now["out"][1] in "01", "X on m_axis_out_tlast"
        if levels["s_axil_bvalid"] == "1":
            now["b"] = int(dut.s_axil_bresp.value)
        if levels["s_axil_rvalid"] == "1":
            now["r"] = (int(dut.s_axil_rdata.value), int(dut.s_axil_rresp.value))
        for channel, payload in offered.items():
            assert now.get(channel) == payload, f"{channel} withdrawn or changed"
        ready = {
            "out": dut.m_axis_out_tready,
            "b": dut.s_axil_bready,
            "r": dut.s_axil_rready,
        }
        return {channel: x for channel, x in now.items() if ready[channel].value != 1}
