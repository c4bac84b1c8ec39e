"""Software's library on a simulated machine: arrays in and out, and what it does after an error."""

import threading
from dataclasses import replace

import numpy as np
import pytest

import golden
from golden import MX6, MX9, Policy
from hw.host.carrier import ACTIVATIONS, RESULTS, WEIGHTS
from hw.host.carrier_driver import complete
from hw.host.driver_errors import JobRefusedError, StreamFaultError
from hw.host.machine import Machine
from hw.host.requests import gemm_work
from hw.host.work import act_packets, weight_packets
from simulation.machine import SimulatedMachine
from simulation.tests.machines import TINY, check, make_work, random_work

SIZES = {"acc_width": TINY.acc_width, "k_max": TINY.k_max}


@pytest.fixture
def host(machine) -> Machine:
    return Machine(machine)


def test_the_machine_says_how_it_was_built(host):
    assert replace(host.config, float_formats=TINY.float_formats) == TINY


def test_results_feed_the_next_job_without_leaving_the_format(host):
    rng = np.random.default_rng(1)
    x, first, second = (rng.standard_normal(shape).astype(np.float16)
                        for shape in ((9, 40), (37, 40), (37, 6)))
    policy = Policy(fraction=0.5, scope="tile", tile_rows=TINY.rows)
    b = host.convert(first)
    between = host.gemm(x, b, policy=policy, output="mx9")
    c = host.gemm(between, host.convert(second, transposed=True))

    product = golden.gemm(golden.apply_policy(x, policy),
                          golden.quantize(first.T, MX6, axis=0), **SIZES)
    expected = golden.gemm(golden.quantize(product, MX9),
                           golden.quantize(second, MX6, axis=0), **SIZES)
    assert np.array_equal(c.view(np.uint32), expected.view(np.uint32))


def test_random_jobs_back_to_back_are_right_and_their_tables_loaded(host):
    rng = np.random.default_rng(2)
    works = [random_work(TINY, rng) for _ in range(30)]
    assert any(work.job.reorder for work in works)
    outcomes = host.run(works)
    for work, outcome in zip(works, outcomes, strict=True):
        check(TINY, work, outcome)
    assert any("order" in outcome.loaded for outcome in outcomes)


def test_channel_maxima_are_what_was_seen(host):
    x = np.random.default_rng(3).standard_normal((9, 40)).astype(np.float32)
    work = gemm_work(TINY, x, np.ones((40, 4), np.float32))
    host.run([replace(work, job=replace(work.job, measure=True))])
    assert np.array_equal(host.channel_maxima(40), np.abs(x).max(axis=0))


@pytest.mark.parametrize("cycles", [0, 7, 40, 150])
def test_an_abort_at_any_moment_leaves_nothing_behind(machine, host, cycles):
    work = make_work(TINY, np.random.default_rng(4), 5, 6, 48)
    good, = host.run([work])
    complete(host.driver.start(work.job))
    machine.send(ACTIVATIONS, act_packets(TINY, work))
    machine.send(WEIGHTS, weight_packets(TINY, work))
    machine.advance(cycles)
    host.abort()
    again, = host.run([work])
    assert np.array_equal(again.results, good.results)
    assert again.counters["beats"] == good.counters["beats"] > 0
    assert machine.available == 0


def test_a_refused_job_and_a_fault_leave_nothing_behind(machine, host):
    work = make_work(TINY, np.random.default_rng(5), 5, 6, 32)
    bad = replace(work, job=replace(work.job, tiles=TINY.tile_slots + 1))
    with pytest.raises(JobRefusedError, match="TILES_OUT_OF_RANGE"):
        host.run([work, bad, work])
    check(TINY, work, host.run([work])[0])
    machine.send(ACTIVATIONS, [b"x"])
    with pytest.raises(StreamFaultError, match="ACT_LENGTH"):
        host.run([work])
    check(TINY, work, host.run([work])[0])


def test_an_interrupt_ends_a_run_and_the_next_one_is_right(machine, host):
    work = make_work(TINY, np.random.default_rng(6), 64, 64, 128)
    machine.stall(RESULTS, 0.99)
    seen = []

    def interrupt(ended, cycles):
        seen.append(ended)
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        host.run([work, work, work], progress=interrupt)
    assert seen == [0]
    machine.stall(RESULTS)
    check(TINY, work, host.run([work])[0])


def test_two_hosts_in_two_threads_are_apart(library, machine, host):
    work = make_work(TINY, np.random.default_rng(7), 32, 32, 64)
    outcomes = {}
    with SimulatedMachine(library) as other:
        hosts = {"one": host, "other": Machine(other)}
        threads = [threading.Thread(target=lambda name=name: outcomes.update(
            {name: hosts[name].run([work] * 3)})) for name in hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for name in hosts:
        for outcome in outcomes[name]:
            check(TINY, work, outcome)
