"""Lists that do not end as they began: stopped, broken off, held, reset meanwhile."""

import itertools

import pytest

from golden.memory import Fault
from hw.host.driver import MachineError, WaitTimeoutError
from hw.host.memory import CommandFaultError
from sim_tests.host.memory.benches import connect, normal
from sim_tests.host.memory.golden_device import GoldenDevice
from sim_tests.host.memory.small_lists import breaks, jobs, right


def test_stop_drops_what_has_not_ended_and_the_next_list_runs():
    device = GoldenDevice(pace=1)
    host, _ = connect(4, device, limit=5)
    commands, results = jobs(host, 9)

    def stick():
        device.is_stuck = device.ring.completed == 3

    device.on_wait = stick
    with pytest.raises(WaitTimeoutError, match="no command has ended for 5 s: 3 of 9 had; wait"):
        host.run(commands)
    device.on_wait, device.is_stuck, device.owes = (lambda: None), False, 2
    assert host.stop() == 3 and not device.owes
    assert right(results) == [True] * 3 + [False] * 6
    host.run(commands)
    assert right(results) == [True] * 9 and device.ring.completed == 12


def test_a_broken_off_call_can_be_waited_for():
    host, device = connect(4, GoldenDevice(pace=1))
    commands, results = jobs(host, 9)

    def interrupt():
        device.on_wait = lambda: None
        raise KeyboardInterrupt

    device.on_wait = interrupt
    with pytest.raises(KeyboardInterrupt):
        host.run(commands)
    with pytest.raises(RuntimeError, match="9 commands of an earlier call have not ended"):
        host.run(commands)
    host.wait()
    assert all(right(results))


@pytest.mark.parametrize("call", ["write_memory", "barrier", "write_register", "wait"])
@pytest.mark.parametrize("number", range(6))
def test_a_call_that_is_broken_off_anywhere_can_be_gone_on_with(call, number):
    device = GoldenDevice(pace=1)
    host, _ = connect(4, device, limit=30)
    commands, results = jobs(host, 9)
    real, calls = getattr(device, call), itertools.count()

    def broken(*arguments):
        done = real(*arguments)
        if next(calls) == number:
            raise KeyboardInterrupt
        return done

    setattr(device, call, broken)
    try:
        host.run(commands)
    except KeyboardInterrupt:
        host.wait()
    if not all(right(results)):  # it had not begun
        host.run(commands)
    assert all(right(results)) and device.ring.fault is Fault.NONE


def test_a_wait_holds_the_list_until_its_word_has_come():
    device = GoldenDevice(pace=4)
    host, _ = connect(8, device, limit=5)
    word, commands = host.memory.place_word(7), host.commands()
    commands.wait(word, 9)
    x, w = host.memory.place(normal(3, 16)), host.memory.place_weights(normal(16, 4))
    commands.gemm(x, w, host.memory.empty((3, 4)), notify=True)
    with pytest.raises(WaitTimeoutError, match=f"0 of 2 had, and command 0 waits for the word at "
                                               f"{word.address:#x} to come to 9; wait again"):
        host.run(commands)
    device.on_wait = lambda: word.write(word.read() + 1)
    host.wait()
    assert host.notify_word.read() == 2


def test_a_bus_that_does_not_come_to_rest_is_named():
    device = GoldenDevice()
    host, _ = connect(device=device, limit=5)
    device.owes = 100
    with pytest.raises(WaitTimeoutError, match="not quiet 5 s after the ring was switched off"):
        host.stop()
    commands, results = jobs(host, 1)
    breaks(device, results[0][0].address)
    with pytest.raises(WaitTimeoutError, match="not quiet 5 s after a fault"):
        host.run(commands)
    device.is_silent = True
    with pytest.raises(CommandFaultError):
        host.wait()
    with pytest.raises(RuntimeError, match="the bus still owes something"):
        host.resume()


def test_a_machine_that_was_reset_meanwhile_is_named():
    host, device = connect(4, GoldenDevice(pace=1, first=50))
    commands, _ = jobs(host, 9)

    def reset():
        device.ring.completed = 0
        device.values |= {"RING_COMPLETED": 0, "RING_ENABLE": 0, "NOTIFY_ADDRESS_LOW": 0}

    device.on_wait = reset
    with pytest.raises(MachineError, match="the machine was reset, or somebody else uses"):
        host.run(commands)
    assert host.stop() == 0
    with pytest.raises(MachineError, match=r"settings are gone: .* open it anew"):
        host.run(commands)
    host, _ = connect(4, device)
