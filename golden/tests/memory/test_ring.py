"""The ring: its window, its counts, waits, and where it may lie."""

import numpy as np
import pytest

from golden.memory import Command, Fault, Memory, Operation, Ring
from golden.memory.descriptor import BYTES
from golden.tests.memory.ring_bench import BASE, MACHINE, RING, SIZE, Bench, small_job


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("place, fault", [
    (BASE + 4096, Fault.NONE), (BASE + 4098, Fault.UNALIGNED), (BASE + (1 << 30),
                                                                Fault.WRITE_DECERR)])
def test_a_count_goes_to_a_multiple_of_four_that_is_there(operation, place, fault):
    bench = Bench(notify_address=place)
    command = small_job(bench, notify=1)[0]
    if operation is Operation.WAIT:
        command = Command(operation=operation, a=bench.place(bytes(4)), notify=1)
    bench.ring.submit([command])
    assert bench.ring.fault is fault
    if fault is Fault.NONE:
        assert bench.memory.read(place, 4) == b"\1\0\0\0"


@pytest.mark.parametrize("window, inside", [
    ((BASE, BASE + SIZE), True), ((BASE + 1, BASE + SIZE), False),
    ((0, (1 << 64) - 1), True), ((BASE, BASE + 4096), True), ((BASE, BASE + 4095), False)])
def test_a_window_is_of_whole_pages_that_lie_in_it(window, inside):
    """The ring, and an operand in its page, are in it or not."""
    bench = Bench(window=window)
    bench.ring.submit([small_job(bench)[0]])
    assert bench.ring.fault is (Fault.NONE if inside else Fault.OUTSIDE)


def test_the_window_ends_where_it_ends():
    for end, fault in ((0, Fault.NONE), (4, Fault.OUTSIDE)):
        bench = Bench()
        command, _ = small_job(bench)
        last = command.c + 2 * 8 + 8  # behind the last row
        bench.ring.window = (BASE, last - end)
        bench.ring.submit([command])
        assert bench.ring.fault is fault


def test_nothing_outside_the_window_is_touched():
    for changes in ({}, {"a": BASE - 64}, {"c": BASE + SIZE}):
        bench = Bench(window=(BASE, BASE + SIZE - 4096))
        bench.memory.add(BASE - 4096, 4096)
        bench.memory.add(BASE + SIZE, 4096)
        bench.ring.submit([small_job(bench, **changes)[0]])
        assert bench.ring.fault is (Fault.OUTSIDE if changes else Fault.NONE)
        assert all((data == 0xA5).all() for base, data in bench.memory.regions if base != BASE)


def test_a_wait_holds_until_its_word_has_come():
    bench = Bench()
    word = bench.place((0xFFFFFFF0).to_bytes(4, "little"))
    good, writes = small_job(bench)
    expected = bench.after([*writes, (word, (3).to_bytes(4, "little"))])
    bench.ring.submit([Command(operation=Operation.WAIT, a=word, sequence=2), good])
    assert bench.ring.is_waiting and bench.ring.completed == 0
    bench.memory.write(word, (3).to_bytes(4, "little"))
    bench.ring.run()
    assert not bench.ring.is_waiting and bench.ring.completed == 2
    assert np.array_equal(bench.data[RING * BYTES:], expected[RING * BYTES:])


def test_counts_wrap():
    bench = Bench()
    bench.ring.completed = bench.ring.tail = (1 << 32) - 1
    commands = [small_job(bench) for _ in range(3)]
    bench.run(*(command for command, _ in commands),
              writes=[each for _, writes in commands for each in writes])
    assert bench.ring.completed == 2


def test_a_ring_that_is_full_takes_no_more_and_an_overrun_is_a_fault():
    bench = Bench()
    word = bench.place(bytes(4))
    waits = [Command(operation=Operation.WAIT, a=word, sequence=1)] * RING
    bench.ring.submit(waits)
    with pytest.raises(ValueError, match="room for 0 commands, not for 1"):
        bench.ring.submit(waits[:1])
    bench.ring.doorbell(RING + 1)
    assert bench.ring.fault is Fault.OVERRUN and bench.ring.completed == 0


@pytest.mark.parametrize("base, size", [(BASE + 32, 8), (BASE, 6)])
def test_a_ring_of_no_such_place_or_size_is_refused(base, size):
    with pytest.raises(ValueError, match=f"not {size} at {base:#x}"):
        Ring(MACHINE, Memory(), base, size)
