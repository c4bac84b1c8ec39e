"""The loops of a GEMM down to beats: order, addresses, releases, skipped residuals, room, speed."""

from collections import deque

import cocotb
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.array.beat_issuer import BeatIssuer
from hw.array.block_walker import BlockWalker
from hw.array.mac_array import array_latency
from hw.contract.counts import BEAT_COUNTS
from hw.contract.job_codes import JobKind, Output
from hw.contract.output_tile import output_tile_layout
from hw.host.job_request import Job
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over, job_words, small_config
from sim_tests.stimuli.tile_plan import Memory, plan

WALKER_PORTS = ("jobs", "act_ready", "weight_ready", "act_flags", "weight_flags",
                "act_flags_address", "weight_flags_address")
ISSUER_PORTS = ("issue", "act_address", "weight_address", "act_slot", "weight_slot",
                "act_residual", "weight_residual", "first", "last", "tile", "row_left")


def least_interval(config):
    """Return the cycles that the accelerator keeps between the ends of two tiles."""
    return max(config.drain_cycles, array_latency(config))


class Schedule(wiring.Component):
    """A `BlockWalker` and its `BeatIssuer`."""

    def __init__(self, config):
        self.walker = BlockWalker(config)
        self.issuer = BeatIssuer(config, interval=least_interval(config))
        members = {name: part.signature.members[name]
                   for part, names in ((self.walker, WALKER_PORTS), (self.issuer, ISSUER_PORTS))
                   for name in names}
        super().__init__(members | {"counts": Out(BEAT_COUNTS), "counts_valid": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.walker, m.submodules.issuer = walker, issuer = self.walker, self.issuer
        wiring.connect(m, walker.o, issuer.i)
        wiring.connect(m, wiring.flipped(self.jobs), walker.jobs)
        for part, names in ((walker, WALKER_PORTS[1:]), (issuer, ISSUER_PORTS)):
            for name in names:
                inner, outer = getattr(part, name), getattr(self, name)
                is_input = part.signature.members[name].flow is In
                m.d.comb += inner.eq(outer) if is_input else outer.eq(inner)
        m.d.comb += [
            issuer.walker_waits_for_act.eq(walker.waits_for_act),
            issuer.walker_waits_for_weight.eq(walker.waits_for_weight),
            self.counts.eq(issuer.counts.payload), self.counts_valid.eq(issuer.counts.valid),
        ]
        return m

IGNORED = ("float_format", "reorder", "measure", "table", "policy")
"""Fields of a job that the walker does not look at."""


async def walk(dut, jobs, idle=0.0, stall=0.0, residuals=(0.4, 0.2, 0.4), **starts):
    """Run jobs and check every beat; return the cycle of each beat and the jobs' counters.

    ``starts`` may give the cycle before which no act, weight or row arrives or leaves.
    """
    config, rng = configuration(), drive.rng()
    beats, acts, weights = plan(config, jobs, rng, residuals)
    memories = {"act": Memory(acts, config.act_depth, config.tile_slots),
                "weight": Memory(weights, config.weight_depth, config.weight_slots)}
    await drive.reset(dut)
    cocotb.start_soon(drive.send(dut, "jobs", job_words(config, jobs, IGNORED)))
    in_queue, last_at, issued_at, counters = 0, -1000, [], []
    pending, quiet, cycle, job_ended = deque(beats), 0, 0, False
    addresses = {side: 0 for side in memories}
    while pending or in_queue:
        for side, memory in memories.items():
            arrives_now = rng.random() >= idle and cycle >= starts.get(side, 0)
            getattr(dut, f"{side}_ready").value = int(arrives_now and memory.arrive())
            getattr(dut, f"{side}_flags").value = memory.flags(addresses[side], rng)
        leaves = in_queue > 0 and rng.random() >= stall and cycle >= starts.get("row", 0)
        dut.row_left.value = int(leaves)
        await drive.ticks(dut, 1)
        in_queue -= leaves
        addresses = {side: int(getattr(dut, f"{side}_flags_address").value) for side in memories}
        quiet += 1
        assert quiet < 3_000, f"hung with {len(pending)} of {len(beats)} beats left"
        # A job's counts follow its last beat.
        assert int(dut.counts_valid.value) == job_ended, f"cycle {cycle}: counts of a job"
        job_ended = False
        if int(dut.issue.value):
            assert pending, f"a beat too many in cycle {cycle}"
            beat = pending.popleft()
            _check(dut, beat, memories, len(beats) - len(pending) - 1)
            issued_at.append(cycle)
            quiet = 0
            if beat.ports["last"]:
                apart = cycle - last_at
                assert apart >= least_interval(config), f"tiles end {apart} cycles apart"
                in_queue, last_at = in_queue + -(-beat.tile["rows"] // config.drain_rows), cycle
                assert in_queue <= config.result_depth, "the result queue overflows"
                for side, memory in memories.items():
                    if beat.tile[f"releases_{side}"]:
                        memory.release()
            job_ended = bool(beat.ports["last"] and beat.tile["job_last"])
        if int(dut.counts_valid.value):
            counters.append({key: int(value[0]) for key, value in drive.unpack(
                BEAT_COUNTS, [int(dut.counts.value)]).items()})
        cycle += 1
    _check_counts(beats, acts, weights, counters, cycle)
    return issued_at, counters


def _check(dut, beat, memories, number):
    """Compare one beat with the plan, and its addresses with what lies there."""
    what = f"beat {number} ({beat})"
    ports = {name: int(getattr(dut, name).value) for name in beat.ports}
    assert ports == beat.ports, f"{what}: got {ports}"
    tile = {key: int(value[0]) for key, value
            in drive.unpack(output_tile_layout(configuration()), [int(dut.tile.value)]).items()}
    assert tile == beat.tile, f"{what}: got {tile}"
    for side, memory in memories.items():
        address, slot = (int(getattr(dut, f"{side}_{name}").value) for name in ("address", "slot"))
        expected = getattr(beat, side)
        assert memory.contents[address] == (expected, beat.k_block), (
            f"{what}: {side} address {address} holds {memory.contents[address]}")
        assert slot == expected % memory.slots, f"{what}: {side} slot {slot}"


def _check_counts(beats, acts, weights, counters, cycles):
    """Compare the counters with the plan: beats, and MX9 beats that were left out."""
    for number, counts in enumerate(counters):
        own = [beat for beat in beats if beat.job == number]
        pairs = {(beat.act, beat.weight, beat.k_block) for beat in own}
        wanted = sum(1 + int(acts[a][k] & 1) << int(weights[w][k] & 1) for a, w, k in pairs)
        expected = {"beats": len(own), "skipped": wanted - len(own)}
        assert counts == counts | expected, f"job {number}: {counts}, expected {expected}"
    # A cycle without a beat has one cause at most.
    assert sum(sum(counts.values()) - counts["skipped"] for counts in counters) <= cycles


def draw_job(rng, config):
    """Draw a small job that fits."""
    k = int(rng.integers(1, config.k_max + 1))
    most = min(config.tile_slots, config.act_depth // -(-k // 16))
    return Job(kind=JobKind(int(rng.integers(2))), m=int(rng.integers(1, 5 * config.rows)),
               n=int(rng.integers(1, 6 * config.cols)), k=k, tiles=int(rng.integers(1, most + 1)),
               output=Output(int(rng.integers(len(Output)))), bias=bool(rng.integers(2)))


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def walks_jobs_back_to_back(dut, idle, stall):
    rng, config = drive.rng("jobs"), configuration()
    corners = [Job(m=1, n=1, k=1), Job(m=4 * config.rows, n=2 * config.cols, k=16, tiles=4),
               Job(m=2 * config.rows, n=16 * config.cols - 1, k=16, tiles=1, output=Output.MX9)]
    await walk(dut, corners + [draw_job(rng, config) for _ in range(drive.amount(8, 100))],
               idle, stall)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def walks_hundreds_of_rows_and_of_columns(dut):
    config = configuration()
    await walk(dut, [Job(m=600, n=config.cols + 1, k=1), Job(m=1, n=600, k=1)])


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def issues_a_beat_every_cycle_across_tiles_and_jobs(dut):
    config = configuration()
    jobs = [Job(m=3 * config.rows, n=2 * config.cols, k=16 * 6, tiles=2)] * 2
    issued_at, counters = await walk(dut, jobs)
    assert issued_at == list(range(issued_at[0], issued_at[0] + len(issued_at)))
    assert counters[1] == counters[1] | {
        "act_stalls": 0, "weight_stalls": 0, "result_stalls": 0}


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def waits_while_the_results_have_no_room(dut):
    config = configuration()
    job = Job(m=12 * config.rows, n=config.cols, k=16, tiles=4)
    issued_at, counters = await walk(dut, [job], residuals=(1, 0, 0), row=400)
    before = sum(cycle < 400 for cycle in issued_at)
    assert before == config.result_depth // config.drain_cycles, (
        f"{before} tiles before any row left")
    assert 350 < counters[0]["result_stalls"] < 450


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(late=["act", "weight"])
async def counts_what_it_waits_for(dut, late):
    config = configuration()
    job = Job(m=config.rows, n=config.cols, k=64)
    _, counters = await walk(dut, [job], **{late: 300})
    assert 280 < counters[0][f"{late}_stalls"] < 310
    assert sum(counters[0][f"{name}_stalls"] for name in ("act", "weight", "result")) < 320


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def begins_a_job_of_any_size(dut):
    """The first tile of jobs that would take hours is a whole one, and none of their last."""
    config = configuration()
    for size in (1 << 32) - 1, *(1 << bit for bit in range(8, 32)), (1 << 32) - 1, 1 << 8:
        await drive.reset(dut)
        dut.act_ready.value = dut.weight_ready.value = 1
        job = Job(m=size, n=size, k=1)
        cocotb.start_soon(drive.send(dut, "jobs", job_words(config, [job], IGNORED)))
        for _ in range(100):
            await drive.ticks(dut, 1)
            if int(dut.issue.value):
                break
        assert int(dut.issue.value), f"no beat of a job of {size}"
        tile = drive.unpack(output_tile_layout(config), [int(dut.tile.value)])
        assert (tile["rows"], tile["cols"], tile["job_last"]) == (config.rows, config.cols, 0)
        await drive.ticks(dut, 20)  # what follows is walked ahead


@pytest.mark.parametrize("rows, cols, drain_rows, tile_slots", [
    (2, 3, 1, 4),  # no number of column tiles fills a block of results
    (5, 1, 1, 8), (3, 4, 2, 4), (8, 16, 4, 4),
])
def test_block_walker(rows, cols, drain_rows, tile_slots):
    config = small_config(rows=rows, cols=cols, drain_lanes=drain_rows * cols, k_max=112,
                          act_depth=29, weight_depth=17, tile_slots=tile_slots)
    bench.simulate(Schedule(config), __name__, f"schedule_{rows}x{cols}_{drain_rows}",
                   parameters=handed_over(config))
