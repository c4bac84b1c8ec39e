"""What the tests take from the benches: small machines, random jobs, and what golden says."""

from pathlib import Path

import numpy as np

from hw.contract.config import Config
from hw.host.packet_order import result_packets
from hw.host.results import Outcome
from hw.host.work import Work
from sim_tests.stimuli.packets import read_rows
from simulation.machines import TINY
from simulation.packet import Packet
from simulation.works.expected import expected_counts, expected_results
from simulation.works.random_works import make_work, random_work

__all__ = ["FAULTY", "TINY", "Work", "check", "make_work", "random_work", "spread"]

FAULTY = Path(__file__).resolve().parent / "verilog" / "faulty.v"
"""A top that breaks a rule when it is told to."""


def spread(config: Config, packet: Packet) -> tuple[np.ndarray, np.ndarray]:
    """Give all bytes of a packet of one beat, and which of them ``tkeep`` marks."""
    keep = np.array([packet.keeps[0] >> index & 1 for index in range(config.result_bytes)], bool)
    data = np.zeros(config.result_bytes, np.uint8)
    data[keep] = np.frombuffer(packet.marked, np.uint8)
    return data, keep


def check(config: Config, work: Work, outcome: Outcome) -> None:
    """Compare every bit of a job's results, and the counters that need no clock, with golden."""
    expected, job = expected_results(config, work), work.job
    if isinstance(expected, np.ndarray):
        assert np.array_equal(outcome.results, expected), job
        assert outcome.results.dtype == expected.dtype
    else:
        assert outcome.results == expected, job
    if outcome.counters is not None:
        counts = expected_counts(config, work)
        assert {name: outcome.counters[name] for name in counts} == counts, job


def check_places(config: Config, work: Work, packets: list[Packet]) -> None:
    """Compare floating-point results where ``tkeep`` says that they are."""
    expected = expected_results(config, work)
    for part, packet in zip(result_packets(config, work.job), packets, strict=True):
        rows = read_rows(config, work.job, part, *spread(config, packet))
        wanted = expected[part.row : part.row + part.rows, part.col : part.col + part.cols]
        assert np.array_equal(rows, wanted), part
