"""A system in Verilog around the machine: what its memory and its sequencer hold, and will hold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.soc.recorder import Recorder, program, words
from golden.memory.descriptor import BYTES
from hw.contract.config import Config
from hw.host.memory import Matrix, RingHost, top
from hw.host.memory.registers import NamedRegisters
from simulation.works.golden_ring import carried_out

BASE, SIZE = 0x8000_0000, 1 << 16

RING_SIZE = 4

TOKENS, CHANNELS, HIDDEN = 20, 64, 48


@dataclass(frozen=True)
class System:
    """What a run begins with, and what memory has to hold behind it.

    Attributes
    ----------
    config : Config
    program, memory : list of str
        Lines of the files that the sequencer and the memory read.
    expected : ndarray of uint8
        By golden's ring.
    results : slice
        The bytes of the last results, FP16.
    """

    config: Config
    program: list[str]
    memory: list[str]
    expected: NDArray[np.uint8]
    results: slice

    def differences(self, lines: list[str]) -> int:
        """Count the bytes of a memory, as lines, that are not as expected."""
        found = np.frombuffer(bytes.fromhex("".join(
            "".join(lines).split())), np.uint8).reshape(-1, self.config.bus_bytes)[:, ::-1]
        if found.size != len(self.expected):
            return len(self.expected)
        return int(np.count_nonzero(found.ravel() != self.expected))


def make_system(config: Config, seed: int) -> System:
    """Let the host's library give a machine two layers, and record what it does.

    The first layer's results stay packed, in MX6; the second one's weights are made of numbers by a
    conversion.

    Parameters
    ----------
    config : Config
        With a bus.
    seed : int
        Of the numbers.
    """
    if config.bus_clock:
        raise ValueError("bus_clock=1 does not fit into examples/soc/soc.v, which has one clock: "
                         "use bus_clock=0")
    rng = np.random.default_rng(seed)
    device = Recorder(config, BASE, SIZE)
    with RingHost(device, BASE, SIZE, ring_size=RING_SIZE) as host:
        memory, commands = host.memory, host.commands()
        x = memory.place(rng.standard_normal((TOKENS, CHANNELS)).astype(np.float16))
        first = memory.place_weights(_normal(rng, CHANNELS, HIDDEN))
        bias = memory.place_bias(_normal(rng, HIDDEN))
        second = memory.place(_normal(rng, CHANNELS, HIDDEN).astype(np.float16))  # a row per column
        packed, weights = memory.empty((TOKENS, HIDDEN), "mx6"), memory.empty_weights(
            (HIDDEN, CHANNELS))
        results: Matrix = memory.empty((TOKENS, CHANNELS), "fp16")
        commands.gemm(x, first, packed, bias=bias, selection=top(1))
        commands.convert(second, weights)
        commands.gemm(packed, weights, results)
        host.run(commands)
        ring = _ring_of(device)
    place = results.address - BASE
    return System(
        config, program(device.entries), words(device.memory, config.bus_bytes),
        carried_out(config, device.memory, BASE, ring, 0, len(commands)),
        slice(place, place + 2 * TOKENS * CHANNELS))


def _normal(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return rng.standard_normal(shape).astype(np.float32)


def _ring_of(device: Recorder) -> tuple[int, int]:
    """Say where a recorded ring lies: address and bytes."""
    return NamedRegisters(device).read_long("RING_BASE"), RING_SIZE * BYTES
