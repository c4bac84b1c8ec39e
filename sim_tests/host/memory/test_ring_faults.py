"""Faults as the host tells of them: which command, why, and what can be tried again."""

import pytest

from golden.memory import Fault
from hw.host.memory import CommandFaultError
from hw.registers.codes import Refusal
from sim_tests.host.memory.benches import connect, normal
from sim_tests.host.memory.golden_device import GoldenDevice
from sim_tests.host.memory.small_lists import breaks, jobs, right


def test_a_fault_names_its_command_and_resume_tries_it_again():
    host, device = connect(8, GoldenDevice(first=100))
    commands, results = jobs(host, 12)
    mend = breaks(device, results[9][0].address + 4)
    device.owes = 2
    with pytest.raises(CommandFaultError, match=(
            r"command 9 of the list, 109 of the ring, has stopped it: WRITE_SLVERR: a write was "
            r"answered with SLVERR\. The command is \{.*'m': 3, 'n': 4")) as caught:
        host.run(commands)
    error = caught.value
    assert (error.fault, error.refusal, error.place, error.sequence) == (
        Fault.WRITE_SLVERR, None, 9, 109)
    assert error.command == list(commands)[9] and not device.owes and not device.irq
    with pytest.raises(RuntimeError, match="3 commands of an earlier call have not ended"):
        host.run(commands)
    with pytest.raises(CommandFaultError):
        host.resume()
    mend()
    host.resume()
    assert right(results) == [True] * 12
    host.run(commands)


@pytest.mark.parametrize("pace", [None, 1])
def test_skip_leaves_one_out(pace):
    host, device = connect(4, GoldenDevice(pace=pace))
    commands, results = jobs(host, 9)
    for bad in (2, 5, 8):
        breaks(device, results[bad][0].address)
    for bad in (2, 5, 8):
        with pytest.raises(CommandFaultError) as caught:
            host.run(commands) if bad == 2 else host.skip()
        assert caught.value.place == bad
    host.skip()
    device.memory.broken.clear()
    assert right(results) == [number % 3 != 2 for number in range(9)]
    with pytest.raises(RuntimeError, match="no command has stopped the ring"):
        host.skip()


def test_a_command_that_goes_on_stops_nothing():
    host, device = connect()
    memory, commands = host.memory, host.commands()
    x, w, c = memory.place(normal(3, 16)), memory.place_weights(normal(16, 4)), memory.empty((3, 4))
    mend = breaks(device, x.address)
    after, results = jobs(host, 1)
    commands.gemm(x, w, c, goes_on=True)
    host.run(commands)
    host.run(after)
    mend()
    assert all(right(results))


def test_a_refusal_is_named_with_what_must_hold():
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    order = memory.place_order(range(16))
    commands.gemm(memory.place(normal(3, 16)), memory.place_weights(normal(16, 4)),
                  memory.empty((3, 4)), order=order)
    memory.write_bytes(order.address, b"\1\0\1\0")
    with pytest.raises(CommandFaultError, match=(
            f"REFUSED: {Fault.REFUSED.doc}; ORDER_DOUBLE: {Refusal.ORDER_DOUBLE.doc}")) as caught:
        host.run(commands)
    assert caught.value.refusal is Refusal.ORDER_DOUBLE
    memory.write_bytes(order.address, b"\0\0\1\0")
    host.resume()


def test_refusals_of_newer_machines_are_numbers():
    host, device = connect()
    commands, results = jobs(host, 1)
    breaks(device, results[0][0].address)
    with pytest.raises(CommandFaultError):
        host.run(commands)
    status = device._status
    device._status = lambda: status() & ~0xF | (8 if status() & 0xF else 0)
    device.values["REFUSAL"] = 99
    with pytest.raises(CommandFaultError, match="refusal 99, which only a newer") as caught:
        host.wait()
    assert caught.value.refusal == 99


def test_what_was_overwritten_is_not_tried_again():
    host, device = connect()
    memory, commands = host.memory, host.commands()
    x, w = memory.place(normal(4, 16)), memory.place_weights(normal(16, 16))
    c = memory.empty((4, 16))
    commands.gemm(x, w, c)
    commands.gemm(memory.place(normal(4, 16)), w, x)
    mend = breaks(device, c.address)
    with pytest.raises(CommandFaultError):
        host.run(commands)
    mend()
    with pytest.raises(ValueError, match="command 0 cannot be tried again, since command 1 had "
                                         "begun and may have overwritten what it reads"):
        host.resume()
    host.skip()
    host.run(commands)


def test_what_was_freed_is_not_tried_again():
    host, device = connect()
    with pytest.raises(CommandFaultError), host.memory.scope():
        commands, results = jobs(host, 2)
        mend = breaks(device, results[0][0].address)
        host.run(commands)
    mend()
    with pytest.raises(ValueError, match=r"A of command 0, at 0x.* was freed"):
        host.resume()
    with pytest.raises(ValueError, match=r"A of command 1, at 0x.* was freed"):
        host.skip()
    assert host.stop() == 0
