"""A list of commands on the compiled machine and on golden's ring, compared."""

import numpy as np

from hw.host.memory.registers import NamedRegisters
from hw.registers.codes import RingEvent
from sim_tests.memory.lists import Lists
from sim_tests.memory.runs import packed
from simulation.memory_library import Counts
from simulation.memory_machine import SimulatedMemoryMachine

LIMIT = 50
"""Waits of the machine in which a list has to end."""


def run_list(device: SimulatedMemoryMachine, lists: Lists) -> Counts:
    """Run a list on a machine whose memory is as large; return what was counted.

    Raises
    ------
    AssertionError
        If the ring does not come to golden's end, or a byte of memory differs.
    """
    ring, registers = lists.ring, NamedRegisters(device)
    for number, command in enumerate(lists.commands):
        lists.memory.write(ring.address_of(number), packed(command))
    device.memory[:] = lists.data
    registers.write_long("RING_BASE", ring.base)
    registers.write("RING_SIZE_LOG2", ring.size.bit_length() - 1)
    registers.write_long("NOTIFY_ADDRESS", ring.notify_address)
    registers.write("RING_IRQ_ENABLE", RingEvent.STOPPED.value)
    registers.write("RING_TAIL", len(lists.commands))
    registers.write("RING_ENABLE", 1)
    for _ in range(LIMIT):
        if registers.read("RING_COMPLETED") == len(lists.commands):
            break
        device.advance(1000)
    device.wait_for_quiet()
    lists.ring.doorbell(len(lists.commands))
    status = registers.fields("RING_STATUS")
    assert (status["fault"], registers.read("RING_COMPLETED")) == (ring.fault, ring.completed)
    wrong = np.flatnonzero(device.memory != lists.data)
    assert not len(wrong), f"{len(wrong)} bytes differ, first at {lists.base + wrong[0]:#x}"
    return device.counts()
