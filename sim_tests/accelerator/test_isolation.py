"""No job reads another's data: a job gives the same, whatever the machine did before it."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest

from golden.floats import narrow
from golden.formats import FLOAT_FORMATS
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from hw.host.work import Work
from sim_tests import accelerators, drive
from sim_tests.accelerator.test_abort import abort
from sim_tests.accelerators import start
from sim_tests.recording import Record, Recorder, without_cycles
from sim_tests.stimuli.broken_packets import Delivery, deliver, spoil_some
from simulation.works.random_works import (
    random_bias,
    random_floats,
    random_packed,
    random_weights,
    random_work,
)

LARGEST, LONGEST = 11, (12, 80)
"""Most rows or columns of a job; most channels, where a block is short or where there are many."""


def draw(config: Config, rng: np.random.Generator, broken: float) -> tuple[Work, Delivery]:
    """Draw a job and its packets; in such a share of draws some are early, late or mismarked."""
    work = random_work(config, rng, LARGEST, int(rng.choice(LONGEST)))
    if not work.job.converts and rng.random() < 0.3:
        most = min(config.tile_slots, config.act_depth // -(-work.job.k // 16))
        work = replace(work, job=replace(work.job, tiles=int(rng.integers(1, most + 1))))
    delivery = deliver(config, work)
    return work, spoil_some(config, rng, delivery) if rng.random() < broken else delivery


def with_other_data(config: Config, rng: np.random.Generator, work: Work) -> Work:
    """Give a job other activations, weights and biases."""
    job, bias = work.job, None
    if job.kind is JobKind.GEMM_PACKED:
        activations = random_packed(rng, job.m, job.k, config.rows, "mixed")
    else:
        activations = narrow(random_floats(rng, *work.activations.shape) * np.float32(1000),
                             FLOAT_FORMATS[job.float_format])
    if job.bias:
        bias = random_bias(rng, job.n)
    weights = None if job.converts else random_weights(rng, job.k, job.n, "mixed")
    return replace(work, activations=activations, weights=weights, bias=bias)


def compare(record: Record, wanted: Record, before: str, work: Work) -> None:
    """Insist that a job gave what it gave the first time, and zeros outside of tkeep."""
    what = f"{before} beside {work.job}"
    for index, (beat, other) in enumerate(zip(record.beats, wanted.beats, strict=False)):
        assert beat == other, f"beat {index} differs after {what}:\n{beat}\n{other}"
        assert not beat.data & ~kept_bits(beat.keep), f"beat {index} of {work.job}: {beat}"
    assert record == wanted, f"{what}:\n{record}\n{wanted}"


def kept_bits(keep: int) -> int:
    """Spread a bit per byte to all of the byte's bits."""
    return sum(0xFF << 8 * byte for byte in range(keep.bit_length()) if keep >> byte & 1)


@cocotb.test(timeout_time=100, timeout_unit="ms")
@cocotb.parametrize(broken=[0.0, 1.0])
async def a_job_gives_the_same_after_any_other(dut, broken):
    machine = await start(dut)
    config, rng, recorder = machine.config, drive.rng(), Recorder(machine)
    for _ in range(drive.amount(20, 400)):
        work, delivery = draw(config, rng, broken)
        await machine.reset()
        wanted = await recorder.run(work, delivery)
        for before in ("other data", "a good job", "a broken job", "an aborted job"):
            other, packets = draw(config, rng, before == "a broken job")
            if before == "other data":
                other = with_other_data(config, rng, work)
                packets = deliver(config, other)
            if before == "an aborted job":
                await machine.start(other)
                recorder.feed(packets)
                await machine.ticks(int(rng.integers(300)))
                await abort(machine)
                await recorder.settle()
            else:
                await recorder.run(other, packets)
            compare(await recorder.run(work, delivery), wanted, before, work)


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def a_job_gives_the_same_beside_any_other(dut):
    machine = await start(dut)
    config, rng, recorder = machine.config, drive.rng(), Recorder(machine)
    for _ in range(drive.amount(20, 400)):
        work, delivery = draw(config, rng, 0.5)
        wanted = (await recorder.run(work, delivery)).without_time()
        for _ in range(2):
            other, packets = draw(config, rng, 0.5)
            if config.tables > 1:
                table = (work.job.table + 1) % config.tables
                other = replace(other, job=replace(other.job, table=table))
            elif other.uses_table:
                continue
            _, record = await recorder.run_two(other, packets, work, delivery)
            compare(record.without_time(), wanted, "a job under way", work)
            beats, _ = await recorder.run_two(work, delivery, other, packets)
            compare(replace(wanted, beats=without_cycles(beats)), wanted, "a waiting job", work)


@pytest.mark.parametrize("name", accelerators.NAMES)
def test_isolation(name):
    accelerators.simulate(name, __name__, label="isolation")
