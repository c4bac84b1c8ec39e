"""The C driver of the ring where something is wrong: faults, resume, skip, failing registers."""

import pytest

from golden.memory import Command, Fault, Operation
from golden.memory.descriptor import BYTES
from golden.memory.jobs import JobKind
from hw.registers.codes import Refusal, RingEvent
from sim_tests.host.c_driver import Host, Result
from sim_tests.host.register_stand_in import Refusing
from sim_tests.host.ring_c.c_ring import CRing
from sim_tests.host.ring_c.ring_device import BASE, SIZE, RingDevice
from sim_tests.host.ring_c.test_c_ring import END, opened

WORD = BASE + 0x9004
HOLE, BROKEN = BASE + SIZE, BASE + 0xA000


def job(**values: int) -> Command:
    """A conversion of one block, or what is wrong with it."""
    return Command(**{"kind": JobKind.CONVERT, "n": 1, "k": 16, "count_0": 1, "count_1": 1,
                      "a": BASE + 0x9000, "c": BASE + 0xC000} | values)


def packed_by_hand(byte: int, value: int) -> bytes:
    """A descriptor as no driver writes it."""
    descriptor = bytearray(END.pack())
    descriptor[byte] = value
    return bytes(descriptor)


FAULTS = [
    (job(count_1=0), Fault.NO_COUNT), (job(a=BASE + 2), Fault.UNALIGNED),
    (job(a=1 << 40), Fault.OUTSIDE), (job(kind=7), Fault.REFUSED),
    (job(n=9, c_stride=64, k=128), Fault.OVERLONG), (job(a=BROKEN), Fault.READ_SLVERR),
    (job(a=HOLE), Fault.READ_DECERR), (job(c=BROKEN), Fault.WRITE_SLVERR),
    (job(c=HOLE), Fault.WRITE_DECERR),
]


@pytest.mark.parametrize(("command", "fault"), FAULTS, ids=[fault.name for _, fault in FAULTS])
def test_a_fault_stops_the_ring_at_its_command(host, command, fault):
    driver, device = opened(host, lag=1, rest=2)
    device.memory.broken.append((BROKEN, 64))
    assert driver.submit(END, command, END) == (Result.OK, 0)
    assert driver.call("wait", 3, 5) == Result.STOPPED
    assert driver.call("wait", 1, 1) == Result.OK, "that one had ended"
    result, status = driver.status()
    assert result == Result.OK
    assert (status["fault"], status["ended"]) == (fault, 1)
    refusal = Refusal.UNKNOWN_KIND if fault is Fault.REFUSED else Refusal.NONE
    assert status["refusal"] is refusal
    assert driver.fetch("take_events") == (Result.OK, RingEvent.STOPPED)
    assert driver.call("skip", 3) == Result.OK
    assert driver.call("wait", 3, 3) == Result.OK
    assert driver.status()[1]["fault"] is Fault.NONE


@pytest.mark.parametrize(("byte", "value", "fault"), [
    (0, 9, Fault.UNKNOWN_VERSION), (1, 0, Fault.UNKNOWN_OPERATION), (191, 1, Fault.RESERVED)])
def test_descriptors_that_no_driver_writes_stop_it_too(host, byte, value, fault):
    driver, device = opened(host, lag=2)
    driver.submit(END, END)
    device.memory.write(BASE + BYTES, packed_by_hand(byte, value))
    assert driver.call("wait", 2, 5) == Result.STOPPED
    assert driver.status()[1]["fault"] is fault


@pytest.mark.parametrize("fault", [Fault.OVERRUN, Fault.TIMEOUT])
def test_faults_of_the_ring_itself_are_told(host, fault):
    driver, device = opened(host, lag=3, rest=3)
    driver.submit(END)
    if fault is Fault.OVERRUN:
        device.values["RING_TAIL"] = 5  # as another host would
    else:
        device.ring.fault, device._restless = fault, 1 << 30  # the bus stays silent
    assert driver.call("wait", 5, 9) == Result.STOPPED
    status = driver.status()[1]
    assert (status["fault"], status["is_silent"]) == (fault, fault is Fault.TIMEOUT)
    if fault is Fault.TIMEOUT:
        device.events = []
        for call in ("resume", "skip", "disable"):
            assert driver.call(call, 4) == Result.TIMED_OUT
        assert "RING_CONTROL" not in device.events, "said to a machine that does not listen"


def test_a_mended_command_is_tried_again(host):
    driver, device = opened(host, lag=1, rest=8)
    device.memory.broken.append((BROKEN, 64))
    driver.submit(job(a=BASE + 0xD000, c=BROKEN), END)  # canaries for numbers
    assert driver.call("wait", 2, 3) == Result.STOPPED
    for mended, result in ((False, Result.STOPPED), (True, Result.OK)):
        if mended:
            device.memory.broken.clear()
        assert driver.call("resume", 2) == Result.TIMED_OUT, "it has not come to rest"
        assert driver.call("resume", 9) == Result.OK
        assert driver.call("wait", 2, 5) == result
    written = device.memory.read(BROKEN, 12 + 4 + 16)
    assert any(written) and driver.fetch("ended") == (Result.OK, 2)


def test_a_ring_without_a_fault_neither_resumes_nor_skips(host):
    driver, device = opened(host)
    device.memory.write(WORD, (5).to_bytes(4, "little"))
    driver.submit(Command(operation=Operation.WAIT, a=WORD, sequence=6), END)
    for call in ("resume", "skip"):
        assert driver.call(call, 3) == Result.NOT_STOPPED
    assert driver.fetch("ended") == (Result.OK, 0)
    driver.call("disable", 1)
    assert driver.call("skip", 3) == Result.NOT_STOPPED
    assert "RING_CONTROL" not in device.events


def test_a_command_that_goes_on_does_not_stop_the_ring(host):
    driver, _ = opened(host)
    assert driver.submit(job(a=HOLE, goes_on=1), END) == (Result.OK, 0)
    assert driver.call("wait", 2, 1) == Result.OK


def test_a_faulty_command_is_dropped_with_its_list(host):
    driver, device = opened(host)
    driver.submit(END, job(kind=7), END)
    assert driver.call("wait", 3, 1) == Result.STOPPED
    assert driver.call("disable", 1) == Result.OK
    assert driver.set_up(2) == (Result.OK, 1)
    assert driver.call("enable") == Result.OK
    assert driver.submit(END) == (Result.OK, 1)
    assert driver.call("wait", 2, 1) == Result.OK
    assert device.ring.fault is Fault.NONE


class RefusingDevice(Refusing, RingDevice):
    """One access to its registers is refused."""


def stopped(driver: CRing) -> None:
    """Bring the ring to a halt."""
    driver.submit(job(kind=7))


def nothing(driver: CRing) -> None:
    """Leave the ring as it is."""


@pytest.mark.parametrize(("accesses", "prepare", "call"), [
    (30, nothing, lambda driver: driver.call("open")),
    (11, lambda driver: driver.call("disable", 1), lambda driver: driver.set_up()[0]),
    (7, lambda driver: driver.call("disable", 1), lambda driver: driver.window(0, 1 << 40)),
    (1, nothing, lambda driver: driver.call("lock_window")),
    (1, nothing, lambda driver: driver.call("enable")),
    (2, nothing, lambda driver: driver.call("disable", 1)),
    (1, nothing, lambda driver: driver.fetch("room")[0]),
    (2, nothing, lambda driver: driver.submit(END)[0]),
    (1, nothing, lambda driver: driver.fetch("ended")[0]),
    (4, nothing, lambda driver: driver.call("wait", 1, 2)),
    (1, nothing, lambda driver: driver.call("enable_events", 1)),
    (2, nothing, lambda driver: driver.fetch("take_events")[0]),
    (3, stopped, lambda driver: driver.status()[0]),
    (3, stopped, lambda driver: driver.call("resume", 1)),
    (3, stopped, lambda driver: driver.call("skip", 1)),
    (8, nothing, lambda driver: driver.bus_counters()[0]),
])
def test_a_bus_error_ends_every_call(host: Host, accesses, prepare, call):
    for left in range(accesses + 1):
        device = RefusingDevice()
        driver = CRing(device, host)
        assert driver.call("open") == driver.set_up()[0] == driver.call("enable") == Result.OK
        prepare(driver)
        device.left = left
        result = call(driver)
        if left == accesses:
            assert result != Result.BUS_ERROR and device.left == 0, "another number of accesses"
        else:
            assert result == Result.BUS_ERROR, f"access {left} failed unseen"
            assert device.left == -1, f"went on after access {left} had failed"


def test_a_doorbell_that_was_refused_can_be_rung_again(host):
    device = RefusingDevice()
    driver = CRing(device, host)
    assert driver.call("open") == driver.set_up()[0] == driver.call("enable") == Result.OK
    device.memory.write(END.a, bytes(4))
    device.left = 1
    assert driver.submit(END)[0] == Result.BUS_ERROR
    assert driver.submit(END, END) == (Result.OK, 0)
    assert driver.call("wait", 2, 1) == Result.OK


def test_every_result_and_fault_has_a_text(host):
    driver, _ = opened(host)

    def text(kind: str, code: int) -> str:
        return bytes(driver._call(f"{kind}_text", code)[1]).decode()

    assert len({text("result", code) for code in Result}) == len(Result)
    assert [text("fault", fault) for fault in Fault] == [fault.doc for fault in Fault]
    assert text("fault", len(Fault)) == "only a newer driver can name this fault"
