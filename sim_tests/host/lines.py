"""A carrier to a machine that knows its lines, for tests of software without a machine."""

from collections import deque
from collections.abc import Iterable

import numpy as np

from hw.contract.config import Config
from hw.host.carrier import LIMIT
from hw.host.driver_errors import WaitTimeoutError
from hw.host.packet_order import result_packets
from hw.host.work import Work
from sim_tests.host.register_stand_in import SMALL, StandIn
from simulation.works.expected import expected_results

OUTPUT_PENDING = 1 << 17
"""In STATUS."""

CYCLES = {"cycles": 1 << 33}


class Lines:
    """A carrier to a machine that knows its lines: it says what it was given, and notes the rest.

    Attributes
    ----------
    replies : deque of bytes
        Packets that it will give.
    lasts : deque of int
        For each job that it will end, how many of them.
    """

    def __init__(self, config: Config = SMALL):
        self.registers = StandIn(config)
        self.replies: deque[bytes] = deque()
        self.lasts: deque[int] = deque()
        self.sent: list[tuple[str, bytes]] = []
        self.cycles, self.drained, self.dry_after = 0, 0, 1
        self.most_under_way = 0

    def read(self, address: int) -> int:
        """Read a register."""
        return self.registers.read(address)

    def write(self, address: int, value: int) -> None:
        """Write a register."""
        self.registers.write(address, value)
        self.most_under_way = max(self.most_under_way, len(self.registers.under_way))

    def advance(self, cycles: int) -> None:
        """Let time pass."""
        self.cycles += cycles

    def wait_for_interrupt(self, limit: int = LIMIT) -> None:
        """End the oldest job, if it is one that ends; raise what is pending."""
        if not self.registers.values["IRQ_PENDING"]:
            if not self.lasts:
                self.cycles += limit
                raise WaitTimeoutError("nothing happens")
            self.registers.end_job(CYCLES)
            self.cycles += 100

    def send(self, stream: str, packets: Iterable[bytes]) -> None:
        """Note packets."""
        self.sent += [(stream, packet) for packet in packets]

    def take(self, packets: int, limit: int = LIMIT) -> list[bytes]:
        """Give the packets of the job that ended last."""
        assert self.lasts.popleft() == packets
        return [self.replies.popleft() for _ in range(packets)]

    def drain(self, limit: int = LIMIT) -> None:
        """Forget everything."""
        assert self.registers.draining, "the machine would take the packets for those of a job"
        self.replies.clear()
        self.drained += 1
        self.cycles += 1
        if self.drained == self.dry_after:
            self.registers.values["STATUS"] &= ~OUTPUT_PENDING

    def will_give(self, *packets: bytes) -> None:
        """End one more job, which gives these packets."""
        self.replies += packets
        self.lasts.append(len(packets))


def replies_of(config: Config, work: Work) -> list[bytes]:
    """Cut what golden computes into a job's packets."""
    expected = expected_results(config, work)
    if not isinstance(expected, np.ndarray):
        return expected
    return [expected[part.row : part.row + part.rows, part.col : part.col + part.cols].tobytes()
            for part in result_packets(config, work.job)]
