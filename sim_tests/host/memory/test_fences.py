"""Waits of a list, beside the bytes that every command reads and writes, one by one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.memory.jobs import JobKind
from golden.memory.layouts import iterations, longest_packet, tile_lines
from hw.host.memory import Biases, Order
from hw.host.memory.fences import overwritten
from hw.host.memory.regions import Region
from sim_tests.host.memory.benches import connect, normal
from sim_tests.host.memory.golden_device import SMALL

WAITS = ("wait_a", "wait_b", "wait_side")


def span(address, size):
    return set(range(address, address + size))


def rows(address, stride, count, size):
    return set().union(*(span(address + row * stride, size) for row in range(count)))


def tiles(address, stride, lines, k):
    """Return the bytes of packed tiles of four lines: all that may be looked at."""
    return set().union(*(span(address + number * stride, min(stride, longest_packet(here, k, 32)))
                         for number, here in tile_lines(lines, 4)))


def bytes_of(command):
    """Return the bytes that a job reads for each wait, and those that it writes."""
    found = {name: set() for name in (*WAITS, "c")}
    m, n, k = command.m, command.n, command.k
    for at in iterations(command):
        if command.kind == JobKind.GEMM_PACKED.value:
            found["wait_a"] |= tiles(at.a, command.a_stride, m, k)
        else:
            straight = {JobKind.GEMM.value: (m, k), JobKind.CONVERT.value: (n, k)}
            count, length = straight.get(command.kind, (k, n))
            found["wait_a"] |= rows(at.a, command.a_stride, count, 4 * length)
        if command.converts:
            found["c"] |= tiles(at.c, command.c_stride, n, k)
            continue
        found["wait_b"] |= tiles(at.b, command.b_stride, n, k)
        if command.flags & 1:
            found["wait_side"] |= span(at.bias, 4 * n)
        found["c"] |= (tiles(at.c, command.c_stride, m, n) if command.is_packed
                       else rows(at.c, command.c_stride, m, 4 * n))
    if command.loads_order:
        found["wait_side"] |= span(command.order, 2 * k)
    if command.loads_tags:
        found["wait_side"] |= span(command.tags, 1)
    return found


def expected_waits(commands):
    """Return the waits that a list must have: the distance to the last writer of what is read."""
    written, waits = [], []
    for number, command in enumerate(commands):
        found = bytes_of(command)
        writers = {name: [other for other, c in enumerate(written) if c & found[name]]
                   for name in WAITS}
        waits.append({name: min(255, number - last[-1]) if last else 0
                      for name, last in writers.items()})
        written.append(found["c"])
    return waits


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_waits_are_the_distances_to_the_last_writers(data):
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    matrix = memory.place(normal(2, 8, 32))
    parts = [matrix, matrix[0], matrix[1], *(matrix[0].columns(at, at + 8) for at in (0, 8, 24)),
             matrix[1].rows(0, 4), matrix.split_columns(4)[1], matrix[0].split_columns(4)]
    packed = [memory.place_activations(normal(8, 8)), memory.empty((8, 8), "mx6")]
    weights = [memory.place_weights(normal(8, 8)), memory.empty_weights((8, 8)),
               memory.empty_weights((4, 8, 8)), memory.empty_weights((32, 8))]
    order, tags = memory.place_order(range(8)), memory.place_tags([True])
    bias = memory.place_bias(normal(8))
    for _ in range(data.draw(st.integers(2, 12))):
        a = data.draw(st.sampled_from([*parts, *packed]))
        b = data.draw(st.sampled_from(weights))
        c = data.draw(st.sampled_from([*parts, packed[1]]))
        options = {"bias": bias} if data.draw(st.booleans()) else {}
        if a not in packed and data.draw(st.booleans()):
            options |= {"order": order, "tags": tags}
        try:
            if data.draw(st.booleans()):
                commands.gemm(a, b, c, **options)
            else:
                commands.convert(a, b)
        except (TypeError, ValueError):
            continue
    assert [{name: getattr(each, name) for name in WAITS} for each in commands] == (
        expected_waits(list(commands)))


def test_side_operands_wait_for_what_writes_them():
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    x, w = memory.place(normal(4, 16)), memory.place_weights(normal(16, 16))
    made = memory.empty((4, 16))
    bias = Biases(store=memory, block=made.block, address=made.rows(2, 3).address, shape=(16,))
    commands.gemm(x, w, memory.empty((4, 16)))
    commands.gemm(x, w, made)
    commands.gemm(x, w, memory.empty((4, 16)), bias=bias)
    commands.gemm(x.rows(0, 2), w, made.rows(0, 2))  # the bias lies below
    commands.gemm(x, w, memory.empty((4, 16)), bias=bias)
    order = Order(store=memory, block=made.block, address=made.address, shape=(16,))
    commands.gemm(x, w, memory.empty((4, 16)), bias=bias, order=order)
    assert [each.wait_side for each in commands] == [0, 0, 1, 0, 3, 2]


@pytest.mark.parametrize("between", [0, 254, 255, 300])
def test_what_is_too_far_back_for_the_field_waits_for_the_farthest(between):
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    x, w = memory.place(normal(1, 16)), memory.place_weights(normal(16, 16))
    made, other = memory.empty((1, 16)), memory.empty((1, 16))
    commands.gemm(x, w, made)
    for _ in range(between):
        commands.gemm(x, w, other)
    commands.gemm(made, w, other)
    *before, last = commands
    assert last.wait_a == min(255, between + 1)
    assert not any(each.wait_a or each.wait_b or each.wait_side for each in before)


@settings(max_examples=300, deadline=None)
@given(*[st.tuples(st.integers(0, 60), st.integers(1, 9), st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 20)), max_size=3)) for _ in range(2)])
def test_regions_touch_where_they_share_a_byte(one, other):
    regions, sets = [], []
    for address, size, walks in (one, other):
        regions.append(Region(address, size, tuple(walks)))
        starts = [address]
        for count, step in walks:
            starts = [start + at * step for start in starts for at in range(count)]
        sets.append(set().union(*(span(start, size) for start in starts)))
        assert regions[-1].end == max(sets[-1]) + 1
    assert regions[0].touches(regions[1]) == bool(sets[0] & sets[1])


def test_addresses_may_be_beyond_what_an_integer_of_numpy_holds():
    high = (1 << 64) - 4096
    assert Region(high, 8, ((4, 16),)).touches(Region(high + 36, 1))
    assert not Region(high, 8, ((4, 16),)).touches(Region(high + 40, 8))
    assert not Region(0, 8).touches(Region(high, 8))


def listed(*steps):
    """Build a list of commands, each from one place to another: rows of one matrix."""
    host, _ = connect()
    memory, commands = host.memory, host.commands()
    matrix, w = memory.place(normal(8, 16)), memory.place_weights(normal(16, 16))
    for source, target in steps:
        commands.gemm(matrix.rows(source, source + 1), w, matrix.rows(target, target + 1))
    return commands.entries


@pytest.mark.parametrize("steps, first, fault, found", [
    ([(0, 1), (2, 0)], 0, 0, (0, 1)),  # what the first reads, the second has overwritten
    ([(0, 1), (2, 0)], 1, 0, None),  # it is left out
    ([(0, 1), (1, 0)], 0, 0, None),  # the second waits for the first, and had not begun
    ([(0, 1), (1, 2), (3, 0)], 0, 0, None),  # behind one that had not begun
    ([(0, 1), (1, 2), (3, 0)], 1, 1, None),  # what is overwritten is not read again
    ([(0, 1), (2, 3), (4, 2)], 1, 0, (1, 2)),  # the third has overwritten what the second reads
    ([(0, 1), *[(2, 3)] * 3, (4, 0)], 0, 0, (0, 4)),
    ([(0, 1), *[(2, 3)] * 4, (4, 0)], 0, 0, None),  # five behind: it had not begun
    ([(0, 1), (2, 1)], 0, 0, None),  # written twice is written in order
])
def test_what_cannot_be_tried_again_is_found(steps, first, fault, found):
    assert overwritten(listed(*steps), first, fault) == found


def test_the_machine_under_test_has_tiles_of_four():
    assert (SMALL.rows, SMALL.cols, SMALL.act_bytes, SMALL.weight_bytes) == (4, 4, 32, 32)
