"""Lists of commands: every byte of memory after them, and what a fault leaves."""

from dataclasses import replace

import numpy as np
import pytest

import golden
from golden import MX6, MX9, Policy, quantize
from golden.memory import Command, Fault, Machine, Memory, Operation, Ring
from golden.memory.descriptor import BYTES, JobFlag
from golden.memory.jobs import JobKind, Output, Selection
from golden.packing import activation_tiles, weight_stream

MACHINE = Machine(rows=4, cols=4, act_bytes=32, weight_bytes=16, act_depth=48, k_max=256)
BASE, SIZE, RING = 0x1_0000_0000, 1 << 18, 8


class Bench:
    """A ring at the beginning of a memory, and places behind it."""

    def __init__(self, machine=MACHINE, **options):
        self.memory = Memory()
        self.data = self.memory.add(BASE, SIZE)
        self.ring = Ring(machine, self.memory, BASE, RING, **options)
        self.free = BASE + RING * BYTES
        self.rng = np.random.default_rng(7)

    def room(self, size):
        """Return the address of so many bytes, with some behind them that nobody owns."""
        at, self.free = self.free, -(-(self.free + size + 64) // 64) * 64
        return at

    def place(self, data):
        at = self.room(len(data))
        self.memory.write(at, data)
        return at

    def place_tiles(self, packets):
        """Place packed tiles at a stride; return address and stride."""
        stride = -(-max(map(len, packets)) // 64) * 64
        at = self.room(stride * len(packets))
        for number, packet in enumerate(packets):
            self.memory.write(at + number * stride, packet)
        return at, stride

    def matrix(self, *shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def after(self, writes):
        """Return what memory holds when some bytes are written into what it holds now."""
        expected = self.data.copy()
        for address, data in writes:
            expected[address - BASE : address - BASE + len(data)] = np.frombuffer(data, np.uint8)
        return expected

    def run(self, *commands, writes):
        """Run commands; compare all of memory, but for the descriptors' own places."""
        expected = self.after(writes)
        self.ring.submit(list(commands))
        assert np.array_equal(self.data[RING * BYTES:], expected[RING * BYTES:])


def job(kind, **values):
    return Command(kind=kind, **{"count_0": 1, "count_1": 1, "tiles": 1} | values)


def rows_of(array):
    return [row.tobytes() for row in array]


def at_strides(address, stride, parts):
    return [(address + number * stride, part) for number, part in enumerate(parts)]


@pytest.mark.parametrize("output", [Output.FP32, Output.FP16, Output.BF16])
@pytest.mark.parametrize("bias", [False, True])
def test_a_gemm_of_numbers_writes_rows(output, bias):
    bench = Bench()
    m, n, k, a_stride, c_stride = 9, 6, 50, 50 * 4 + 12, 6 * 4 + 8
    a, w = bench.matrix(m, k), quantize(bench.matrix(k, n), MX9, axis=0)
    biases = bench.matrix(n)
    at = bench.room(m * a_stride)
    for row in range(m):
        bench.memory.write(at + row * a_stride, a[row].tobytes())
    b, b_stride = bench.place_tiles(weight_stream(w, 4, 16))
    c, side = bench.room(m * c_stride), bench.place(biases.tobytes())
    expected = golden.gemm(
        golden.apply_policy(a, Policy(fraction=0.25, scope="tile", tile_rows=4)), w, k_max=256,
        bias=biases if bias else None, output=output.name)
    bench.run(job(JobKind.GEMM, m=m, n=n, k=k, output=output, units=1, a=at, b=b, c=c, bias=side,
                  flags=JobFlag.BIAS * bias, a_stride=a_stride, b_stride=b_stride,
                  c_stride=c_stride, interrupt=1),
              writes=at_strides(c, c_stride, rows_of(expected)))
    assert (bench.ring.completed, bench.ring.interrupts, bench.ring.fault) == (1, 1, Fault.NONE)


@pytest.mark.parametrize("output", [Output.MX6, Output.MX9])
def test_packed_results_are_the_next_jobs_activations(output):
    bench = Bench()
    m, n, k = 6, 40, 33
    a = quantize(bench.matrix(m, k), MX9)
    first, second = (quantize(bench.matrix(*shape), MX6, axis=0) for shape in ((k, n), (n, 5)))
    at, a_stride = bench.place_tiles(activation_tiles(a, 4, 32))
    b, b_stride = bench.place_tiles(weight_stream(first, 4, 16))
    b2, b2_stride = bench.place_tiles(weight_stream(second, 4, 16))
    middle = quantize(golden.gemm(a, first, k_max=256), MX6 if output is Output.MX6 else MX9)
    packets = activation_tiles(middle, 4, 32)
    stride = -(-max(map(len, packets)) // 64) * 64
    c, c2 = bench.room(2 * stride), bench.room(m * 20)
    expected = golden.gemm(middle, second, k_max=256)
    bench.run(
        job(JobKind.GEMM_PACKED, m=m, n=n, k=k, output=output, a=at, b=b, c=c, a_stride=a_stride,
            b_stride=b_stride, c_stride=stride),
        job(JobKind.GEMM_PACKED, m=m, n=5, k=n, a=c, b=b2, c=c2, a_stride=stride,
            b_stride=b2_stride, c_stride=20, wait_a=1),
        writes=at_strides(c, stride, packets) + at_strides(c2, 20, rows_of(expected)))
    assert bench.ring.completed == 2


@pytest.mark.parametrize("transposed", [False, True])
def test_conversions_make_weights(transposed):
    bench = Bench()
    n, k = 7, 35
    x = bench.matrix(k, n) if transposed else bench.matrix(n, k)
    packets = weight_stream(golden.convert(
        x, Policy(fraction=1, selection="threshold", threshold=2.0, scope="tile", tile_rows=4),
        transposed=transposed), 4, 16)
    stride = -(-max(map(len, packets)) // 64) * 64
    at, c = bench.place(x.tobytes()), bench.room(stride * 2)
    kind = JobKind.CONVERT_TRANSPOSED if transposed else JobKind.CONVERT
    command = job(kind, n=n, k=k, selection=Selection.THRESHOLD, threshold=0x40000000, a=at, c=c,
                  a_stride=x.shape[1] * 4, c_stride=stride)
    bench.run(command, writes=at_strides(c, stride, packets))


def test_one_descriptor_is_all_heads_of_all_samples():
    bench = Bench()
    heads, samples, tokens, d = 3, 2, 5, 16
    q = bench.matrix(samples, tokens, heads, d)
    keys = bench.matrix(samples, heads, d, tokens)
    tiles = [[weight_stream(quantize(keys[s, h], MX6, axis=0), 4, 16) for h in range(heads)]
             for s in range(samples)]
    stride = 64 * -(-max(len(packet) for s in tiles for h in s for packet in h) // 64)
    at, b = bench.place(q.tobytes()), bench.room(stride * 2 * heads * samples)
    c = bench.room(samples * heads * tokens * tokens * 4)
    row, head, sample = tokens * 4, tokens * tokens * 4, heads * tokens * tokens * 4
    writes = []
    for s in range(samples):
        for h in range(heads):
            for number, packet in enumerate(tiles[s][h]):
                bench.memory.write(b + ((s * heads + h) * 2 + number) * stride, packet)
            scores = golden.gemm(quantize(q[s, :, h], MX6), quantize(keys[s, h], MX6, axis=0),
                                 k_max=256)
            writes += at_strides(c + s * sample + h * head, row, rows_of(scores))
    bench.run(job(JobKind.GEMM, m=tokens, n=tokens, k=d, a=at, b=b, c=c, a_stride=heads * d * 4,
                  b_stride=stride, c_stride=row, count_0=heads, count_1=samples, a_step_0=d * 4,
                  a_step_1=tokens * heads * d * 4, b_step_0=2 * stride,
                  b_step_1=2 * heads * stride, c_step_0=head, c_step_1=sample), writes=writes)


def test_tables_are_loaded_and_stay():
    bench = Bench()
    m, n, k = 5, 4, 40
    a, order = bench.matrix(m, k), bench.rng.permutation(k)
    tags = np.array([True, False, True])
    policy = Policy(fraction=1, selection="static", static_tags=tags, scope="tile", tile_rows=4,
                    order="calibrated", permutation=order)
    w = quantize(bench.matrix(k, n), MX6, axis=0)
    at, b = bench.place(a.tobytes()), bench.place_tiles(weight_stream(w, 4, 16))[0]
    order_at = bench.place(order.astype("<u2").tobytes())
    tags_at = bench.place(np.packbits(tags, bitorder="little").tobytes())
    c, c2 = bench.room(m * 16), bench.room(m * 16)
    expected = rows_of(golden.gemm(golden.apply_policy(a, policy), w, k_max=256))
    common = {"m": m, "n": n, "k": k, "a": at, "b": b, "a_stride": k * 4, "b_stride": 1024,
              "c_stride": 16, "flags": JobFlag.REORDER, "selection": Selection.STATIC, "table": 1}
    bench.run(job(JobKind.GEMM, c=c, loads_order=1, loads_tags=1, order=order_at, tags=tags_at,
                  **common), job(JobKind.GEMM, c=c2, **common),
              writes=at_strides(c, 16, expected) + at_strides(c2, 16, expected))


def small_job(bench, **changes):
    """Place the operands of a small job; return it and the bytes that it writes."""
    m, n, k = 3, 2, 16
    a, w = bench.matrix(m, k), quantize(bench.matrix(k, n), MX6, axis=0)
    at, (b, stride) = bench.place(a.tobytes()), bench.place_tiles(weight_stream(w, 4, 16))
    c = bench.room(m * 8)
    values = {"kind": JobKind.GEMM, "m": m, "n": n, "k": k, "a": at, "b": b, "c": c,
              "a_stride": k * 4, "b_stride": stride, "c_stride": 8} | changes
    return job(**values), at_strides(
        c, 8, rows_of(golden.gemm(quantize(a, MX6), w, k_max=256)))


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


@pytest.mark.parametrize("wrong, refusal", [
    ({3: 256}, "ORDER_INCOMPLETE"), ({3: 65535, 9: 256}, "ORDER_INCOMPLETE"),
    ({3: 256, 9: 8}, "ORDER_DOUBLE"), ({9: 8}, "ORDER_DOUBLE")])
def test_channels_that_the_machine_does_not_have_are_left_out_of_an_order(wrong, refusal):
    bench = Bench()
    order = np.arange(16)
    for place, channel in wrong.items():
        order[place] = channel
    at = bench.place(order.astype("<u2").tobytes())
    bench.ring.submit([small_job(bench, loads_order=1, order=at, flags=JobFlag.REORDER)[0]])
    assert (bench.ring.fault, bench.ring.refusal) == (Fault.REFUSED, refusal)


@pytest.mark.parametrize("what", ["order", "tags"])
def test_what_cannot_be_read_leaves_an_empty_table(what):
    """What it held before is gone, so that nobody takes it for what was asked for."""
    bench = Bench()
    order = bench.place(np.arange(16).astype("<u2").tobytes())
    tags = bench.place(b"\1")
    uses = {"flags": JobFlag.REORDER, "selection": Selection.STATIC}
    good, _ = small_job(bench, loads_order=1, order=order, loads_tags=1, tags=tags, **uses)
    bad, _ = small_job(bench, **{f"loads_{what}": 1, what: BASE + (1 << 30)}, **uses)
    after, _ = small_job(bench, **uses)
    bench.ring.submit([good, bad, after])
    assert (bench.ring.completed, bench.ring.fault) == (1, Fault.READ_DECERR)
    bench.ring.skip()
    assert (bench.ring.completed, bench.ring.refusal) == (
        2, {"order": "ORDER_INCOMPLETE", "tags": "TAGS_INCOMPLETE"}[what])


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


def test_one_tile_alone_needs_no_stride():
    bench = Bench()
    w = quantize(bench.matrix(20, 4), MX6, axis=0)
    a = quantize(bench.matrix(4, 20), MX9)
    at, _ = bench.place_tiles(activation_tiles(a, 4, 32))
    b, _ = bench.place_tiles(weight_stream(w, 4, 16))
    c = bench.room(64)
    bench.run(job(JobKind.GEMM_PACKED, m=4, n=4, k=20, a=at, b=b, c=c, c_stride=16),
              writes=at_strides(c, 16, rows_of(golden.gemm(a, w, k_max=256))))


@pytest.mark.parametrize("units", [0, 1])
def test_a_head_is_all_or_none(units):
    bench = Bench()
    m, n, k = 4, 3, 33
    a, w = bench.matrix(m, k), quantize(bench.matrix(k, n), MX6, axis=0)
    b, b_stride = bench.place_tiles(weight_stream(w, 4, 16))
    at, c = bench.place(a.tobytes()), bench.room(64)
    expected = golden.gemm(quantize(a, MX9 if units else MX6), w, k_max=256)
    bench.run(job(JobKind.GEMM, m=m, n=n, k=k, selection=Selection.HEAD, units=units, a=at, b=b,
                  c=c, a_stride=4 * k, b_stride=b_stride, c_stride=12),
              writes=at_strides(c, 12, rows_of(expected)))


@pytest.mark.parametrize("changes", [{"rounding": "truncate"}, {"acc_width": 24}, {"k_max": 4096}])
def test_what_is_computed_is_the_machines(changes):
    machine = replace(MACHINE, **changes)
    bench = Bench(machine)
    m, n, k = 4, 16, 100
    a = (bench.matrix(m, k) * 2.0 ** bench.rng.integers(-12, 12, k)).astype(np.float32)
    w = quantize(bench.matrix(k, n), MX9, axis=0)
    b, b_stride = bench.place_tiles(weight_stream(w, 4, 16))
    at, c = bench.place(a.tobytes()), bench.room(256)
    x = quantize(a, MX6, rounding=machine.rounding)
    results = golden.gemm(x, w, acc_width=machine.acc_width, k_max=machine.k_max)
    other = golden.gemm(quantize(a, MX6), w, k_max=256)
    assert not np.array_equal(results, other)  # it makes a difference
    bench.run(job(JobKind.GEMM, m=m, n=n, k=k, a=at, b=b, c=c, a_stride=4 * k, b_stride=b_stride,
                  c_stride=4 * n), writes=at_strides(c, 4 * n, rows_of(results)))
    packed = bench.room(256)
    packet, = activation_tiles(quantize(results, MX6, rounding=machine.rounding), 4, 32)
    bench.run(job(JobKind.GEMM, m=m, n=n, k=k, output=Output.MX6, a=at, b=b, c=packed,
                  a_stride=4 * k, b_stride=b_stride), writes=[(packed, packet)])


def test_the_window_ends_where_it_ends():
    for end, fault in ((0, Fault.NONE), (4, Fault.OUTSIDE)):
        bench = Bench()
        command, _ = small_job(bench)
        last = command.c + 2 * 8 + 8  # behind the last row
        bench.ring.window = (BASE, last - end)
        bench.ring.submit([command])
        assert bench.ring.fault is fault


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
