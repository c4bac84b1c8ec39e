"""What the tests take from the benches: small machines, random jobs, and what golden says."""

from pathlib import Path

import numpy as np

from hw.host.packet_order import conversion_packets, packed_result_chunks, weight_passes
from sim_tests.accelerators import TINY
from sim_tests.stimuli.packets import Work, act_packets, read_rows, weight_packets
from sim_tests.stimuli.random_works import make_work, random_work
from sim_tests.stimuli.works import expected_counts, expected_results
from simulation.generator import Config, result_packets
from simulation.jobs import Done, Task
from simulation.machine import Packet

__all__ = ["FAULTY", "TINY", "Work", "check", "make_work", "random_work", "spread", "task_of"]

FAULTY = Path(__file__).resolve().parent / "verilog" / "faulty.v"
"""A top that breaks a rule when it is told to."""


def parts_of(config: Config, work: Work) -> list:
    """List the packets that a job gives."""
    parts = (conversion_packets if work.job.converts
             else packed_result_chunks if work.job.is_packed else result_packets)
    return list(parts(config, work.job))


def task_of(config: Config, work: Work) -> Task:
    """Make a job's packets."""
    weights = weight_packets(config, work) * weight_passes(config, work.job)
    return Task(work.job, act_packets(config, work), weights, len(parts_of(config, work)))


def spread(config: Config, packet: Packet) -> tuple[np.ndarray, np.ndarray]:
    """Give all bytes of a packet of one beat, and which of them ``tkeep`` marks."""
    keep = np.array([packet.keeps[0] >> index & 1 for index in range(config.result_bytes)], bool)
    data = np.zeros(config.result_bytes, np.uint8)
    data[keep] = np.frombuffer(packet.marked, np.uint8)
    return data, keep


def check(config: Config, work: Work, done: Done) -> None:
    """Compare every bit of a job's results, and the counters that need no clock, with golden."""
    expected, job = expected_results(config, work), work.job
    if isinstance(expected, np.ndarray):
        size, actual = expected.itemsize, np.zeros_like(expected)
        for part, packet in zip(parts_of(config, work), done.packets, strict=True):
            assert len(packet) == part.rows * part.cols * size, part
            rows = np.frombuffer(packet, expected.dtype).reshape(part.rows, part.cols)
            actual[part.row : part.row + part.rows, part.col : part.col + part.cols] = rows
        assert np.array_equal(actual, expected), job
    else:
        assert done.packets == expected, job
    if done.counters is not None:
        counts = expected_counts(config, work)
        assert {name: done.counters[name] for name in counts} == counts, job


def check_places(config: Config, work: Work, packets: list[Packet]) -> None:
    """Compare floating-point results where ``tkeep`` says that they are."""
    expected = expected_results(config, work)
    for part, packet in zip(parts_of(config, work), packets, strict=True):
        rows = read_rows(config, work.job, part, *spread(config, packet))
        wanted = expected[part.row : part.row + part.rows, part.col : part.col + part.cols]
        assert np.array_equal(rows, wanted), part
