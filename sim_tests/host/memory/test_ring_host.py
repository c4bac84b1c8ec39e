"""The host of a ring: opening it, feeding it, and what became of its commands."""

import itertools

import numpy as np
import pytest

import golden
from golden import MX6
from golden.memory import Command, Fault
from golden.memory.descriptor import BYTES
from hw.contract.config import Config
from hw.host.driver import MachineError, NoMachineError, WaitTimeoutError
from hw.host.memory import BusCounters, CommandFaultError, RingHost
from hw.registers.codes import Refusal
from hw.registers.map import REGISTER
from hw.registers.ring_map import BUS_COUNTERS
from sim_tests.host.memory.benches import connect, normal, policy, product, same
from sim_tests.host.memory.golden_device import BASE, SIZE, SMALL, GoldenDevice


def jobs(host, count):
    """Make a list of GEMMs of numbers of their own; return it and its results with golden's."""
    memory, commands, results = host.memory, host.commands(), []
    for number in range(count):
        x, w = normal(3, 16, seed=number), normal(16, 4, seed=number + 100)
        c = memory.empty((3, 4))
        commands.gemm(memory.place(x), memory.place_weights(w), c)
        results.append((c, product(golden.apply_policy(x, policy(fraction=0)),
                                   golden.quantize(w, MX6, axis=0))))
    return commands, results


def right(results):
    """Tell which results are golden's."""
    return [same(found.read(), expected) for found, expected in results]


def breaks(device, address, size=1):
    """Let an address answer SLVERR; return how to mend it."""
    place = (address, size)
    device.memory.broken.append(place)
    return lambda: device.memory.broken.remove(place)


@pytest.mark.parametrize("ring_size", [1, 2, 8, 64])
@pytest.mark.parametrize("pace", [None, 1, 3])
@pytest.mark.parametrize("first", [0, (1 << 32) - 7])
def test_lists_of_any_length_run_through_rings_of_any_size(ring_size, pace, first):
    host, device = connect(ring_size, GoldenDevice(pace=pace, first=first))
    for count in (21, 0, 1, 8):
        with host.memory.scope():
            commands, results = jobs(host, count)
            host.run(commands)
            assert right(results) == [True] * count
        assert device.ring.fault is Fault.NONE and not device.irq
    assert device.ring.completed == (first + 30) % (1 << 32)


def test_the_ring_is_never_given_more_than_it_has_room_for_and_never_idles():
    host, device = connect(8, GoldenDevice(pace=1))
    ahead = []
    device.on_wait = lambda: ahead.append(
        device.values["RING_TAIL"] - device.values["RING_COMPLETED"])
    host.run(jobs(host, 30)[0])
    assert max(ahead) == 8 and ahead[:22] == [8] * 22


def test_it_interrupts_at_the_end_and_where_others_wait_for_room():
    host, device = connect(8)
    commands, _ = jobs(host, 7)
    host.run(commands)
    ring = [Command.unpack(device.memory.read(BASE + at * BYTES, BYTES)) for at in range(7)]
    assert [each.interrupt for each in ring] == [0] * 6 + [1]
    assert not any(each.interrupt for each in commands)
    before = device.ring.interrupts
    host.run(jobs(host, 20)[0])
    assert device.ring.interrupts - before == len((4, 8, 12, 20))


def test_a_list_that_fits_takes_a_doorbell_and_an_acknowledgement():
    host, device = connect(8)
    commands, _ = jobs(host, 8)
    host.run(commands)
    device.calls.clear()
    host.run(commands)
    writes = [call[1] for call in device.calls if call[0] == "write_register"]
    assert writes == ["RING_TAIL", "RING_IRQ_PENDING"]


@pytest.mark.parametrize("ring_size", [1, 2, 4, 16])
def test_no_interrupt_is_lost_and_none_stays(ring_size):
    """A device that sleeps until it is interrupted sleeps for ever where one is lost."""
    device = GoldenDevice(pace=0)
    host, _ = connect(ring_size, device, limit=5)

    def sleep():
        while not device.irq and device.ring.completed != device.values["RING_TAIL"]:
            device._advance(1)

    for hurries in (False, True):
        device.on_wait, device.hurries = sleep, hurries
        commands, results = jobs(host, 11)
        host.run(commands)
        assert all(right(results)) and not device.irq


def test_descriptors_are_in_memory_before_the_doorbell():
    host, device = connect(8)
    commands, _ = jobs(host, 3)
    device.calls.clear()
    host.run(commands)
    calls = [call[0] if call[0] != "write_register" else call[1] for call in device.calls]
    bell = calls.index("RING_TAIL")
    assert calls[bell - 7 : bell] == ["write_memory", "flush"] * 3 + ["barrier"]
    written = [call[1:] for call in device.calls if call[0] == "write_memory"]
    assert written == [call[1:] for call in device.calls if call[0] == "flush"]
    assert written == [(BASE + at * BYTES, BYTES) for at in range(3)]


def test_caches_are_told_of_every_access():
    host, device = connect()
    device.calls.clear()
    placed = host.memory.place(normal(4, 8))
    placed.columns(0, 4).read()
    placed.columns(2, 4).write(normal(4, 2))
    host.notify_word.read()
    kept = [call for call in device.calls if call[0] != "barrier"]
    for before, after in itertools.pairwise(kept):
        if before[0] == "write_memory":
            assert after == ("flush", *before[1:])
        if after[0] == "read_memory":
            assert before == ("invalidate", *after[1:])
    assert {call[0] for call in kept} == {"write_memory", "flush", "invalidate", "read_memory"}


def test_another_machine_is_named():
    device = GoldenDevice(Config.sized(rows=4, cols=4, k_max=256))
    with pytest.raises(NoMachineError, match="between streams, and has no ring: BUS_BYTES is 0"):
        connect(device=device)
    for name, value, words in (("ID", 0, "no accelerator answers"),
                               ("VERSION", 0x00020000, "version 0x00020000")):
        device = GoldenDevice()
        device.values[name] = value
        with pytest.raises(NoMachineError, match=words):
            connect(device=device)


@pytest.mark.parametrize("address, size, options, error, words", [
    (BASE + 64, SIZE - 4096, {}, ValueError, "address must be a multiple of 4096"),
    (BASE, 5000, {}, ValueError, "size must be a multiple of 4096"),
    ((1 << 40) - 4096, 8192, {}, ValueError, "beyond the 40 bits of the bus's addresses"),
    (BASE, SIZE, {"ring_size": 12}, ValueError, "a power of two up to 2"),
    (BASE, SIZE, {"ring_size": 0}, ValueError, "at least 1"),
    (BASE, 4096, {"ring_size": 64}, MemoryError, "no room for 12288 bytes"),
    (BASE, SIZE, {"bus_timeout": -1}, ValueError, "at least 0"),
    (BASE, SIZE, {"bus_timeout": 1 << 32}, ValueError, r"BUS_TIMEOUT.VALUE has 32 bits"),
    (BASE, SIZE, {"attributes": {"arcach": 1}}, ValueError, "not 'arcach'"),
    (BASE, SIZE, {"attributes": {"arcache": 16}}, ValueError, "4 bits: 16 does not fit"),
])
def test_settings_that_cannot_be_are_refused(address, size, options, error, words):
    with pytest.raises(error, match=words):
        RingHost(GoldenDevice(), address, size, **options)


def test_settings_are_in_their_registers():
    host, device = connect(16, bus_timeout=1000, attributes={"arcache": 0xF, "awprot": 2})
    values = device.values
    assert (values["RING_BASE_LOW"], values["RING_BASE_HIGH"]) == (BASE, 0)
    assert values["RING_SIZE_LOG2"] == 4 and values["BUS_TIMEOUT"] == 1000
    assert REGISTER["BUS_ATTRIBUTES"].unpack(values["BUS_ATTRIBUTES"]) == {
        "arcache": 0xF, "arprot": 0, "awcache": 3, "awprot": 2}
    assert (values["WINDOW_BASE_LOW"], values["WINDOW_END_LOW"]) == (BASE, BASE + SIZE)
    assert values["NOTIFY_ADDRESS_LOW"] == host.notify_word.address
    assert host.config == SMALL and not device.is_locked


def test_a_window_that_is_locked_is_kept():
    device = GoldenDevice()
    connect(device=device, lock=True)
    assert device.is_locked
    host, _ = connect(device=device)
    commands, results = jobs(host, 2)
    host.run(commands)
    assert all(right(results))
    with pytest.raises(ValueError, match="the window is locked from 0x80000000 to 0x80100000"):
        RingHost(device, BASE, SIZE + 4096)
    with pytest.raises(ValueError, match="reset the machine, or take memory inside"):
        RingHost(device, BASE - 4096, SIZE)


def test_a_ring_that_somebody_left_running_is_taken_over():
    device = GoldenDevice(pace=1)
    before, _ = connect(4, device, limit=0)
    device.is_stuck = True
    with pytest.raises(WaitTimeoutError):
        before.run(jobs(before, 4)[0])
    device.is_stuck, device.owes = False, 3
    host, _ = connect(16, device)
    commands, results = jobs(host, 20)
    host.run(commands)
    assert all(right(results)) and device.ring.completed == 20


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


def test_faults_and_refusals_of_newer_machines_are_numbers():
    host, device = connect()
    commands, results = jobs(host, 1)
    breaks(device, results[0][0].address)
    status = device._status
    device._status = lambda: status() & ~0xF | (15 if status() & 0xF else 0)
    with pytest.raises(CommandFaultError, match="fault 15, which only a newer driver") as caught:
        host.run(commands)
    assert caught.value.fault == 15
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


def test_the_end_of_a_with_switches_the_ring_off():
    host, device = connect()
    with host:
        host.run(jobs(host, 1)[0])
        assert device.values["RING_ENABLE"]
    assert not device.values["RING_ENABLE"]


def test_counters_are_read_and_subtracted_modulo_their_range():
    host, device = connect()
    names = [name.lower() for name, _ in BUS_COUNTERS]
    assert set(names) == set(BusCounters.__dataclass_fields__)
    for number, name in enumerate(names):
        device.values[name.upper()] = (1 << 32) - 5 + number
    before = host.counters()
    for number, name in enumerate(names):
        device.values[name.upper()] = 10 * (number + 1)
    assert [getattr(host.counters() - before, name) for name in names] == [
        10 * (number + 1) + 5 - number for number in range(8)]
    device.values |= {"READ_BURSTS": 4, "READ_OWED": 10, "WRITE_BURSTS": 0}
    assert (host.counters().read_latency, host.counters().write_latency) == (2.5, 0.0)


def test_channel_maxima_are_floats():
    host, device = connect()
    device.maxima = {0: 0x3F800000, 1: 0x40490FDB}
    assert same(host.channel_maxima(2), np.array([1, np.pi], np.float32))
    with pytest.raises(ValueError, match="limit of 256"):
        host.channel_maxima(257)


def test_what_is_no_list_is_refused():
    host, _ = connect()
    with pytest.raises(TypeError, match="must be of Commands, not list"):
        host.run([])
