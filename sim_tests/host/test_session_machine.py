"""Sessions on the accelerator: jobs whose results are the next job's operands, and an abort."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest
from cocotbext.axi import AxiStreamFrame

import golden
from golden import MX6, MX9
from golden.floats import narrow
from golden.formats import FLOAT_FORMATS
from golden.packing import activation_rows, weight_stream
from hw.contract.job_codes import JobKind, Output, Selection
from hw.host.driver import Job, JobRefusedError
from hw.host.session import Session
from sim_tests import accelerators, drive
from sim_tests.accelerators import start
from sim_tests.machine import Machine
from sim_tests.stimuli.random_works import random_floats


class SimulatedBackend:
    """The streams and registers of a simulated machine, as a session wants them."""

    def __init__(self, machine: Machine):
        self.machine, self.read, self.write = machine, machine.read, machine.write
        self._sources = {"s_axis_act": machine.act, "s_axis_wgt": machine.weight}

    async def send(self, stream: str, packet: bytes) -> None:
        """Queue a packet."""
        self._sources[stream].send_nowait(AxiStreamFrame(packet))

    async def receive(self) -> bytes:
        """Wait for a packet."""
        frame = await self.machine.out.recv(compact=True)
        return bytes(frame.tdata)

    async def drain(self) -> None:
        """Wait until nothing is queued, and forget what came."""
        for source in self._sources.values():
            await source.wait()
        self.machine.out.clear()


def narrowed(values: np.ndarray, name: str) -> tuple[np.ndarray, list[bytes]]:
    """Round a matrix to an activation format; give it, and its rows as packets."""
    fmt = FLOAT_FORMATS[name]
    values = narrow(values, fmt)
    return values, activation_rows(values, fmt if values.dtype.kind == "u" else None)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def results_feed_the_next_job_without_leaving_the_format(dut):
    """Convert two weights, multiply by the first to MX9, multiply that by the second to FP32."""
    machine = await start(dut)
    session = await Session.open(SimulatedBackend(machine))
    config, rng = session.config, drive.rng()
    assert replace(config, float_formats=machine.config.float_formats) == machine.config
    name, limit = config.float_formats[0], config.k_max
    m, k, hidden, n = 2 * config.rows + 1, min(40, limit), min(37, limit), config.cols + 1
    job = Job(m=m, n=hidden, k=k, tiles=2, output=Output.MX9, selection=Selection.HEAD, units=1,
              float_format=name)
    if not config.packs_results:
        with pytest.raises(JobRefusedError, match="UNKNOWN_OUTPUT"):
            await session.driver.start(job)
        return
    a, rows = narrowed(random_floats(rng, m, k), name)
    first, columns = narrowed(random_floats(rng, hidden, k), name)
    mx6 = {"selection": Selection.HEAD, "units": 0, "float_format": name}
    straight = await session.convert(Job(kind=JobKind.CONVERT, n=hidden, k=k, **mx6), columns)
    second = random_floats(rng, hidden, n)
    parts = [narrowed(second[:, col : col + config.cols], name)
             for col in range(0, n, config.cols)]
    transposed = await session.convert(
        Job(kind=JobKind.CONVERT_TRANSPOSED, n=n, k=hidden, **mx6),
        [packet for _, packets in parts for packet in packets])
    between = await session.gemm(job, rows, straight.packets)
    final = await session.gemm(Job(kind=JobKind.GEMM_PACKED, m=m, n=n, k=hidden),
                               between.packets, transposed.packets)

    sizes = {"acc_width": config.acc_width, "k_max": config.k_max}
    how = {"rounding": config.rounding, "float_format": FLOAT_FORMATS[name]}
    product = golden.gemm(golden.quantize(a, MX9, **how),
                          golden.quantize(first.T, MX6, axis=0, **how), **sizes)
    b = golden.quantize(np.hstack([part for part, _ in parts]), MX6, axis=0, **how)
    expected = golden.gemm(golden.quantize(product, MX9, rounding=config.rounding), b, **sizes)
    results = np.stack([np.frombuffer(row, "<u4") for row in final.packets])
    drive.compare(results, expected.view(np.uint32), "C")
    assert await session.driver.read("JOBS_ENDED") == 4


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_session_goes_on_after_an_abort(dut):
    machine = await start(dut)
    session = await Session.open(SimulatedBackend(machine))
    config, rng = session.config, drive.rng()
    k = min(48, config.k_max)
    _, rows = narrowed(random_floats(rng, config.rows + 1, k), config.float_formats[0])
    b = golden.quantize(random_floats(rng, k, config.cols + 2), MX6, axis=0)
    weights = weight_stream(b, config.cols, config.weight_bytes)
    job = Job(m=config.rows + 1, n=config.cols + 2, k=k, tiles=2,
              float_format=config.float_formats[0])
    good = await session.gemm(job, rows, weights)
    for cycles in (0, 7, 40, 150):
        await session.driver.start(job)
        for stream, packets in (("s_axis_act", rows), ("s_axis_wgt", weights)):
            for packet in packets:
                await session.backend.send(stream, packet)
        await machine.ticks(cycles)
        await session.abort()
        again = await session.gemm(job, rows, weights)
        assert again.packets == good.packets
        assert again.counters["beats"] == good.counters["beats"]


@pytest.mark.parametrize("name", accelerators.NAMES)
def test_session_machine(name):
    accelerators.simulate(name, __name__, label="session")
