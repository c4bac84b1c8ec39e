"""What the Python face promises: time, limits, signals, mistakes."""

import _ctypes
import os
import signal
import threading

import numpy as np
import pytest

from hw.host.carrier import ACTIVATIONS, RESULTS, WEIGHTS
from hw.host.driver_errors import MachineError, WaitTimeoutError
from hw.host.machine import Machine
from simulation.bench import linear_layer, measure
from simulation.machine import SimulatedMachine
from simulation.tests.machines import TINY, check, make_work


def test_time_passes_as_asked(machine):
    before = machine.cycles
    machine.advance(12_345)
    machine.advance(0)
    assert machine.cycles == before + 12_345
    with pytest.raises(WaitTimeoutError):
        machine.take(1, 50_001)
    assert machine.cycles == before + 12_345 + 50_001


def test_counts_cover_every_cycle(machine):
    machine.reset()
    machine.stall(RESULTS, 0.3)
    work = make_work(TINY, np.random.default_rng(1), 9, 13, 40)
    before = machine.cycles
    Machine(machine).run([work])
    for stream in (ACTIVATIONS, WEIGHTS, RESULTS):
        counts = machine.counts(stream)
        assert counts.beats + counts.stalled + counts.paused + counts.idle == (
            machine.cycles - before)
    assert machine.counts(ACTIVATIONS).packets == 9
    assert machine.counts(WEIGHTS).waiting == machine.counts(WEIGHTS).waiting_bytes == 0


def test_an_interrupt_gets_through_and_loses_nothing(machine):
    work = make_work(TINY, np.random.default_rng(1), 9, 13, 40)
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        before = machine.cycles
        with pytest.raises(KeyboardInterrupt):
            machine.take(1, 1_000_000_000)
        assert machine.cycles - before < 1_000_000_000
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, former)
    check(TINY, work, Machine(machine).run([work])[0])


def test_progress_is_told_while_a_wait_lasts(library):
    seen = []
    with SimulatedMachine(library, progress=seen.append) as machine:
        machine.advance(50_000)
        assert seen == sorted(set(seen))
        assert seen[-1] == machine.cycles
        assert len(seen) >= 3


def test_two_machines_in_one_process_are_apart(machine, library, faulty):
    work = make_work(TINY, np.random.default_rng(1), 9, 13, 40)
    with SimulatedMachine(library) as other:
        other.advance(100)
        faulty.send(ACTIVATIONS, [b"abc"])
        check(TINY, work, Machine(machine).run([work])[0])
        assert faulty.take(1) == [b"abc"]
        assert other.counts(ACTIVATIONS).beats == 0
        assert other.cycles < machine.cycles


def test_a_reset_forgets_packets_and_counts(machine):
    machine.send(ACTIVATIONS, [bytes(100)])
    machine.advance(2)
    machine.reset()
    assert machine.counts(ACTIVATIONS).waiting == machine.counts(ACTIVATIONS).beats == 0
    work = make_work(TINY, np.random.default_rng(1), 9, 13, 40)
    check(TINY, work, Machine(machine).run([work])[0])


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda m: m.send("results", [b"a"]), "packets go to activations or weights, not to 'results'"),
    (lambda m: m.send(ACTIVATIONS, [b"a", b""]), "packet 1 for activations is empty"),
    (lambda m: m.read(2), "registers are at multiples of 4, not at 0x2"),
    (lambda m: m.read(4096), "registers lie below 0x1000, not at 0x1000"),
    (lambda m: m.write(-4, 0), "registers are at multiples of 4"),
    (lambda m: m.write(0, 1 << 32), "a register holds 0 to 2"),
    (lambda m: m.advance(-1), "time does not pass backwards"),
    (lambda m: m.take(-1), "-1 packets cannot be taken"),
    (lambda m: m.take(1, -1), "a wait takes at least 0 cycles"),
    (lambda m: m.reset(0), "a reset takes at least one cycle"),
    (lambda m: m.stall("results", 1.0), "share must be at least 0 and less than 1"),
    (lambda m: m.stall("results", 0.1, break_share=0.5), "a break has a share and a length"),
    (lambda m: m.stall("result", 0.1), "there are activations, weights, results, registers"),
    (lambda m: m.counts("registers"), "there are activations, weights, results"),
    (lambda m: m.beat_bytes("registers"), "there are activations, weights, results"),
    (lambda m: m.toggle(-1), "time does not pass backwards"),
    (lambda m: m.reset(1 << 64), "a reset takes at least one cycle, and less than 2"),
    (lambda m: m.take(1 << 64), "18446744073709551616 packets cannot be taken"),
    (lambda m: m.stall("results", break_share=0.1, break_cycles=1 << 64), "a break has a share"),
])
def test_mistakes_are_refused_by_a_sentence(machine, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(machine)


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda m: m.read(4.0), "an address must be a whole number, not 4.0"),
    (lambda m: m.write(0, "1"), "a register's value must be a whole number, not '1'"),
    (lambda m: m.advance(1.5), "cycles must be a whole number"),
    (lambda m: m.reset(1.5), "cycles must be a whole number"),
    (lambda m: m.toggle(None), "cycles must be a whole number"),
    (lambda m: m.wait_for_interrupt(1e3), "the limit must be a whole number"),
    (lambda m: m.take(0.5), "the number of packets must be a whole number"),
    (lambda m: m.stall("results", "0.5"), "share must be a number, not '0.5'"),
    (lambda m: m.stall("results", 0.5, seed=1.5), "seed must be a whole number"),
    (lambda m: m.send(ACTIVATIONS, "abc"), "a packet must be bytes, not str"),
])
def test_what_is_no_number_or_no_packet_is_refused_by_a_sentence(machine, call, sentence):
    with pytest.raises(TypeError, match=sentence):
        call(machine)


def test_a_library_that_is_no_model_is_refused():
    with pytest.raises(ValueError, match="is no model of"):
        SimulatedMachine(_ctypes.__file__)


def test_one_packet_is_not_taken_for_many(machine):
    with pytest.raises(TypeError, match="put it into a list"):
        machine.send(ACTIVATIONS, b"abc")


def test_a_closed_machine_says_so(library):
    machine = SimulatedMachine(library)
    machine.close()
    machine.close()
    with pytest.raises(ValueError, match="was closed"):
        machine.advance(1)


def test_a_model_without_waveforms_says_so(machine, tmp_path):
    with pytest.raises(MachineError, match="built without waveforms"):
        machine.trace(tmp_path / "dump.vcd")


def test_jobs_run_at_three_fifths_of_the_bare_models_speed(machine):
    task = linear_layer(TINY, 64, 64, 128)
    best = max(measure(machine, task, turns=1).ratio for _ in range(6))
    assert best >= 0.6
