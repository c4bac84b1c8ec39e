"""Addresses of every iteration, also beyond the bus's last, where a command keeps their rounds."""

import cocotb
import pytest

from golden.memory import Command
from hw.memory.batch_walk import BatchWalk
from hw.memory.descriptor import ADDRESS_BITS
from sim_tests import bench, drive
from sim_tests.memory.addresses import near_the_last, reached
from sim_tests.memory.descriptors import KNOWN, known


def draw(rng, bits):
    """Draw a command whose addresses are soon used up, or not."""
    levels = {f"count_{level}": int(rng.integers(1, 6)) for level in (0, 1)}
    steps = {f"{name}_step_{level}": int(rng.integers(1 << int(rng.integers(1, 33))))
             for name in known().stepped for level in (0, 1)}
    places = {name: near_the_last(rng, bits) % (1 << bits - 1) if rng.random() < 0.7
              else int(rng.integers(1 << 33)) for name in known().stepped}
    return Command(**levels, **steps, **places)


async def walk(dut, rng, command, bits):
    """Walk through a command, its bits changed as they are asked to, with pauses."""
    places = {name: known().places[name] for name in known().stepped}
    held = int.from_bytes(command.pack(), "little") & (1 << known().bits) - 1
    kept = min(bits, ADDRESS_BITS)  # of an address, in the command
    dut.bits.value, dut.begins.value = held, 1
    await drive.ticks(dut, 1)
    dut.begins.value = 0
    iterations = [(outer, inner) for outer in range(command.count_1)
                  for inner in range(command.count_0)]
    for number, (outer, inner) in enumerate(iterations):
        dut.moves.value = 0
        await drive.ticks(dut, int(rng.integers(0, 3)))
        dut.bits.value, dut.moves.value = held, 1
        await drive.ticks(dut, 1)
        what = f"{command}, iteration {outer}, {inner}"
        assert int(dut.is_first.value) == (number == 0), what
        assert int(dut.is_last.value) == (number == len(iterations) - 1), what
        for name in places:
            exact = getattr(command, name) + inner * getattr(command, f"{name}_step_0") + (
                outer * getattr(command, f"{name}_step_1"))
            assert int(getattr(dut, name).value) == reached(exact, bits), f"{what}: {name}"
        assert int(dut.renews.value) == (inner == command.count_0 - 1), what
        if int(dut.renews.value):
            for name, place in places.items():
                after = int(getattr(dut, f"{name}_after").value) % (1 << kept)
                held = held & ~((1 << ADDRESS_BITS) - 1 << place) | after << place
    dut.moves.value = 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def gives_every_iteration_and_never_begins_again_at_zero(dut):
    await drive.reset(dut)
    rng, bits = drive.rng(), drive.parameters()["address_bits"]
    for _ in range(drive.amount(100, 2_000)):
        await walk(dut, rng, draw(rng, bits), bits)


@pytest.mark.parametrize("address_bits", [41, 64, 65])
def test_batch_walk(address_bits):
    simulate(address_bits, "plain")


@pytest.mark.parametrize("address_bits", [41, 65])
def test_batch_walk_of_a_vector_unit(address_bits):
    simulate(address_bits, "vector")


def simulate(address_bits, descriptor):
    bench.simulate(BatchWalk(address_bits=address_bits, descriptor=KNOWN[descriptor]), __name__,
                   f"batch_walk_{descriptor}_{address_bits}",
                   parameters={"address_bits": address_bits, "descriptor": descriptor})
