"""Whole jobs over a backend: what is sent, what comes back, what is noticed."""

import asyncio
from collections import deque
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from commands.tests.waiting import HANG_SECONDS
from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Output, Selection
from hw.host.driver import (
    Job,
    JobRefusedError,
    ResultLengthError,
    StreamFaultError,
    WaitTimeoutError,
)
from hw.host.packet_order import result_packets
from hw.host.session import Session
from hw.registers.map import FAULTS, StreamFault
from sim_tests.host.register_stand_in import JOB_SLOTS, SMALL, Bus

OUTPUT_PENDING = 1 << 17
"""In STATUS."""

JOB = Job(m=5, n=6, k=70)


class Backend(Bus):
    """A machine that knows its lines: it takes what it must be sent and says what it was given."""

    def __init__(self, config: Config, replies: list[bytes]):
        super().__init__(config)
        self.replies, self.sent, self.drained = deque(replies), [], 0
        self.dry_after = 1  # times that the output must be emptied

    async def send(self, stream: str, packet: bytes) -> None:
        """Note a packet."""
        self.sent.append((stream, packet))

    async def receive(self) -> bytes:
        """Give the next reply; the job ends with the last."""
        packet = self.replies.popleft()
        if not self.replies:
            self.registers.end_job({"cycles": 1 << 33})
        return packet

    async def drain(self) -> None:
        """Forget everything."""
        assert self.registers.draining, "the machine would take the packets for those of a job"
        self.replies.clear()
        self.drained += 1
        if self.drained == self.dry_after:
            self.registers.values["STATUS"] &= ~OUTPUT_PENDING


def test_a_session_runs_a_gemm():
    job = Job(m=9, n=6, k=3, tiles=1, float_format="bf16", output=Output.FP16)
    c = np.arange(54, dtype="<u2").reshape(9, 6)
    replies = [c[part.row : part.row + part.rows, part.col : part.col + part.cols].tobytes()
               for part in result_packets(SMALL, job)]
    backend = Backend(SMALL, replies)
    activations, weights = [bytes([row] * 6) for row in range(9)], [b"left", b"right"]

    async def run():
        session = await Session.open(backend, limit=HANG_SECONDS)
        assert session.driver.limit == HANG_SECONDS
        assert session.config.drain_rows == 2
        return await session.gemm(job, activations, weights)

    outcome = asyncio.run(run())
    assert outcome.packets == [row.tobytes() for row in c]
    assert outcome.counters["cycles"] == 1 << 33
    assert backend.registers.jobs == [job.registers()]
    by_stream = {name: [packet for stream, packet in backend.sent if stream == name]
                 for name in ("s_axis_act", "s_axis_wgt")}
    assert by_stream == {"s_axis_act": activations, "s_axis_wgt": weights * 3}


@pytest.mark.parametrize("kind", [JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED])
def test_a_session_runs_a_conversion(kind):
    job = Job(kind=kind, n=6, k=3)
    replies, rows = [b"first tile", b"second"], 6 if kind is JobKind.CONVERT else 2 * 3
    backend = Backend(SMALL, replies)
    sent = [bytes([row]) for row in range(rows)]
    outcome = asyncio.run(Session(backend, SMALL).convert(job, sent))
    assert outcome.packets == replies
    assert backend.sent == [("s_axis_act", packet) for packet in sent]


@pytest.mark.parametrize(("job", "activations", "weights", "words"), [
    (JOB, 4, 2, "GEMM takes 5 packets of activations, not 4"),
    (JOB, 5, 1, "B of 6 columns takes 2 packets, not 1"),
    (replace(JOB, kind=JobKind.GEMM_PACKED), 5, 2, "GEMM_PACKED takes 2 packets"),
    (replace(JOB, kind=JobKind.CONVERT), 5, 2, "CONVERT is no GEMM"),
    (replace(JOB, k=301), 5, 2, "K_TOO_LARGE"),
])
def test_a_session_sends_nothing_for_a_wrong_job(job, activations, weights, words):
    backend = Backend(SMALL, [])
    with pytest.raises(ValueError, match=words):
        asyncio.run(Session(backend, SMALL).gemm(job, [b""] * activations, [b""] * weights))
    assert not backend.sent


def test_a_session_notices_faults_and_wrong_lengths_and_can_go_on():
    job = Job(m=1, n=1, k=1)
    backend = Backend(SMALL, [b"four"])
    session = Session(backend, SMALL)
    backend.registers.values["IRQ_PENDING"] = StreamFault.ACT_KEEP.value << FAULTS
    with pytest.raises(StreamFaultError):
        asyncio.run(session.gemm(job, [b"a"], [b"b"]))
    backend.replies.append(b"three"[:3])
    with pytest.raises(ResultLengthError, match="result packet 0 has 3 bytes, not 4"):
        asyncio.run(session.gemm(job, [b"a"], [b"b"]))
    asyncio.run(session.driver.start(job))
    backend.registers.values["IRQ_PENDING"] = StreamFault.ACT_LENGTH.value << FAULTS
    backend.registers.values["STATUS"] = OUTPUT_PENDING
    backend.dry_after = 2
    asyncio.run(session.abort())  # and forget what was wrong with the job
    assert backend.drained == 2 and not backend.registers.under_way
    backend.replies.append(b"four")
    assert asyncio.run(session.gemm(job, [b"a"], [b"b"])).packets == [b"four"]
    for _ in range(JOB_SLOTS):
        asyncio.run(session.driver.start(job))
    with pytest.raises(JobRefusedError, match="QUEUE_FULL"):
        asyncio.run(session.gemm(job, [b"a"], [b"b"]))


def test_an_abort_ends_at_its_limit_and_can_be_repeated():
    backend = Backend(SMALL, [])
    backend.registers.values["STATUS"] = OUTPUT_PENDING
    backend.dry_after = 8
    session = Session(backend, SMALL, clock=lambda: backend.drained, limit=5)
    with pytest.raises(WaitTimeoutError, match="OUTPUT_PENDING, 5 s after ABORT"):
        asyncio.run(session.abort())
    assert backend.drained == 5 and backend.registers.draining
    asyncio.run(session.abort())
    assert backend.drained == 8 and not backend.registers.draining


def test_an_abort_lets_other_tasks_run():
    backend = Backend(SMALL, [])
    backend.registers.values["STATUS"] = OUTPUT_PENDING
    backend.dry_after = None

    async def run():
        taking = asyncio.create_task(take())
        await Session(backend, SMALL, clock=count().__next__, limit=1000).abort()
        await taking

    async def take():
        for _ in range(10):
            await asyncio.sleep(0)
        backend.registers.values["STATUS"] = 0

    asyncio.run(run())


def test_a_session_wants_a_table_of_the_jobs_length():
    session = Session(Backend(SMALL, [b"four"]), SMALL)
    job = Job(n=1, k=3, reorder=True)
    with pytest.raises(ValueError, match="load the order of 3 channels into table 0 first"):
        asyncio.run(session.gemm(job, [b"a"], [b"b"]))
    asyncio.run(session.driver.load_table(0, order=[1, 0]))
    with pytest.raises(ValueError, match="load the order of 3 channels into table 0 first"):
        asyncio.run(session.gemm(job, [b"a"], [b"b"]))
    asyncio.run(session.driver.load_table(0, order=[2, 0, 1]))
    assert asyncio.run(session.gemm(job, [b"a"], [b"b"])).packets == [b"four"]
    static = Job(n=1, k=17, selection=Selection.STATIC)
    with pytest.raises(ValueError, match="load the static tags of 2 K-blocks into table 0 first"):
        asyncio.run(session.gemm(static, [b"a"], [b"b"]))
