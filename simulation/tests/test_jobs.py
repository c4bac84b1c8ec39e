"""Whole jobs through the harness: every bit as golden has it, every counter as scheduled."""

from dataclasses import asdict

import numpy as np
import pytest

from hw.contract.job_codes import JobKind, Output
from hw.host.carrier import ACTIVATIONS, RESULTS, WEIGHTS
from hw.host.carrier_driver import CarrierDriver, complete
from hw.host.machine import Machine
from hw.host.packet_order import weight_passes
from hw.host.results import packet_count
from hw.host.work import act_packets, weight_packets
from perf.rtl.checked_jobs import schedule_job
from perf.rtl.schedule import COUNTER_NAMES, predict
from simulation.machine import REGISTERS, SimulatedMachine
from simulation.tests.machines import TINY, check, check_places, make_work

SHAPES = ((4, 4, 16), (9, 13, 40), (17, 8, 256), (1, 1, 1))


def works(seed: int, output: Output = Output.FP32) -> list:
    rng = np.random.default_rng(seed)
    return [make_work(TINY, rng, m, n, k, output=output, bias=bool(index % 2))
            for index, (m, n, k) in enumerate(SHAPES)]


@pytest.mark.parametrize("output", [Output.FP32, Output.BF16, Output.MX9], ids=lambda it: it.name)
def test_jobs_under_way_together_are_right_to_the_bit(machine, output):
    jobs = works(1, output)
    for work, done in zip(jobs, Machine(machine).run(jobs), strict=True):
        check(TINY, work, done)
    assert machine.counts(RESULTS).packets == sum(packet_count(TINY, work.job) for work in jobs)
    assert machine.available == 0


@pytest.mark.parametrize("kind", [JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED,
                                  JobKind.GEMM_PACKED], ids=lambda it: it.name)
def test_jobs_of_every_kind_are_right_to_the_bit(machine, kind):
    work = make_work(TINY, np.random.default_rng(2), 9, 13, 40, kind=kind)
    check(TINY, work, Machine(machine).run([work])[0])


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("stall", [{"share": 0.5}, {"share": 0.1, "break_share": 0.01,
                                                    "break_cycles": 300}], ids=["half", "breaks"])
def test_stalled_streams_change_no_bit(machine, stall, seed):
    for stream in (ACTIVATIONS, WEIGHTS, RESULTS, REGISTERS):
        machine.stall(stream, seed=seed, **stall)
    jobs = works(seed)
    for work, done in zip(jobs, Machine(machine).run(jobs), strict=True):
        check(TINY, work, done)
    assert all(machine.counts(stream).paused > 20 for stream in (ACTIVATIONS, WEIGHTS, RESULTS))
    assert machine.counts(RESULTS).stalled > 0


def test_results_are_where_tkeep_says(machine):
    work = make_work(TINY, np.random.default_rng(3), 9, 7, 40, output=Output.FP16)
    machine.send(ACTIVATIONS, act_packets(TINY, work))
    machine.send(WEIGHTS, weight_packets(TINY, work) * weight_passes(TINY, work.job))
    complete(CarrierDriver(machine).start(work.job))
    packets = machine.take_packets(packet_count(TINY, work.job))
    check_places(TINY, work, packets)
    assert all(packet.first_cycle == packet.last_cycle < machine.cycles for packet in packets)
    firsts = [packet.first_cycle for packet in packets]
    assert firsts == sorted(set(firsts))


def test_every_counter_of_a_job_alone_is_as_scheduled(machine: SimulatedMachine):
    for index, (m, n, k) in enumerate([(9, 13, 40), (32, 24, 96), (4, 8, 256), (33, 4, 16)]):
        work = make_work(TINY, np.random.default_rng(index), m, n, k)
        counted = Machine(machine).run([work])[0].counters
        predicted = asdict(predict(TINY, [schedule_job(TINY, work, 0, False)])[0])
        assert {name: counted[name] for name in COUNTER_NAMES} == {
            name: predicted[name] for name in COUNTER_NAMES}, work.job
    assert counted["beats"] > 0
