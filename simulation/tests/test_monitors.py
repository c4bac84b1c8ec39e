"""Broken rules come back as sentences: each is planted in ``verilog/faulty.v``."""

import pytest

from hw.host.carrier import ACTIVATIONS, RESULTS, WEIGHTS
from hw.host.driver_errors import BusError, MachineError, ProtocolError, WaitTimeoutError
from simulation.machine import REGISTERS

PACKETS = [bytes(range(1, 11)), b"\xff", bytes(range(100, 164))]


def test_an_echo_breaks_no_rule(faulty):
    faulty.stall(RESULTS, 0.6)
    faulty.stall(ACTIVATIONS, 0.3)
    faulty.stall(REGISTERS, 0.5)
    faulty.write(4, 1)
    faulty.send(ACTIVATIONS, PACKETS)
    faulty.send(WEIGHTS, PACKETS)
    packets = faulty.take_packets(3)
    assert [packet.marked for packet in packets] == PACKETS
    assert [packet.keeps for packet in packets] == [(15, 15, 3), (1,), (15,) * 16]
    counts = faulty.counts(RESULTS)
    assert (counts.beats, counts.packets) == (20, 3)
    assert counts.last_beat - 1 == packets[-1].last_cycle
    assert packets[0].first_cycle < packets[0].last_cycle < packets[1].first_cycle
    faulty.drain()
    assert faulty.counts(WEIGHTS).beats == 5 + 1 + 32


@pytest.mark.parametrize(("fault", "sentence"), [
    (1, "m_axis_out_tvalid fell before its beat was taken"),
    (2, "m_axis_out changed tdata before its beat was taken"),
    (3, "m_axis_out changed tdata tkeep before its beat was taken"),
    (4, "m_axis_out changed tlast before its beat was taken"),
    (5, "m_axis_out_tdata is not zero outside of tkeep"),
    (6, "m_axis_out_tkeep is not full before the packet's last beat"),
    (7, "m_axis_out_tkeep has a gap in a packet of several beats"),
])
def test_broken_stream_rules_are_told_with_their_cycle(faulty, fault, sentence):
    faulty.stall(RESULTS, 0.95)
    faulty.write(0, fault)
    faulty.send(ACTIVATIONS, PACKETS)
    before = faulty.cycles
    with pytest.raises(ProtocolError) as caught:
        faulty.take(99, 1000)
    assert before < faulty.cycles < before + 900, "a violation ends the wait"
    said = caught.value.violations[0]
    assert said.endswith(sentence)
    assert before <= int(said.partition(":")[0].removeprefix("cycle ")) < faulty.cycles


@pytest.mark.parametrize(("fault", "sentence"), [
    (8, "s_axil_bvalid answers what was not asked for"),
    (13, "s_axil_rvalid answers what was not asked for"),
    (9, "s_axil_rresp is EXOKAY, which AXI4-Lite has not"),
    (10, "s_axil_bvalid fell before it was taken"),
])
def test_broken_register_rules_are_told(faulty, fault, sentence):
    faulty.stall(REGISTERS, 0.8)
    with pytest.raises(ProtocolError, match=sentence):
        faulty.write(0, fault)
        faulty.advance(10)
        for _ in range(4):
            faulty.read(0)
            faulty.write(4, 0)


def test_what_is_offered_in_reset_is_told(faulty):
    faulty.write(0, 11)
    with pytest.raises(ProtocolError, match="m_axis_out_tvalid is high in reset"):
        faulty.reset()


def test_error_responses_are_raised_and_the_next_access_works(faulty):
    with pytest.raises(BusError, match=r"writing 0x008 was answered with SLVERR"):
        faulty.write(8, 1)
    with pytest.raises(BusError, match=r"reading 0x008 was answered with SLVERR"):
        faulty.read(8)
    faulty.write(0, 99)
    assert faulty.read(0) == 99


@pytest.mark.parametrize("access", ["read", "write"])
def test_a_register_that_never_answers_is_given_up(faulty, access):
    call = {"read": lambda: faulty.read(12), "write": lambda: faulty.write(12, 0)}[access]
    with pytest.raises(WaitTimeoutError, match=r"waits for s_axil_[br]valid; cycle \d+"):
        call()
    with pytest.raises(MachineError, match=r"an earlier register access still waits .* reset"):
        faulty.read(0)
    faulty.reset()
    assert faulty.read(0) == 0


def test_a_deaf_machine_is_given_up_with_what_waits_where(faulty):
    faulty.send(ACTIVATIONS, PACKETS[:1])
    faulty.take(1)
    faulty.write(0, 12)
    faulty.send(ACTIVATIONS, PACKETS)
    faulty.send(WEIGHTS, PACKETS[:2])
    with pytest.raises(WaitTimeoutError) as caught:
        faulty.take(2, 500)
    assert "0 of 2 packets of results came within 500 cycles" in str(caught.value)
    assert "s_axis_act: 3 packets to be sent, last beat in cycle " in str(caught.value)
    assert "s_axis_wgt: 2 packets to be sent, no beat" in str(caught.value)
    with pytest.raises(WaitTimeoutError, match="not quiet within 500 cycles"):
        faulty.drain(500)
    assert faulty.interrupt
    faulty.wait_for_interrupt(0)
    faulty.write(0, 0)
    assert faulty.take(3) == PACKETS, "a wait that was given up has lost nothing"
    with pytest.raises(WaitTimeoutError, match="no interrupt within 7 cycles"):
        faulty.wait_for_interrupt(7)


def test_a_beat_of_any_tkeep_is_sent_as_it_is(faulty):
    faulty.stall(ACTIVATIONS, 0.5)
    faulty.send(ACTIVATIONS, PACKETS[:1])
    faulty.send_beats(ACTIVATIONS, b"\1\0\3\0", [True, False, True, False])
    faulty.send(ACTIVATIONS, PACKETS[1:])
    packets = faulty.take_packets(4)
    assert [packet.keeps for packet in packets] == [(15, 15, 3), (5,), (1,), (15,) * 16]
    assert packets[1].marked == b"\1\3"
    with pytest.raises(ProtocolError, match="tkeep is not full before the packet's last beat"):
        faulty.send_beats(ACTIVATIONS, bytes(8), [True] * 3 + [False] * 5)
        faulty.take(1)


@pytest.mark.parametrize("fault", [14, 15, 16], ids=["falling", "latch", "sudden_reset"])
def test_what_does_not_wait_for_a_rising_edge_is_seen_when_the_clock_stops(faulty, fault):
    faulty.write(0, fault)
    faulty.advance(100)
    assert not faulty.interrupt
    for seed in range(4):
        faulty.stop_clock(3, seed)
        faulty.advance(1)
    assert faulty.interrupt


def test_what_is_not_offered_is_anything_when_the_sources_scramble(faulty):
    faulty.write(0, 17)
    faulty.send(WEIGHTS, PACKETS)
    faulty.advance(300)
    assert not faulty.interrupt
    faulty.scramble(seed=3)
    faulty.send(ACTIVATIONS, PACKETS)
    faulty.send(WEIGHTS, PACKETS)
    faulty.stall(ACTIVATIONS, 0.5)
    assert faulty.take(3) == PACKETS, "what is offered is as it was"
    faulty.advance(300)
    assert faulty.interrupt


def test_a_stopped_clock_changes_nothing_else(faulty):
    faulty.stall(RESULTS, 0.5)
    for stream in (ACTIVATIONS, WEIGHTS):
        faulty.send(stream, PACKETS)
    for seed in range(60):
        faulty.advance(1)
        faulty.stop_clock(2, seed)
    assert faulty.take(3) == PACKETS
    assert faulty.counts(WEIGHTS).beats == 5 + 1 + 32
    assert not faulty.interrupt
    with pytest.raises(ValueError, match="time does not pass backwards"):
        faulty.stop_clock(-1)


@pytest.mark.parametrize(("data", "keep"), [(b"", []), (bytes(3), [True] * 3),
                                            (bytes(4), [True] * 3)])
def test_beats_that_are_not_whole_are_refused(faulty, data, keep):
    with pytest.raises(ValueError, match="beats of activations have 4 bytes with a bit of tkeep"):
        faulty.send_beats(ACTIVATIONS, data, keep)


def test_what_waits_can_be_dropped_and_what_has_begun_goes_on(faulty):
    faulty.stall(ACTIVATIONS, break_share=0.999, break_cycles=1000)
    faulty.send(ACTIVATIONS, PACKETS)
    faulty.advance(10)
    faulty.drop(ACTIVATIONS)
    assert faulty.counts(ACTIVATIONS).waiting == faulty.counts(ACTIVATIONS).waiting_bytes == 0
    faulty.stall(ACTIVATIONS)
    faulty.send(ACTIVATIONS, PACKETS)
    faulty.advance(2)
    faulty.drop(ACTIVATIONS)
    assert faulty.counts(ACTIVATIONS).waiting == 1
    assert faulty.take(1) == PACKETS[:1]
    faulty.drain()
    assert faulty.counts(ACTIVATIONS).waiting_bytes == 0
    with pytest.raises(ValueError, match="not for 'results'"):
        faulty.drop(RESULTS)
