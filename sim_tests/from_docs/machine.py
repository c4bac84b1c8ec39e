"""The accelerator behind its pins: AXI4-Lite by hand, its streams, and a watch."""

import random
from collections.abc import Mapping, Sequence

from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from sim_tests.from_docs.pins import (
    ACT_BYTES,
    CONTROL,
    COUNTERS,
    JOB,
    JOBS_ENDED,
    MAXIMUM,
    MAXIMUM_CHANNEL,
    OKAY,
    ORDER_ENTRY,
    REFUSAL,
    START,
    STATUS,
    TABLE_CLEAR,
    TABLE_SELECT,
    TAG_ENTRY,
    WEIGHT_BYTES,
)
from sim_tests.from_docs.stream_ends import Sink, Source
from sim_tests.from_docs.watch import Watch


class Machine:
    """The accelerator behind its pins, reset and with clock and watch running.

    Attributes
    ----------
    act, wgt, out
        Its streams.
    """

    def __init__(self, dut, seed: int):
        self.dut = dut
        self.rng = random.Random(seed)
        for name in ("awaddr", "awprot", "wdata", "wstrb", "araddr", "arprot"):
            getattr(dut, f"s_axil_{name}").value = 0
        for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
            getattr(dut, f"s_axil_{name}").value = 0
        dut.aresetn.value = 1
        Clock(dut.aclk, 10, unit="ns").start()
        self.act = Source(dut, "s_axis_act", ACT_BYTES, self.rng)
        self.wgt = Source(dut, "s_axis_wgt", WEIGHT_BYTES, self.rng)
        self.out = Sink(dut, self.rng)
        self.watch = Watch(dut)

    @classmethod
    async def begin(cls, dut, seed: int) -> "Machine":
        """Start the clock and give the one cycle of reset that is enough."""
        machine = cls(dut, seed)
        await machine.edges(2)
        await machine.reset()
        return machine

    async def edges(self, count: int):
        """Let rising edges of aclk pass."""
        for _ in range(count):
            await RisingEdge(self.dut.aclk)

    async def reset(self, edges: int = 1):
        """Hold aresetn low at some rising edges; the masters offer nothing meanwhile."""
        self.act.clear()
        self.wgt.clear()
        self.dut.aresetn.value = 0
        await self.edges(edges)
        self.dut.aresetn.value = 1
        self.out.clear()

    async def access(self, address: int, data: int, strobes: int, *, delay: int = 0) -> int:
        """One write; the address comes `delay` cycles after the data, or before if negative."""
        dut = self.dut
        dut.s_axil_awaddr.value = address
        dut.s_axil_wdata.value, dut.s_axil_wstrb.value = data, strobes
        pending = {"aw": max(delay, 0), "w": max(-delay, 0)}
        while pending:
            for channel, wait in pending.items():
                getattr(dut, f"s_axil_{channel}valid").value = int(wait == 0)
            await RisingEdge(dut.aclk)
            for channel in list(pending):
                if pending[channel]:
                    pending[channel] -= 1
                elif getattr(dut, f"s_axil_{channel}ready").value:
                    del pending[channel]
                    getattr(dut, f"s_axil_{channel}valid").value = 0
        dut.s_axil_bready.value = 1
        await RisingEdge(dut.aclk)
        while not dut.s_axil_bvalid.value:
            await RisingEdge(dut.aclk)
        dut.s_axil_bready.value = 0
        return int(dut.s_axil_bresp.value)

    async def fetch(self, address: int) -> tuple[int, int]:
        """One read: data and response."""
        dut = self.dut
        dut.s_axil_araddr.value, dut.s_axil_arvalid.value = address, 1
        await RisingEdge(dut.aclk)
        while not dut.s_axil_arready.value:
            await RisingEdge(dut.aclk)
        dut.s_axil_arvalid.value, dut.s_axil_rready.value = 0, 1
        await RisingEdge(dut.aclk)
        while not dut.s_axil_rvalid.value:
            await RisingEdge(dut.aclk)
        dut.s_axil_rready.value = 0
        return int(dut.s_axil_rdata.value), int(dut.s_axil_rresp.value)

    async def write(self, address: int, data: int):
        """Write a register that must take it."""
        response = await self.access(address, data & 0xFFFFFFFF, 0xF)
        assert response == OKAY, f"writing {data:#x} to {address:#05x} answered {response}"

    async def read(self, address: int) -> int:
        """Read a register that must answer."""
        data, response = await self.fetch(address)
        assert response == OKAY, f"reading {address:#05x} answered {response}"
        return data

    async def counter(self, name: str) -> int:
        """One of the 48-bit counters."""
        return await self.read(COUNTERS[name]) | await self.read(COUNTERS[name] + 4) << 32

    async def start(self, job: Mapping[str, int]) -> int:
        """Write all JOB registers, what is not given as 0, and START; return REFUSAL."""
        for name, address in JOB.items():
            await self.write(address, job.get(name, 0))
        await self.write(CONTROL, START)
        return await self.read(REFUSAL)

    async def wait_ended(self, count: int, limit: int = 2000):
        """Look at JOBS_ENDED until it has reached a number."""
        for _ in range(limit):
            if await self.read(JOBS_ENDED) >= count:
                return
        raise AssertionError(f"job {count} does not end; STATUS {await self.read(STATUS):#x}")

    async def wait_taken(self, limit: int = 5000):
        """Wait until every queued input beat has been taken."""
        for _ in range(limit):
            if self.act.is_empty and self.wgt.is_empty:
                return
            await RisingEdge(self.dut.aclk)
        raise AssertionError("input beats are not taken")

    async def load_table(self, table: int, order: Sequence[int] = (), tags: Sequence[bool] = ()):
        """Begin a table anew and write its entries."""
        await self.write(TABLE_SELECT, table)
        await self.write(TABLE_CLEAR, 3)
        for place, channel in enumerate(order):
            await self.write(ORDER_ENTRY, channel << 16 | place)
        for k_block, tag in enumerate(tags):
            await self.write(TAG_ENTRY, k_block << 16 | int(tag))

    async def maxima(self, count: int) -> list[int]:
        """MAXIMUM of the first channels."""
        values = []
        for channel in range(count):
            await self.write(MAXIMUM_CHANNEL, channel)
            values.append(await self.read(MAXIMUM))
        return values
