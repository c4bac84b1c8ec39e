"""All engines together: jobs in, streams in and out, and what the controller is told of them."""

from dataclasses import asdict, replace
from itertools import cycle

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from golden.formats import FLOAT_FORMATS
from hw.contract.config import JOBS_UNDER_WAY
from hw.contract.job_codes import GEMMS, JobKind, Output, Selection
from hw.engines import Engines
from hw.registers.map import StreamFault
from perf.rtl.checked_jobs import schedule_job
from perf.rtl.schedule import predict
from sim_tests import bench, drive
from sim_tests.engines.host import Host
from sim_tests.engines.watch import STREAMS, beats_of, make_task
from sim_tests.stimuli.broken_packets import deliver, spoil, spoil_some
from sim_tests.stimuli.litter import litter
from sim_tests.stimuli.operands import handed_over, small_config
from sim_tests.stimuli.raw_blocks import raw_blocks
from simulation.works.random_works import WEIGHT_FORMATS, make_work


def draw_works(config, rng):
    """Draw small jobs of every kind, with every output and selection, orders and measurements."""
    selections = cycle(rng.permutation(list(Selection)))
    formats = cycle(WEIGHT_FORMATS)
    pairs = [(kind, output) for kind in JobKind
             for output in (config.outputs if kind in GEMMS else [Output.FP32] * 3)]
    works = []
    for kind, output in (pairs[index] for index in rng.permutation(len(pairs))):
        m, n = (int(size) for size in rng.integers(1, 2 * config.tile_rows_max + 2, 2))
        k = int(rng.integers(1, config.k_max + 1))
        choices = {}
        if kind in GEMMS:
            most = min(config.tile_slots, config.act_depth // -(-k // 16))
            choices = {"weights": next(formats), "bias": bool(rng.integers(2)),
                       "tiles": int(rng.integers(1, most + 1))}
            if rng.random() < 0.3:
                choices["weights"] = raw_blocks(rng, n, k, config.cols).transpose()
        if kind is not JobKind.GEMM_PACKED:
            choices["selection"] = next(selections)
        elif rng.random() < 0.3:
            choices["activations"] = raw_blocks(rng, m, k, config.rows)
        if kind in (JobKind.GEMM, JobKind.CONVERT):
            choices |= {"order": bool(rng.integers(2)), "measure": bool(rng.integers(2))}
        work = make_work(config, rng, m, n, k, kind=kind, output=output, **choices)
        if kind is not JobKind.GEMM_PACKED and rng.random() < 0.5:
            shape, form = work.activations.shape, FLOAT_FORMATS[work.job.float_format]
            width = form.width
            patterns = rng.integers(0, 1 << width, shape, "u8")
            if rng.random() < 0.5:  # all alike but for a bit of each
                patterns = patterns[0, 0] ^ 1 << rng.integers(0, form.mantissa_bits, shape, "u8")
            work = replace(work, activations=patterns.astype(f"u{width // 8}"))
        works.append(work)
    return works


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(pauses=[
    {}, {"act": 0.5, "weight": 0.5, "o": 0.5, "starts": 0.9},
    {"act": drive.LongPause(300, 700), "weight": 0.5},
    {"weight": drive.LongPause(200, 700), "act": 0.5},
    {"o": drive.LongPause(40, 700)},
])
async def runs_jobs_of_every_kind(dut, pauses):
    host, rng = Host(dut), drive.rng()
    config = host.config
    await host.reset()
    tasks = []
    for work in draw_works(config, rng):
        delivery = deliver(config, work)
        if rng.random() < 0.25:
            delivery = spoil_some(config, rng, delivery)
        tasks.append(make_task(config, work, delivery))
        if rng.random() < 0.5:
            tasks[-1].delivery = litter(config, rng, work.job, delivery)
    last = make_task(config, make_work(config, rng, 2, 2, config.k_max, measure=True))
    await host.run([*tasks, last], **pauses)
    await host.check_maxima([last])


def rivals(rng, config, float_format, tiles):
    """Draw rows of tiles (rows, 32) in which one bit decides.

    In the first K-block two elements of the same four differ by one bit; the largest of the second
    lies between them.
    """
    form = FLOAT_FORMATS[float_format]
    x = np.zeros((tiles * config.rows, 32), np.int64)
    for row in rng.integers(0, config.rows, tiles) + config.rows * np.arange(tiles):
        bit = int(rng.integers(1, form.width - 2))
        base = int(rng.integers(1 << form.width - 2)) >> bit + 1 << bit + 1
        four = 4 * int(rng.integers(4))
        larger, smaller = four + rng.permutation(4)[:2]
        x[row, larger], x[row, smaller] = base | 1 << bit, base
        x[row, 16 + int(rng.integers(16))] = base | (1 << bit) - 1
    return (x | rng.integers(0, 2, x.shape) << form.width - 1).astype(f"u{form.width // 8}")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def selects_by_any_bit_of_any_element(dut):
    host, rng = Host(dut), drive.rng()
    config = host.config
    await host.reset()
    tasks = []
    for name in config.float_formats:
        x = rivals(rng, config, name, drive.amount(150, 1_500))
        work = make_work(config, rng, *(len(x), 1, 32), units=1, float_format=name)
        tasks.append(make_task(config, replace(work, activations=x)))
    await host.run(tasks)


def _without_table(work):
    """Make a job that reads no table: when software fills one is not in the schedule."""
    selection = Selection.TOP if work.job.reads_tags else work.job.selection
    job = replace(work.job, reorder=False, selection=selection)
    return replace(work, job=job, order=None, static_tags=None)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def takes_the_cycles_of_the_schedule(dut):
    """Each job starts as early as it may, and no stream ever waits."""
    host, rng = Host(dut), drive.rng()
    config = host.config
    await host.reset()
    works = [_without_table(work) for work in draw_works(config, rng)]
    tasks = [make_task(config, work) for work in works]
    await host.run(tasks)
    starts = [task.started - tasks[0].started for task in tasks]
    predicted = predict(config, [schedule_job(config, work, start)
                                 for work, start in zip(works, starts, strict=True)])
    for task, counters in zip(tasks, predicted, strict=True):
        wanted = asdict(counters)
        for name in wanted if task.job.kind in GEMMS else ["cycles"]:
            assert task.score[name] == wanted[name], (
                f"{name}: {task.score[name]}, not {wanted[name]} of {task.job}")
    assert host.watch.most == JOBS_UNDER_WAY


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(late=["act", "weight", "o"])
async def counts_stalls_by_their_cause(dut, late):
    """What comes 300 cycles later adds 300 cycles, all of them stalls of its own."""
    host, rng = Host(dut), drive.rng()
    config = host.config
    await host.reset()
    work = make_work(config, rng, 4 * config.rows, 6 * config.cols, 16, tiles=2)
    scores = []
    for cycles in (1_000, 1_300):
        task = make_task(config, work)
        await host.run([task], **{late: drive.LongPause(0, cycles)})
        scores.append(task.score)
    cause = {"act": "act_stalls", "weight": "weight_stalls", "o": "result_stalls"}[late]
    more = {name: after - before for (name, before), after in
            zip(scores[0].items(), scores[1].values(), strict=True)}
    assert more == dict.fromkeys(more, 0) | {"cycles": 300, cause: 300}


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stream=list(STREAMS))
async def flags_a_fault_at_once(dut, stream):
    """A wrong tkeep is flagged before the rest of its job is there."""
    host, rng = Host(dut), drive.rng()
    config, (name, _, fault) = host.config, STREAMS[stream]
    await host.reset()
    work = make_work(config, rng, config.rows, config.cols, config.k_max,
                     kind=JobKind.GEMM_PACKED)
    task = make_task(config, work, spoil(config, rng, deliver(config, work), name, 0, "keep"))
    host.watch.planned.append(task)
    words, whole = (beats_of(each.packets[name][0], host.widths[stream])
                    for each in (task.delivery, deliver(config, work)))
    wrong = next(place for place, pair in enumerate(zip(words, whole, strict=True))
                 if pair[0] != pair[1])
    await host.start([task])
    await drive.send(dut, stream, words[: wrong + 1])
    flagged = StreamFault(0)
    for _ in range(16):
        await host.edge
        flagged |= StreamFault(int(dut.faults.value))
    assert flagged == fault
    assert host.watch.under_way


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def is_as_new_after_a_reset_at_any_moment(dut):
    """The next job's beats are offered in the reset, its table is filled then, maxima stay."""
    host, rng = Host(dut), drive.rng()
    config = host.config
    await host.reset()
    measured = make_task(config, make_work(config, rng, 2, 2, config.k_max, measure=True))
    await host.run([measured])
    tasks = [make_task(config, replace(work, job=replace(work.job, measure=False)))
             for work in draw_works(config, rng)]
    for number in range(drive.amount(2, 20) * len(tasks)):
        given_up = [tasks[index] for index in rng.permutation(len(tasks))[:3]]
        host.watch.planned.extend(given_up)
        running = [cocotb.start_soon(each) for each in (
            host.start(given_up), host.sink(given_up), *host.sources(given_up))]
        await drive.ticks(dut, int(rng.integers(1, 300)))
        for each in running:
            each.cancel()
        following = tasks[number % len(tasks)]
        host.watch.planned.clear()
        host.stop()
        dut.rst.value = dut.jobs__valid.value = dut.o__ready.value = 1
        offered = [cocotb.start_soon(each) for each in host.sources([following])]
        await drive.ticks(dut, int(rng.integers(1, 4)))
        if rng.random() < 0.5:
            await host.load(following.work)
        host.stop()
        dut.rst.value = 0
        host.watch.planned.append(following)
        await gather(host.start([following]), host.sink([following]), *offered)
        await drive.ticks(dut, 4)
        host.watch.check_done()
    await host.check_maxima([measured])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def keeps_the_maxima_of_the_last_job_that_measures(dut):
    host, rng = Host(dut), drive.rng()
    config = host.config
    await host.reset()
    assert not (await host.maxima([0, config.k_max - 1])).any()
    for name in config.float_formats:
        works = [make_work(config, rng, 3, 2, k, kind=kind, float_format=name, measure=measure)
                 for k, kind, measure in ((config.k_max, JobKind.GEMM, True),
                                          (17, JobKind.CONVERT, True),
                                          (config.k_max, JobKind.CONVERT, False))]
        tasks = [make_task(config, work) for work in works]
        await host.run(tasks)
        await host.check_maxima(tasks)
    dut.forget_maxima.value = 1
    await host.edge
    dut.forget_maxima.value = 0
    assert not (await host.maxima([3, 1, 16])).any()


@pytest.mark.parametrize("name", ["3x2", "2x3"])
def test_engines(name):
    config = {
        "3x2": small_config(rows=3, cols=2, k_max=48, act_bytes=16, weight_bytes=8, act_depth=12,
                            weight_depth=8, drain_lanes=4),
        "2x3": small_config(rows=2, cols=3, k_max=80, act_bytes=8, act_depth=16, weight_depth=12,
                            tables=4, rounding="truncate", float_formats=("fp32", "bf16"),
                            cell_stages=0),
    }[name]
    bench.simulate(Engines(config), __name__, f"engines_{name}", parameters=handed_over(config))
