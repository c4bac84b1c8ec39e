"""Lists of any length through a ring: room, interrupts, caches."""

import itertools

import pytest

from golden.memory import Command, Fault
from golden.memory.descriptor import BYTES
from sim_tests.host.memory.benches import connect, normal
from sim_tests.host.memory.golden_device import BASE, GoldenDevice
from sim_tests.host.memory.small_lists import jobs, right


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


def test_what_is_no_list_is_refused():
    host, _ = connect()
    with pytest.raises(TypeError, match="must be of Commands, not list"):
        host.run([])
