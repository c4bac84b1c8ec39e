"""The pins of the accelerator: AXI4-Lite and AXI4-Stream by hand, and a watch on the protocol."""

import random
from collections import deque
from collections.abc import Mapping, Sequence

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from sim_tests.from_docs.numerics import Beat

OKAY, SLVERR = 0, 2
START, ABORT, RESUME = 1, 2, 4
ACT_BYTES, WEIGHT_BYTES, RESULT_BYTES = 32, 16, 32
ROWS = COLS = 4
K_MAX, ACT_DEPTH, TILE_SLOTS, TABLES = 256, 128, 16, 2
DRAIN_LANES, FRACTION_BITS = 8, 19
GEMM, GEMM_PACKED, CONVERT, CONVERT_TRANSPOSED = range(4)
TOP, THRESHOLD, STATIC, HEAD = range(4)
MX6, MX9 = 3, 4
BIAS, REORDER, MEASURE = 1, 2, 4
ACT_LENGTH, ACT_KEEP, WEIGHT_LENGTH, WEIGHT_KEEP = 1, 2, 4, 8
ENDED, REFUSED = 1, 2

CONSTANTS = {
    "ID": 0x000,
    "VERSION": 0x004,
    "ROWS": 0x008,
    "COLS": 0x00C,
    "ACC_WIDTH": 0x010,
    "K_MAX": 0x014,
    "ACT_BYTES": 0x018,
    "WEIGHT_BYTES": 0x01C,
    "RESULT_BYTES": 0x020,
    "ACT_DEPTH": 0x024,
    "WEIGHT_DEPTH": 0x028,
    "TILE_SLOTS": 0x02C,
    "FORMATS": 0x030,
    "JOB_SLOTS": 0x034,
    "STAGE_DEPTH": 0x038,
    "DRAIN_LANES": 0x03C,
    "TABLES": 0x040,
    "FRACTION_BITS": 0x044,
    "ROUNDING": 0x048,
    "OUTPUTS": 0x04C,
    "CELL_STAGES": 0x050,
    "WEIGHT_SLOTS": 0x054,
    "RESULT_DEPTH": 0x058,
}
JOB = {
    "KIND": 0x080,
    "M": 0x084,
    "N": 0x088,
    "K": 0x08C,
    "TILES": 0x090,
    "FORMAT": 0x094,
    "OUTPUT": 0x098,
    "FLAGS": 0x09C,
    "TABLE": 0x0A0,
    "SELECTION": 0x0A4,
    "UNITS": 0x0A8,
    "THRESHOLD": 0x0AC,
}
CONTROL, STATUS, JOBS_ENDED, REFUSAL = 0x0C0, 0x0C4, 0x0C8, 0x0CC
JOB_FAULTS, IRQ_ENABLE, IRQ_PENDING = 0x0D0, 0x0D4, 0x0D8
TABLE_SELECT, ORDER_ENTRY, TAG_ENTRY, TABLE_CLEAR = 0x0E0, 0x0E4, 0x0E8, 0x0EC
MAXIMUM_CHANNEL, MAXIMUM = 0x0F0, 0x0F4
COUNTERS = {
    "CYCLES": 0x100,
    "BEATS": 0x108,
    "SKIPPED": 0x110,
    "ACT_STALLS": 0x118,
    "WEIGHT_STALLS": 0x120,
    "RESULT_STALLS": 0x128,
    "MX9_UNITS": 0x130,
    "NAN_BLOCKS": 0x138,
    "SATURATED": 0x140,
}
READY_OUTPUTS = (
    "s_axil_awready",
    "s_axil_wready",
    "s_axil_arready",
    "s_axis_act_tready",
    "s_axis_wgt_tready",
)
VALID_OUTPUTS = ("s_axil_bvalid", "s_axil_rvalid", "m_axis_out_tvalid", "irq")
HANDSHAKE_OUTPUTS = READY_OUTPUTS + VALID_OUTPUTS


class Source:
    """Drives one input stream from a queue of beats.

    Attributes
    ----------
    pause_chance
        How likely a cycle without an offer is before each beat.
    gate_open
        While false, no further beat is offered.
    """

    def __init__(self, dut, name: str, beat_bytes: int, rng: random.Random):
        self.beat_bytes = beat_bytes
        self.pause_chance = 0.0
        self.gate_open = True
        self._beats: deque[tuple[int, int, int]] = deque()
        self._rng = rng
        self._clock = dut.aclk
        self._data, self._keep, self._last, self._valid, self._ready = (
            getattr(dut, f"{name}_{x}") for x in ("tdata", "tkeep", "tlast", "tvalid", "tready")
        )
        self._valid.value = 0
        self._task = cocotb.start_soon(self._run())

    @property
    def is_empty(self) -> bool:
        """Whether every beat has been taken."""
        return not self._beats

    def send(self, data: bytes, *, is_kept_whole: bool = False):
        """Queue one packet; `is_kept_whole` fills it up so that every tkeep is all ones."""
        if is_kept_whole:
            data += bytes(-len(data) % self.beat_bytes)
        self.send_beats(
            [
                (data[i : i + self.beat_bytes], (1 << len(data[i : i + self.beat_bytes])) - 1)
                for i in range(0, len(data), self.beat_bytes)
            ]
        )

    def send_beats(self, beats: Sequence[tuple[bytes, int]], *, is_ended: bool = True):
        """Queue beats of data and tkeep; the last one has tlast if `is_ended`."""
        for i, (data, keep) in enumerate(beats):
            is_last = is_ended and i == len(beats) - 1
            self._beats.append((int.from_bytes(data, "little"), keep, int(is_last)))

    def clear(self):
        """Forget what was queued and offer nothing, as a master does in reset."""
        self._task.cancel()
        self._beats.clear()
        self._valid.value = 0
        self._task = cocotb.start_soon(self._run())

    async def _run(self):
        while True:
            while (
                not self._beats
                or not self.gate_open
                or (self.pause_chance and self._rng.random() < self.pause_chance)
            ):
                self._valid.value = 0
                await RisingEdge(self._clock)
            self._data.value, self._keep.value, self._last.value = self._beats[0]
            self._valid.value = 1
            await RisingEdge(self._clock)
            while not self._ready.value:
                await RisingEdge(self._clock)
            self._beats.popleft()


class Sink:
    """Takes the results, packet by packet.

    Attributes
    ----------
    packets, unfinished
        What came: whole packets, and the beats of one whose tlast has not come.
    pause_chance
        How likely a cycle without tready is.
    allowance
        How many beats it still takes; None is no limit.
    """

    def __init__(self, dut, rng: random.Random):
        self.packets: list[list[Beat]] = []
        self.unfinished: list[Beat] = []
        self.pause_chance = 0.0
        self.allowance: int | None = None
        self._rng = rng
        self._dut = dut
        cocotb.start_soon(self._run())

    def clear(self):
        """Forget what came."""
        self.packets, self.unfinished = [], []

    async def _run(self):
        dut = self._dut
        while True:
            may_take = self.allowance is None or self.allowance > 0
            is_ready = may_take and self._rng.random() >= self.pause_chance
            dut.m_axis_out_tready.value = int(is_ready)
            await RisingEdge(dut.aclk)
            if not is_ready or dut.aresetn.value != 1 or dut.m_axis_out_tvalid.value != 1:
                continue
            if self.allowance is not None:
                self.allowance -= 1
            self.unfinished.append(kept_bytes(dut))
            if dut.m_axis_out_tlast.value == 1:
                self.packets.append(self.unfinished)
                self.unfinished = []


def kept_bytes(dut) -> Beat:
    """The beat on m_axis_out, with None where tkeep is 0; an X anywhere else is an error."""
    keep = str(dut.m_axis_out_tkeep.value)[::-1]
    data = str(dut.m_axis_out_tdata.value)
    lanes = [data[i : i + 8] for i in range(0, len(data), 8)][::-1]
    assert set(keep) <= {"0", "1"}, f"tkeep is {keep}"
    return tuple(
        int(lane, 2) if bit == "1" else None for lane, bit in zip(lanes, keep, strict=True)
    )


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
