"""What a faulty command leaves: the ring at it, its name, and every byte of memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import MX6, quantize
from golden.memory import Command, Fault, Operation
from golden.memory.byte_memory import CANARY
from golden.memory.descriptor import BYTES, JobFlag
from golden.memory.jobs import JobKind, Output
from golden.memory.ring import without
from golden.packing import weight_stream
from golden.tests.memory.ring_bench import BASE, RING, SIZE, Bench, job, small_job

FAULTY = {
    "no count": ({"count_0": 0}, Fault.NO_COUNT),
    "a in the middle of a number": ({"a": BASE + 0x4002}, Fault.UNALIGNED),
    "packed b in the middle of a line": ({"b": BASE + 0x4020}, Fault.UNALIGNED),
    "a step of packed b": ({"b_step_0": 32}, Fault.UNALIGNED),
    "k too large": ({"k": 257}, Fault.REFUSED), "no kind": ({"kind": 4}, Fault.REFUSED),
    "rows that overlap": ({"c_stride": 4}, Fault.OVERLONG),
    "a tile in too small a stride": ({"k": 100, "b_stride": 64}, Fault.OVERLONG),
    "nothing at a": ({"a": BASE + SIZE}, Fault.READ_DECERR),
    "c ends behind memory": ({"c": BASE + SIZE - 16}, Fault.WRITE_DECERR),
    "no such address": ({"a": 1 << 63}, Fault.OUTSIDE),
    "loads a table that there is none of": ({"loads_tags": 1, "table": 2}, Fault.REFUSED),
}


@pytest.mark.parametrize("changes, fault", FAULTY.values(), ids=FAULTY)
def test_a_faulty_command_stops_the_ring_and_the_next_runs_after_a_skip(changes, fault):
    bench = Bench()
    before, writes_before = small_job(bench)
    after, writes_after = small_job(bench)
    bad, _ = small_job(bench, interrupt=1, **changes)
    bench.ring.submit([before, bad, after])
    assert (bench.ring.fault, bench.ring.completed) == (fault, 1)
    first = [(address, bench.memory.read(address, len(data))) for address, data in writes_before]
    assert first == writes_before
    bench.ring.doorbell(bench.ring.tail)  # it stands still
    assert (bench.ring.fault, bench.ring.completed) == (fault, 1)
    bench.ring.skip()
    assert (bench.ring.fault, bench.ring.completed, bench.ring.interrupts) == (Fault.NONE, 3, 0)
    for address, data in writes_after:
        assert bench.memory.read(address, len(data)) == data


def test_a_fault_may_leave_anything_where_it_says_and_nothing_else():
    bench = Bench()
    good, writes = small_job(bench)
    bad, _ = small_job(bench, c=BASE + SIZE - 16)  # two rows of three
    expected = bench.after(writes)
    bench.ring.submit([good, bad])
    for address, size in bench.ring.undefined:
        first = max(address - BASE, 0)
        expected[first : first + size] = bench.data[first : first + size]
    assert np.array_equal(bench.data[RING * BYTES:], expected[RING * BYTES:])
    assert [address for address, _ in bench.ring.undefined] == [
        BASE + SIZE - 16 + 8 * row for row in range(3)]


def test_commands_behind_a_faulty_one_may_have_written_too():
    bench = Bench(ahead=2)
    bad, _ = small_job(bench, c=BASE + SIZE - 16)
    others = [small_job(bench)[0] for _ in range(3)]
    bench.ring.submit([bad, *others])
    assert bench.ring.fault is Fault.WRITE_DECERR
    places = {address for address, _ in bench.ring.undefined}
    assert places == {each.c + 8 * row for each in (bad, *others[:2]) for row in range(3)}


def test_a_refusal_has_its_name():
    bench = Bench()
    bad, _ = small_job(bench, k=0)
    bench.ring.submit([bad])
    assert (bench.ring.fault, bench.ring.refusal) == (Fault.REFUSED, "ZERO_SIZE")
    bench.ring.skip()
    assert (bench.ring.fault, bench.ring.refusal) == (Fault.NONE, "")


@pytest.mark.parametrize("loads", [b"\0\0" * 16, b"\1\0" * 16])
def test_a_table_that_does_not_fit_is_refused(loads):
    bench = Bench()
    bad, _ = small_job(bench, flags=JobFlag.REORDER, loads_order=1, order=bench.place(loads))
    bench.ring.submit([bad])
    assert (bench.ring.fault, bench.ring.refusal) == (Fault.REFUSED, "ORDER_DOUBLE")


@pytest.mark.parametrize("output", [Output.MX6, Output.MX9])
def test_packed_results_that_are_too_long_are_not_written_beyond(output):
    bench = Bench()
    a = bench.place(bench.matrix(8, 16).tobytes())
    packets = weight_stream(quantize(bench.matrix(16, 100), MX6, axis=0), 4, 16)
    b, b_stride = bench.place_tiles(packets)
    c = bench.room(4096)
    before = bench.data.copy()
    bench.ring.submit([job(JobKind.GEMM, m=8, n=100, k=16, output=output, a=a, b=b, c=c,
                           a_stride=64, b_stride=b_stride, c_stride=128)])
    assert bench.ring.fault is Fault.OVERLONG
    assert np.array_equal(bench.data[RING * BYTES:], before[RING * BYTES:])


def test_a_fault_that_goes_on_counts_as_ended():
    bench = Bench(notify_address=BASE + SIZE - 64)
    bad, _ = small_job(bench, goes_on=1, interrupt=1, notify=1, c_stride=0)
    good, writes = small_job(bench, notify=1)
    bench.run(bad, good, writes=[*writes, (BASE + SIZE - 64, (2).to_bytes(4, "little"))])
    assert (bench.ring.completed, bench.ring.interrupts, bench.ring.fault) == (2, 1, Fault.NONE)


def test_memory_that_breaks_is_named_and_tried_again():
    command, _ = small_job(Bench())
    for address, fault in ((command.a, Fault.READ_SLVERR), (command.b, Fault.READ_SLVERR),
                           (command.c + 8, Fault.WRITE_SLVERR),
                           (BASE, Fault.READ_SLVERR)):
        fresh = Bench()
        command, writes = small_job(fresh)
        fresh.memory.write(fresh.ring.address_of(0), command.pack())
        fresh.memory.broken = [(address, 1)]
        fresh.ring.doorbell(1)
        assert (fresh.ring.fault, fresh.ring.completed) == (fault, 0)
        fresh.memory.broken = []
        fresh.ring.resume()
        assert (fresh.ring.fault, fresh.ring.completed) == (Fault.NONE, 1)
        assert all(fresh.memory.read(at, len(data)) == data for at, data in writes)


def test_a_bus_that_fails_elsewhere_leaves_the_results_of_jobs_that_had_begun():
    """Behind a word that has come, too; behind one that has not, nothing has begun."""
    bench = Bench(ahead=4)
    jobs, writes = zip(*(small_job(bench) for _ in range(7)), strict=True)
    word = bench.place(bytes(4))
    came, comes = (Command(operation=Operation.WAIT, a=word, sequence=count) for count in (0, 1))
    for commands, begun in ((jobs, 5), ((jobs[0], came, *jobs[1:]), 4),
                            ((*jobs[:2], comes, *jobs[2:]), 2)):
        bench.ring.undefined.clear()
        for number, command in enumerate(commands):
            bench.memory.write(bench.ring.address_of(number), command.pack())
        bench.ring.completed, bench.ring.tail = 0, len(commands)
        bench.ring.stop(Fault.WRITE_SLVERR)
        assert bench.ring.fault is Fault.WRITE_SLVERR
        assert bench.ring.undefined == [
            (at, len(data)) for own in writes[:begun] for at, data in own]
        bench.ring.fault = Fault.NONE


def test_what_is_written_after_a_fault_is_defined_again_but_not_what_follows_a_tile():
    bench = Bench()
    numbers, _ = small_job(bench)
    tile, _ = small_job(bench, output=Output.MX6, c=bench.room(256), c_stride=256)
    bench.ring.submit([numbers, tile])
    bench.ring.completed = 0
    bench.ring.stop(Fault.READ_DECERR)
    assert len(bench.ring.undefined) == numbers.m + 1
    bench.ring.resume()
    (at, size), = bench.ring.undefined
    left = bench.data[at - BASE : at - BASE + size]
    assert tile.c < at < at + size <= tile.c + 256 and set(left.tolist()) == {CANARY}


@given(places=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20)), max_size=4),
       address=st.integers(0, 60), size=st.integers(0, 30))
def test_bytes_are_cut_out_of_places(places, address, size):
    def octets(places):
        return {at for first, length in places for at in range(first, first + length)}

    left = without(places, address, size)
    assert octets(left) == octets(places) - set(range(address, address + size))
    assert all(length > 0 for _, length in left)
