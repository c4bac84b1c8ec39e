"""Commands on the compiled machine with a ring: every byte of memory, and its face."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from golden.memory import Command, Fault
from golden.memory.descriptor import BYTES
from golden.memory.jobs import JobKind, Output
from hw.host.driver_errors import CommandFaultError, ProtocolError, WaitTimeoutError
from hw.host.memory import RingHost
from hw.host.memory.registers import NamedRegisters
from hw.registers.codes import RingCommand
from hw.registers.map import ADDRESSES
from sim_tests.host.memory import benches, test_commands
from sim_tests.host.memory.golden_device import BASE, SIZE, SMALL
from sim_tests.memory.lists import SIZE as LIST_SIZE
from sim_tests.memory.lists import Lists
from simulation.build import build
from simulation.machine import SimulatedMachine
from simulation.memory_bench import linear_lists, measure
from simulation.memory_machine import DECERR, Manners, SimulatedMemoryMachine
from simulation.tests.memory_runs import run_list

pytestmark = pytest.mark.xdist_group("small ring")  # one build of its machine

SLOW = Manners(read_latency=100, write_latency=100)
HOSTILE = Manners(read_latency=30, write_latency=80, jitter=40, pause=0.3, mixes=True)
MANNERS = {
    "ideal": Manners(), "slow": SLOW, "hostile": HOSTILE,
    "data_first": Manners(write_latency=5, data_first=True, pause={"aw": 0.5, "w": 0.2}),
    "one_channel_late": Manners(jitter=200, mixes=True, pause={"b": 0.95}),
}


@pytest.fixture(scope="module")
def library() -> Path:
    return build(SMALL)


@pytest.fixture
def device(library: Path) -> Iterator[SimulatedMemoryMachine]:
    with SimulatedMemoryMachine(library, BASE, SIZE, outstanding=SMALL.outstanding) as made:
        yield made


def every_kind(rng: np.random.Generator) -> Lists:
    """Make a list of all kinds of jobs, in all formats, some with biases, batches and tables."""
    lists = Lists(rng, config=SMALL, notify=True)
    rows, cols = SMALL.rows, SMALL.cols
    for number, output in enumerate(Output):
        for kind in (JobKind.GEMM, JobKind.GEMM_PACKED):
            lists.gemm(int(rng.integers(1, 4 * rows)), int(rng.integers(1, 40)),
                       int(rng.integers(1, 90)), kind=kind, output=output,
                       float_format=str(rng.choice(SMALL.float_formats)), notify=number % 2,
                       has_bias=bool(rng.integers(2)), tiles=int(rng.integers(1, 4)))
    for transposed in (False, True):
        lists.convert(int(rng.integers(1, 4 * cols)), int(rng.integers(1, 70)), interrupt=1,
                      float_format=str(rng.choice(SMALL.float_formats)), transposed=transposed)
    k = 50
    lists.gemm(5, 6, k, **lists.tables(k, order=rng.permutation(k), tags=rng.random(4) < 0.5))
    first = lists.gemm(2 * rows + 1, 2 * cols + 1, 40)
    lists.gemm(2 * rows + 1, 5, 2 * cols + 1, a=first.c, a_stride=first.c_stride, wait_a=1)
    lists.gemm(rows, cols, 32, a_step_0=0, b_step_0=0, count_0=3, count_1=2,
               c=lists.room(6 * 4 * rows * cols, 4), c_stride=4 * cols, c_step_0=4 * rows * cols,
               c_step_1=12 * rows * cols)
    return lists


@pytest.mark.parametrize("name", MANNERS)
def test_lists_of_every_kind_write_goldens_bytes_and_nothing_else(library, name):
    for seed in range(4):
        lists = every_kind(np.random.default_rng([seed, *name.encode()]))
        with SimulatedMemoryMachine(library, lists.base, LIST_SIZE, manners=MANNERS[name],
                                    outstanding=SMALL.outstanding) as device:
            counts = run_list(device, lists)
            assert not lists.ring.fault and not counts.empty_words
            assert counts.most_reads <= SMALL.outstanding >= counts.most_writes


@pytest.mark.parametrize("manners", [SLOW, HOSTILE], ids=["slow", "hostile"])
@pytest.mark.parametrize(("test", "arguments"), [
    (test_commands.test_a_gemm_is_goldens_in_every_format, ("bf16", "mx9")),
    (test_commands.test_orders_and_tags_are_loaded, (True, True)),
    (test_commands.test_a_chain_stays_packed, ("mx6",)),
    (test_commands.test_attention_is_four_commands, ()),
    (test_commands.test_a_list_runs_again_with_other_numbers, ()),
])
def test_the_hosts_library_finds_what_golden_says(device, monkeypatch, manners, test, arguments):
    device.behave(manners)
    monkeypatch.setattr(test_commands, "connect", lambda ring_size=8: (
        RingHost(device, BASE, SIZE, ring_size=ring_size), device))
    test(*arguments)


def commands_of(device: SimulatedMemoryMachine, count: int = 12, **options):
    """Make a host and a list of commands whose results are the same."""
    host = RingHost(device, BASE, SIZE, ring_size=16, **options)
    memory, commands = host.memory, host.commands()
    x, w = memory.place(benches.normal(6, 40)), memory.place_weights(benches.normal(40, 4))
    results = [memory.empty((6, 4)) for _ in range(count)]
    for result in results:
        commands.gemm(x, w, result)
    return host, commands, results


@pytest.mark.parametrize("burst", range(0, 60, 7))
@pytest.mark.parametrize("answer", [2, DECERR])
def test_any_transfer_may_fail_and_the_list_goes_on_after_a_resume(device, burst, answer):
    host, commands, results = commands_of(device)
    device.behave(replace(SLOW, jitter=30, mixes=True))
    device.fail(device.asked + burst, answer)
    with pytest.raises(CommandFaultError) as caught:
        host.run(commands)
    kinds = ((Fault.READ_SLVERR, Fault.WRITE_SLVERR) if answer == 2 else
             (Fault.READ_DECERR, Fault.WRITE_DECERR))
    assert caught.value.fault in kinds
    device.forgive()
    host.resume()
    first, *others = (result.read() for result in results)
    assert np.any(first) and all(np.array_equal(first, each) for each in others)


@pytest.mark.parametrize("channel", ["ar", "r", "aw", "w", "b"])
def test_a_silent_channel_times_out_and_names_its_command(device, channel):
    host, commands, _ = commands_of(device, bus_timeout=300)
    device.silence([channel])
    with pytest.raises(CommandFaultError) as caught:
        host.run(commands)
    assert caught.value.fault == Fault.TIMEOUT
    device.silence([])
    device.wait_for_quiet()


def test_what_is_no_memory_is_told_or_answered_as_such(library):
    half = SIZE // 2
    with SimulatedMemoryMachine(library, BASE, half) as device:
        host, commands, _ = commands_of(device, 1)
        host.run(commands)
        elsewhere = Command(**(next(iter(commands)).describe() | {"c": BASE + half + 64}))
        device.write_memory(BASE + BYTES, elsewhere.pack())
        device.write(ADDRESSES["WINDOW_END_LOW"], BASE + SIZE)
        device.write(ADDRESSES["RING_TAIL"], 2)
        with pytest.raises(ProtocolError, match="m_axi_aw asks for what is no memory"):
            device.advance(2000)
        device.watch(may_leave=True)
        device.write(ADDRESSES["RING_CONTROL"], RingCommand.RESUME)
        device.advance(2000)
        status = NamedRegisters(device).fields("RING_STATUS")
        assert status["fault"] == Fault.WRITE_DECERR and status["idle"]


def test_marks_are_noted_when_their_beats_have_entered_the_array(device):
    host, commands, _ = commands_of(device, 4)
    each = 2 * 3  # tiles of 4 x 4, blocks of 16
    device.mark([1, each, 3 * each, 1000])
    host.run(commands)
    noted = device.noted()
    assert [counts.beats for counts in noted] == [1, each, 3 * each]
    assert all(counts.last_beat == counts.cycle for counts in noted)
    assert device.counts().beats == 4 * each
    with pytest.raises(WaitTimeoutError, match="9999 beats did not come within 50 cycles"):
        device.wait_for_beats(9999, 50)
    device.reset()
    assert device.counts().beats == 0 and not device.noted()


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda d: Manners(read_latency=0), "read_latency must be at least 1"),
    (lambda d: Manners(pause=1.0), "a pause must be at least 0 and less than 1"),
    (lambda d: Manners(pause={"x": 0.1}), "there are ar, r, aw, w, b, no 'x'"),
    (lambda d: d.silence(["q"]), "there are ar, r, aw, w, b, no 'q'"),
    (lambda d: d.fail(1, 1), "an error is 2 or 3, not 1"),
    (lambda d: d.read_memory(BASE + SIZE - 1, 2), "2 bytes at 0x800fffff are not in the memory"),
    (lambda d: d.write_memory(BASE - 1, b"a"), "1 bytes at 0x7fffffff are not in the memory"),
])
def test_mistakes_are_refused_by_a_sentence(device, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(device)


def test_a_memory_lies_at_multiples_of_64(library):
    with pytest.raises(ValueError, match="a memory begins and ends at multiples of 64"):
        SimulatedMemoryMachine(library, BASE + 32, SIZE)


def test_a_library_of_another_kind_is_refused(library):
    with pytest.raises(ValueError, match="for this: it lacks harness_send"):
        SimulatedMachine(library)


def test_a_slow_memory_that_is_watched_runs_at_three_fifths_of_an_ideal_ones_speed(library):
    speeds = [measure(library, linear_lists(SMALL, 64, 64, 256), turns=1) for _ in range(4)]
    assert max(speed.ratio for speed in speeds) >= 0.6
