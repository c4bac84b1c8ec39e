"""Whole jobs on a machine, over whatever carries its registers and streams."""

from dataclasses import dataclass
from typing import Protocol

from golden.formats import BLOCK_SIZE
from hw.registers.built import build_config

from .driver import Driver, ResultLengthError
from .packet_order import (
    activation_packets,
    assemble_packed,
    assemble_rows,
    conversion_packets,
    packed_result_chunks,
    packet_bytes,
    result_packets,
    weight_passes,
)

ACTIVATIONS, WEIGHTS = "s_axis_act", "s_axis_wgt"


class Backend(Protocol):
    """What carries registers and streams: a simulator, or a bus and its DMA."""

    async def read(self, address: int) -> int:
        """Read a 32-bit register; raise `BusError` if that is refused."""

    async def write(self, address: int, value: int) -> None:
        """Write a 32-bit register; raise `BusError` if that is refused."""

    async def send(self, stream: str, packet: bytes) -> None:
        """Queue a packet for ``s_axis_act`` or ``s_axis_wgt``, without waiting for its turn.

        The two streams advance independently.
        """

    async def receive(self) -> bytes:
        """Return the next packet of ``m_axis_out``: the bytes that its ``tkeep`` marks.

        A session waits for it as long as the backend does: let it raise `WaitTimeoutError`.
        """

    async def drain(self) -> None:
        """Wait until all queued packets have been sent, and forget what has been received.

        Called again while STATUS shows that more is to be received.
        """


@dataclass(frozen=True)
class Outcome:
    """What a job gave.

    Attributes
    ----------
    packets : list of bytes
        Floating-point results: the m rows of C. Packed results: A of a GEMM_PACKED job. A
        conversion: the weights of a GEMM.
    counters : dict of str to int
    """

    packets: list[bytes]
    counters: dict[str, int]


class Session:
    """Run jobs one by one; make it with `open`.

    Parameters
    ----------
    backend : Backend
    config : Config
        What the machine was built from.
    **waits
        `pause`, `clock` and `limit`, as `Driver` takes them.
    """

    def __init__(self, backend, config, **waits):
        self.backend, self.config = backend, config
        self.driver = Driver(backend.read, backend.write, **waits)

    @classmethod
    async def open(cls, backend, **waits):
        """Check that a machine answers, and learn how it was built."""
        parameters = await Driver(backend.read, backend.write).identify()
        return cls(backend, build_config(parameters), **waits)

    async def gemm(self, job, activations, weights):
        """Compute C = A·B.

        Parameters
        ----------
        job : Job
        activations : sequence of bytes
            A's packets, in the order of `hw.host.packet_order.activation_packets`.
        weights : sequence of bytes
            One packet per column tile, its biases at its head if the job has them. The session
            repeats them as often as the machine reads them.

        Returns
        -------
        Outcome

        Raises
        ------
        ValueError
            If there are too few packets or too many, or the job is refused (`JobRefusedError`).
        MachineError
            If a packet did not fit (`StreamFaultError`), a result's length is wrong
            (`ResultLengthError`), or the job does not end (`WaitTimeoutError`). Use `abort` before
            the next job.
        """
        if job.converts:
            raise ValueError(f"{job.kind.name} is no GEMM: use convert")
        tiles = -(-job.n // self.config.cols)
        if len(weights) != tiles:
            raise ValueError(f"B of {job.n} columns takes {tiles} packets, not {len(weights)}")
        parts = packed_result_chunks if job.is_packed else result_packets
        lengths = [packet_bytes(self.config, job, part) for part in parts(self.config, job)]
        packets, counters = await self._run(
            job, activations, [*weights] * weight_passes(self.config, job), lengths)
        assemble = assemble_packed if job.is_packed else assemble_rows
        return Outcome(assemble(self.config, job, packets), counters)

    async def convert(self, job, activations):
        """Convert floating-point rows to the packed weights of a later GEMM.

        Parameters
        ----------
        job : Job
        activations : sequence of bytes
            In the order of `hw.host.packet_order.activation_packets`.

        Returns
        -------
        Outcome

        Raises
        ------
        ValueError, MachineError
            As `gemm` does.
        """
        if not job.converts:
            raise ValueError(f"{job.kind.name} is no conversion: use gemm")
        lengths = [None for _ in conversion_packets(self.config, job)]
        return Outcome(*await self._run(job, activations, [], lengths))

    async def abort(self):
        """Give up the jobs under way, and whatever has been queued for them.

        Raises
        ------
        WaitTimeoutError
            If results still wait to be taken at the driver's limit. The machine has not been
            resumed then; `abort` may be called again.
        """
        deadline = self.driver.deadline(self.driver.limit)
        await self.driver.abort()
        await self.backend.drain()  # the machine swallows it
        while await self.driver.output_pending():
            await self.driver.pause(deadline, "STATUS still shows OUTPUT_PENDING, "
                                    f"{self.driver.limit:g} s after ABORT")
            await self.backend.drain()
        await self.driver.clear_faults()
        await self.driver.resume()

    def _check_table(self, job):
        """Refuse a job whose table was not loaded for its K: say so before packets are made."""
        blocks = -(-job.k // BLOCK_SIZE)
        for needed, loaded, length, what in (
                (job.reorder, self.driver.orders, job.k, "order of {} channels"),
                (job.reads_tags, self.driver.tags, blocks, "static tags of {} K-blocks")):
            if needed and loaded.get(job.table) != length:
                raise ValueError(f"load the {what.format(length)} into table {job.table} first, "
                                 "with driver.load_table")

    async def _run(self, job, activations, weights, lengths):
        """Start a job, feed it, and collect packets of these lengths, or of any where None."""
        self._check_table(job)
        expected = sum(1 for _ in activation_packets(self.config, job))
        if len(activations) != expected:
            raise ValueError(
                f"{job.kind.name} takes {expected} packets of activations, not {len(activations)}")
        ended = await self.driver.read("JOBS_ENDED")
        await self.driver.start(job)
        for packet in activations:
            await self.backend.send(ACTIVATIONS, packet)
        for packet in weights:
            await self.backend.send(WEIGHTS, packet)
        packets = [await self.backend.receive() for _ in lengths]
        await self.driver.wait(ended + 1)
        await self.driver.check()
        for index, (packet, length) in enumerate(zip(packets, lengths, strict=True)):
            if length not in (None, len(packet)):
                raise ResultLengthError(
                    f"result packet {index} has {len(packet)} bytes, not {length}")
        return packets, await self.driver.counters()
