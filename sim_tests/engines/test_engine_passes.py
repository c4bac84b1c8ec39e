"""Passes between jobs of all other kinds: the engines of a machine with a vector unit, together."""

import cocotb
import pytest

from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Output
from hw.engines import Engines
from sim_tests import bench, drive
from sim_tests.engines.host import Host
from sim_tests.engines.passes import PassTask, draw_task
from sim_tests.engines.test_engines import draw_works
from sim_tests.engines.watch import make_task
from sim_tests.stimuli.operands import handed_over
from simulation.works.random_works import make_work


class PassHost(Host):
    """A host that sends what passes meet beside their rows, with pauses of its own."""

    beside = 0.0

    def sources(self, tasks, act=0.0, weight=0.0):
        words = [word for task in tasks if isinstance(task, PassTask) for word in task.beside]
        return [*super().sources(tasks, act, weight),
                drive.send(self.dut, "beside", words, self.beside)]


def draw_tasks(host, rng, passes):
    """Draw jobs of every kind, and passes between them and behind each other."""
    config = host.config
    tasks = [make_task(config, work) for work in draw_works(config, rng)]
    tasks += [draw_task(config, rng, config.outputs) for _ in range(passes)]
    return [tasks[index] for index in rng.permutation(len(tasks))]


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(pauses=[
    {}, {"act": 0.5, "weight": 0.5, "o": 0.5, "starts": 0.9, "beside": 0.5},
    {"act": drive.LongPause(300, 900), "beside": 0.3},
    {"beside": drive.LongPause(20, 900), "act": 0.3},
    {"o": drive.LongPause(40, 900)},
])
async def runs_passes_among_jobs_of_every_kind(dut, pauses):
    host, rng = PassHost(dut), drive.rng()
    await host.reset()
    host.beside = pauses.get("beside", 0.0)
    tasks = draw_tasks(host, rng, drive.amount(24, 240))
    await host.run(tasks, **{name: pause for name, pause in pauses.items() if name != "beside"})


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def small_passes_that_pack_follow_each_other(dut):
    """Each is on its way back while the next one goes in, and others wait behind them."""
    host, rng = PassHost(dut), drive.rng()
    config = host.config
    await host.reset()
    tasks = []
    for _ in range(drive.amount(12, 120)):
        tasks += [draw_task(config, rng, (Output.MX6, Output.MX9)) for _ in range(2)]
        tasks.append(make_task(config, make_work(
            config, rng, 1, 1, 16, kind=JobKind(int(rng.integers(4))))))
    await host.run(tasks)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def is_as_new_after_a_reset_at_any_moment(dut):
    host, rng = PassHost(dut), drive.rng()
    await host.reset()
    tasks = draw_tasks(host, rng, drive.amount(24, 120))
    for _ in range(drive.amount(30, 300)):
        given_up = [tasks[index] for index in rng.permutation(len(tasks))[:4]]
        host.watch.planned.extend(given_up)
        running = [cocotb.start_soon(each) for each in (
            host.start(given_up), host.sink(given_up), *host.sources(given_up))]
        await drive.ticks(dut, int(rng.integers(1, 400)))
        for each in running:
            each.cancel()
        host.watch.planned.clear()
        host.stop()
        for name in ("act", "weight", "beside"):
            getattr(dut, f"{name}__valid").value = 0
        dut.rst.value = 1
        await drive.ticks(dut, int(rng.integers(1, 4)))
        dut.rst.value = 0
        await host.run([tasks[index] for index in rng.permutation(len(tasks))[:2]])


@pytest.mark.parametrize("name", ["3x4", "2x2"])
def test_engine_passes(name):
    config = {
        "3x4": Config.sized(rows=3, cols=4, k_max=80, act_bytes=16, bus_bytes=16, vector_lanes=4,
                            tables=4),
        "2x2": Config.sized(rows=2, cols=2, k_max=48, act_bytes=8, bus_bytes=8, vector_lanes=1,
                            rounding="truncate", float_formats=("fp32", "bf16")),
    }[name]
    bench.simulate(Engines(config), __name__, f"engine_passes_{name}",
                   parameters=handed_over(config))
