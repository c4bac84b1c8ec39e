"""The C driver of the ring: setting up, lists, counts that wrap, a ring that is full, the cache."""

import numpy as np
import pytest

import golden
from golden import MX6, quantize
from golden.memory import Command, Fault, Operation
from golden.memory.descriptor import BYTES
from golden.memory.jobs import JobKind, Selection
from golden.packing import weight_stream
from hw.contract.config import Config
from hw.registers.codes import Refusal, RingEvent
from hw.registers.map import VERSION
from hw.registers.ring_map import BUS_COUNTERS
from sim_tests.host.c_driver import Host, Result
from sim_tests.host.ring_c.c_ring import NOTHING, CRing, halves
from sim_tests.host.ring_c.ring_device import BASE, CONFIG, SIZE, RingDevice

PAST = BASE - 4096
"""Where no memory is."""

NOTIFY = BASE + 0x8000

END = Command(operation=Operation.WAIT, a=BASE + 0x9000)
"""Ends as soon as the word there is 0."""


def opened(host: Host, *, size_log2: int = 2, completed: int = 0, enable: bool = True,
           **options) -> tuple[CRing, RingDevice]:
    """Open a ring, whose counts may have come far; words behind it are 0."""
    device = RingDevice(**options)
    device.ring.completed = device.values["RING_COMPLETED"] = completed
    device.memory.write(BASE + 0x8000, bytes(0x2000))
    driver = CRing(device, host)
    assert driver.call("open") == Result.OK
    assert driver.set_up(size_log2, notify=NOTIFY) == (Result.OK, completed)
    if enable:
        assert driver.call("enable") == Result.OK
    return driver, device


@pytest.mark.parametrize(("name", "value", "result"), [
    ("ID", 0, Result.NO_MACHINE), ("VERSION", VERSION + (1 << 16), Result.OTHER_VERSION),
    ("VERSION", VERSION + 1, Result.OK), ("BUS_BYTES", 0, Result.NO_RING),
    ("BUS_BYTES", 64, Result.OK),
])
def test_only_a_machine_with_a_ring_is_opened(host, name, value, result):
    device = RingDevice()
    device.values[name] = value
    assert CRing(device, host).call("open") == result


def test_a_ring_is_set_up_with_all_that_was_asked_for(host):
    driver, device = opened(host, enable=False)
    assert driver.set_up(5, offset=192, notify=BASE + 4, timeout=1234, attributes=0x7F7F) == (
        Result.OK, 0)
    assert device.address("RING_BASE") == BASE + 192
    assert device.address("NOTIFY_ADDRESS") == BASE + 4
    assert [device.values[name] for name in ("RING_SIZE_LOG2", "BUS_TIMEOUT", "BUS_ATTRIBUTES")
            ] == [5, 1234, 0x7F7F]


@pytest.mark.parametrize("wrong", [
    {"address": BASE + 32}, {"address": BASE + 1}, {"size_log2": 32}, {"notify": BASE + 2},
    {"attributes": 0x8000}, {"attributes": 0x80}, {"offset": NOTHING, "address": BASE},
    {"address": 1 << 40}, {"address": (1 << 40) - 64}, {"address": (1 << 64) - 64},
    {"notify": 1 << 40},
], ids=str)
def test_a_ring_that_the_machine_cannot_have_is_refused(host, wrong):
    driver, device = opened(host, enable=False)
    before, device.events = dict(device.values), []
    assert driver.set_up(**wrong)[0] == Result.BAD_RING
    assert (device.values, device.events) == (before, [])


def test_nothing_runs_on_a_ring_that_was_not_set_up(host):
    driver = CRing(RingDevice(), host)
    assert driver.call("open") == Result.OK
    assert driver.call("enable") == Result.BAD_RING
    assert driver.submit(END) == (Result.BAD_RING, NOTHING)
    assert driver.fetch("room")[0] == Result.BAD_RING


def test_a_ring_that_is_on_or_not_quiet_is_not_set_up(host):
    driver, device = opened(host, rest=5)
    page = 1 << 12
    assert driver.set_up()[0] == driver.window(0, page) == Result.BUSY
    assert driver.call("disable", 1) == Result.TIMED_OUT
    assert driver.set_up()[0] == driver.window(0, page) == Result.BUSY
    assert driver.call("disable", 2) == Result.OK
    assert device.events[-1] == "barrier", "memory is read before it is the host's"
    assert driver.window(0, page) == Result.OK
    assert driver.set_up()[0] == Result.OK


def test_one_of_these_lists_multiplies(host):
    """A whole way: packed by golden, run by golden, carried by C; every byte of the result."""
    driver, device = opened(host, lag=5)
    rng = np.random.default_rng(3)
    a = rng.standard_normal((6, 40)).astype(np.float32)
    w = quantize(rng.standard_normal((40, 5)).astype(np.float32), MX6, axis=0)
    at, b, c = 0x10000, 0x20000, 0x30000
    driver.poke(at, a.tobytes())
    packets = weight_stream(w, CONFIG.cols, CONFIG.weight_bytes)
    stride = -(-max(map(len, packets)) // 64) * 64
    for number, packet in enumerate(packets):
        driver.poke(b + number * stride, packet)
    for place, size in ((at, 6 * 160), (b, 2 * stride)):
        driver.call("give", place, size)
    job = Command(kind=JobKind.GEMM, m=6, n=5, k=40, tiles=2, selection=Selection.HEAD, units=1,
                  count_0=1, count_1=1, a=BASE + at, a_stride=160, b=BASE + b, b_stride=stride,
                  c=BASE + c, c_stride=20, notify=1)
    assert driver.submit(job, END, job) == (Result.OK, 0)
    assert driver.call("wait", 3, 2) == Result.TIMED_OUT
    assert driver.fetch("ended") == (Result.OK, 3)
    assert driver.call("wait", 3, 1) == driver.call("wait", 2, 1) == Result.OK
    assert driver.peek(c, 120) == bytes(120), "seen before it was taken"
    for _ in range(2):
        driver.call("take", c, 120)
        assert device.events[-2:] == ["barrier", "invalidate"]
    expected = golden.gemm(golden.apply_policy(a, golden.Policy(fraction=1)), w, k_max=256)
    assert driver.peek(c, 120) == expected.tobytes()
    driver.call("take", NOTIFY - BASE, 4)
    assert driver.peek(NOTIFY - BASE, 4) == bytes([3, 0, 0, 0])


@pytest.mark.parametrize("completed", [0, 3, (1 << 32) - 2, (1 << 31) - 1])
def test_the_ring_goes_round_and_its_counts_wrap(host, completed):
    driver, device = opened(host, completed=completed, lag=3)
    count = completed
    for length in (4, 1, 3, 2, 4, 4, 0, 1):
        before, device.events = device.data.copy(), []
        commands = [Command(operation=Operation.WAIT, a=BASE + 0x8000 + 4 * number)
                    for number in range(length)]
        first = count
        assert driver.submit(*commands) == (Result.OK, first)
        count = (count + length) % (1 << 32)
        for number, command in enumerate(commands):
            at = (first + number) % 4 * BYTES
            before[at : at + BYTES] = np.frombuffer(command.pack(), np.uint8)
        assert np.array_equal(device.data, before), "another place than the descriptors'"
        rings = [event for event in device.events if event == "RING_TAIL"]
        assert len(rings) == bool(length)
        assert driver.call("wait", count, 3) == Result.OK
        assert device.ring.completed == count, "it did not wait"
        assert driver.fetch("ended") == (Result.OK, count)
        assert driver.fetch("room") == (Result.OK, 4)


def test_a_list_is_taken_whole_or_not_at_all(host):
    driver, device = opened(host, lag=1 << 30)
    assert driver.submit(*[END] * 5) == (Result.FULL, NOTHING)
    assert driver.submit(END, END, END) == (Result.OK, 0)
    assert driver.fetch("room") == (Result.OK, 1)
    before, device.events = device.data.copy(), []
    assert driver.submit(END, END) == (Result.FULL, NOTHING)
    assert driver.submit({"operation": 1, "k": 1 << 16})[0] == Result.BAD_COMMAND
    assert device.events == ["barrier"] * 2 and np.array_equal(device.data, before)
    assert driver.submit(END) == (Result.OK, 3)
    assert driver.submit(END) == (Result.FULL, NOTHING)
    assert driver.fetch("room") == (Result.OK, 0)
    assert driver.call("wait", 1, 3) == Result.TIMED_OUT
    device.values["RING_COMPLETED"] = 2
    device.ring.completed = 2
    assert driver.fetch("room") == (Result.OK, 2)
    device.ring.completed = 5
    assert driver.fetch("room") == (Result.OK, 0), "counts of a machine that was reset"


def test_one_bad_command_keeps_the_whole_list_back(host):
    driver, device = opened(host)
    assert driver.submit(END, {"operation": 2, "m": 1}, END)[0] == Result.BAD_COMMAND
    assert driver.submit({"operation": 0})[0] == Result.BAD_COMMAND
    assert "RING_TAIL" not in device.events[device.events.index("RING_ENABLE"):]
    assert driver.submit(END) == (Result.OK, 0)
    assert driver.fetch("ended") == (Result.OK, 1)


def test_a_wait_holds_a_list_until_its_word_comes(host):
    driver, device = opened(host)
    device.memory.write(NOTIFY + 4, (9).to_bytes(4, "little"))
    driver.submit(Command(operation=Operation.WAIT, a=NOTIFY + 4, sequence=10, interrupt=1))
    assert driver.call("wait", 1, 5) == Result.TIMED_OUT
    assert driver.status()[1]["waits"] == 1
    driver.poke(NOTIFY + 4 - BASE, (10).to_bytes(4, "little"))
    assert driver.call("wait", 1, 5) == Result.TIMED_OUT, "the machine cannot have seen it yet"
    driver.call("give", NOTIFY + 4 - BASE, 4)
    assert driver.call("wait", 1, 5) == Result.OK
    assert driver.status()[1]["waits"] == 0


def test_events_are_taken_once_and_only_those_that_were_seen(host):
    driver, device = opened(host)
    assert driver.call("enable_events", RingEvent.MARKED) == Result.OK
    marked = Command(operation=Operation.WAIT, a=END.a, interrupt=1)
    driver.submit(END)
    assert not device.irq
    driver.submit(marked, END)
    assert device.irq
    read = device.read

    def read_and_fault(address: int) -> int:
        value = read(address)
        device.values["RING_IRQ_PENDING"] |= RingEvent.STOPPED
        return value

    driver._read = read_and_fault
    assert driver.fetch("take_events") == (Result.OK, RingEvent.MARKED)
    driver._read = read
    assert not device.irq
    assert driver.fetch("take_events") == (Result.OK, RingEvent.STOPPED)
    assert driver.fetch("take_events") == (Result.OK, 0)


def test_commands_that_had_not_ended_begin_anew_or_are_forgotten(host):
    driver, device = opened(host, lag=2)
    driver.submit(END, END)
    assert driver.call("disable", 2) == Result.OK
    assert driver.fetch("ended") == (Result.OK, 0)
    assert driver.call("enable") == Result.OK
    assert driver.call("wait", 2, 4) == Result.OK
    driver.submit(END, END, END)
    driver.call("disable", 2)
    assert driver.set_up(3, offset=0x4000) == (Result.OK, 2)
    assert driver.call("enable") == Result.OK
    assert driver.call("wait", 3, 9) == Result.TIMED_OUT, "a command of the old ring ran"
    assert driver.submit(END) == (Result.OK, 2)
    assert driver.call("wait", 3, 9) == Result.OK
    assert device.ring.fault is Fault.NONE


def test_the_window_is_set_in_whole_pages_and_locked(host):
    driver, device = opened(host, enable=False)
    first, end = BASE, BASE + SIZE
    for wrong in ((first + 64, end), (first, end + 1), (end, first), (first, first)):
        assert driver.window(*wrong) == Result.BAD_WINDOW
    assert driver.window(first, end) == Result.OK
    assert (device.address("WINDOW_BASE"), device.address("WINDOW_END")) == (first, end)
    assert driver.call("lock_window") == Result.OK
    assert driver.status()[1]["is_locked"] == 1
    assert driver.window(0, end) == Result.LOCKED
    assert driver.call("enable") == Result.OK
    driver.submit(Command(operation=Operation.WAIT, a=PAST))
    assert driver.call("wait", 1, 1) == Result.STOPPED
    assert driver.status()[1]["fault"] is Fault.OUTSIDE


def test_the_bus_is_counted(host):
    driver, device = opened(host)
    counts = {name: 0xF0000001 + number for number, (name, _) in enumerate(BUS_COUNTERS)}
    device.values |= counts
    assert driver.bus_counters() == (
        Result.OK, {name.lower(): count for name, count in counts.items()})


def test_refusals_say_why_and_only_they_do(host):
    driver, device = opened(host)
    device.values["REFUSAL"] = Refusal.DRAINING
    assert driver.status()[1]["refusal"] is Refusal.NONE
    driver.submit(Command(count_0=1, count_1=1, kind=JobKind.CONVERT, n=1, k=300))
    _, status = driver.status()
    assert (status["fault"], status["refusal"]) == (Fault.REFUSED, Refusal.K_TOO_LARGE)


def test_a_bus_of_every_width_has_its_addresses(host):
    for bits in (32, 40, 64):
        device = RingDevice(Config.sized(rows=4, cols=4, k_max=256, bus_bytes=16,
                                         address_bits=bits))
        driver = CRing(device, host)
        assert driver.call("open") == Result.OK
        last = (1 << bits) - 3 * 64
        words = (0, *halves(last), 0, *halves(last), 0, 0)
        assert driver.fetch("set_up", *words)[0] == Result.OK
        words = (0, *halves(last), 1, *halves(last), 0, 0)
        assert driver.fetch("set_up", *words)[0] == Result.BAD_RING
