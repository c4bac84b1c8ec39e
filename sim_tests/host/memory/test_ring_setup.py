"""A machine is opened: what it must be, its settings, its counters, its end."""

import numpy as np
import pytest

from hw.contract.config import Config
from hw.host.driver import MachineError, NoMachineError, WaitTimeoutError
from hw.host.memory import BusCounters, RingHost
from hw.registers.map import REGISTER
from hw.registers.ring_map import BUS_COUNTERS
from sim_tests.host.memory.benches import connect, same
from sim_tests.host.memory.golden_device import BASE, SIZE, SMALL, GoldenDevice
from sim_tests.host.memory.small_lists import jobs, right


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
    (BASE, SIZE, {"attributes": {"arcache": 1.5}}, TypeError, "arcache must be a whole number"),
    (BASE, SIZE, {"attributes": 5}, TypeError, "attributes must be values by name"),
    (BASE, SIZE, {"lock": "no"}, TypeError, "lock must be True or False, not 'no'"),
    (BASE, SIZE, {"limit": float("nan")}, ValueError, "limit must be at least 0 seconds, not nan"),
    (BASE, SIZE, {"limit": "3"}, TypeError, "limit must be a number of seconds"),
    (BASE, SIZE, {"pause": -1}, ValueError, "pause must be at least 0 seconds"),
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


def test_the_end_of_a_with_switches_the_ring_off():
    host, device = connect()
    with host:
        host.run(jobs(host, 1)[0])
        assert device.values["RING_ENABLE"]
    assert not device.values["RING_ENABLE"]


def test_an_interrupt_does_not_wait_for_a_slow_bus():
    host, device = connect(limit=600)
    with pytest.raises(KeyboardInterrupt), host:
        device.owes = 10**9
        raise KeyboardInterrupt
    assert host.limit == 1 and not device.values["RING_ENABLE"]


def test_a_second_host_on_the_same_device_is_noticed():
    host, device = connect()
    commands, results = jobs(host, 1)
    second, _ = connect(device=device)
    with pytest.raises(MachineError, match="another RingHost has opened this device since"):
        host.run(commands)
    commands, results = jobs(second, 1)
    second.run(commands)
    assert all(right(results))


def test_what_the_ring_needs_is_not_freed():
    host, _ = connect()
    matrix = host.memory.place(np.ones((4, 16), np.float32))
    for handles, error, words in (([host.notify_word], ValueError, "is the ring's"),
                                  ([matrix, host.notify_word], ValueError, "is the ring's"),
                                  ([matrix, None], TypeError, "must be a handle, not NoneType")):
        before = host.memory.free_bytes
        with pytest.raises(error, match=words):
            host.memory.free(*handles)
        assert host.memory.free_bytes == before
    for value, error in ((-1, ValueError), (1.5, TypeError), ("3", TypeError), (True, TypeError)):
        with pytest.raises(error):
            host.memory.place_word(value)
        with pytest.raises(error):
            host.notify_word.write(value)
        assert host.memory.free_bytes == before
    with pytest.raises(TypeError, match="a shape must be a tuple of sizes, not 4"):
        host.memory.empty(4)


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
