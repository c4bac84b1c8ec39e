"""Commands, refusals, interrupts, tables and counters, against a model of the register page."""

from dataclasses import dataclass

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge

from hw.contract.config import JOBS_UNDER_WAY, Config
from hw.contract.counts import BEAT_COUNTS, CONVERSION_COUNTS
from hw.contract.job import asked_stages_layout, job_layout
from hw.contract.job_codes import FORMAT_CODES, JobKind, Output, Selection
from hw.control.controller import Controller
from hw.control.scoreboard import score_layout
from hw.host.job_request import Job
from hw.registers.codes import Refusal
from sim_tests import bench, drive
from sim_tests.stimuli import job_settings, pass_settings
from sim_tests.stimuli.operands import configuration, handed_over, job_words, small_config

START, ABORT, RESUME = 1, 2, 4
COMMANDS = (*range(8), *[START] * 10, *[RESUME] * 3)
EVENTS = ("ended", "refused", "act_length", "act_keep", "weight_length", "weight_keep")
REGISTER = {"saturated_elements": "saturated"}


@dataclass
class Model:
    """The state that the register page tells of."""

    draining: bool = False
    refusal: int = 0
    ended: int = 0
    faults: int = 0
    score: dict | None = None


def good_job(config):
    """Return registers of a job that can be run."""
    return {"kind": 0, "m": 5, "n": 7, "k": 20, "tiles": 1,
            "format": FORMAT_CODES[config.float_formats[0]], "output": 0, "flags": 0, "table": 0,
            "selection": 0, "units": 1, "threshold": 1}


def bad_jobs(config):
    """Return what makes a good job a bad one, by why it is refused.

    The table matters only where it is to be loaded: the job itself does not look at it.
    """
    return {Refusal.ZERO_SIZE: {"m": 0}, Refusal.K_TOO_LARGE: {"k": config.k_max + 1},
            Refusal.TAGS_INCOMPLETE: {"selection": Selection.STATIC.value},
            Refusal.UNKNOWN_TABLE: {"table": config.tables}}


def draw_job(rng, config):
    """Draw a job that can be run by whatever is in the tables."""
    def up_to(most):
        return int(rng.integers(1, most + 1))

    def one_of(values):
        return values[rng.integers(len(values))]

    kind = one_of(list(JobKind))
    k = up_to(config.k_max)
    k_blocks = -(-k // 16)
    selection = one_of([each for each in Selection if each is not Selection.STATIC])
    most_units = 1 if selection is Selection.HEAD else k_blocks
    options = {"output": Output(one_of(config.outputs)), "bias": one_of([False, True]),
               "measure": one_of([False, True])} if kind is JobKind.GEMM else {}
    return Job(kind=kind, m=up_to((1 << 32) - 1), n=up_to((1 << 32) - 1), k=k,
               tiles=up_to(min(config.tile_slots, config.act_depth // k_blocks)),
               float_format=one_of(config.float_formats), table=up_to(config.tables) - 1,
               selection=selection, units=one_of([0, up_to(most_units), most_units]),
               threshold=up_to(0x7F800000), **options)


async def settle(dut, **settings):
    """Write job registers; they stand a cycle before a START."""
    for name, value in settings.items():
        getattr(dut, f"registers__job_{name}").value = value
    await drive.ticks(dut, 1)


def draw_score(rng):
    """Draw a score."""
    flags = ["has_beats", *(["has_blocks", "saturated"] if configuration().vector_lanes else [])]
    return {"faults": int(rng.integers(16)), "cycles": int(rng.integers(1 << 48)),
            **{name: int(rng.integers(2)) for name in flags},
            **{layout: {name: int(rng.integers(1 << 48)) for name in members}
               for layout, members in (("beat_counts", BEAT_COUNTS.members),
                                       ("conversion_counts", CONVERSION_COUNTS.members))}}


def score_bits(score):
    """Pack a score."""
    return drive.pack(score_layout(configuration()), {
        name: {key: [each] for key, each in value.items()} if isinstance(value, dict) else [value]
        for name, value in score.items()})[0]


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(busy=[0.1, 0.5])
async def obeys_commands_and_shows_what_became_of_jobs(dut, busy):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    job, model = good_job(config), Model()
    under_way, why, sent, seen = 0, Refusal.NONE, 0, set()
    bad = bad_jobs(config)
    await settle(dut, **job)
    for _ in range(int(drive.amount(800, 12_000) / busy)):
        if rng.random() < 0.05:
            why = Refusal.NONE if why in bad else list(bad)[rng.integers(len(bad))]
            dut.registers__control.value = dut.job_ended.value = 0
            dut.loads.value = int(why is Refusal.UNKNOWN_TABLE or rng.random() < 0.5)
            await settle(dut, **job | bad.get(why, {}))
        command = int(rng.choice(COMMANDS)) if rng.random() < busy else 0
        ends = under_way > 0 and rng.random() < busy / 2
        score = draw_score(rng)
        faults = int(rng.integers(16)) if rng.random() < 0.1 else 0
        pending, enabled = int(rng.integers(64)), int(rng.integers(64)) & int(rng.integers(64))
        output_pending = int(rng.integers(2))
        for name in ("jobs__ready", "registers__maximum_channel", "registers__irq_pending_cleared"):
            port = getattr(dut, name)  # nobody looks at it
            port.value = int(rng.integers(1 << len(port)))
        for name, value in (
            ("registers__control", command), ("under_way", under_way), ("job_ended", int(ends)),
            ("faults", faults), ("registers__irq_pending", pending),
            ("registers__irq_enable", enabled), ("output_pending", output_pending),
        ):
            getattr(dut, name).value = value
        # The counts of a job that has ended stand from the cycle after on.
        shown = model.score if model.score is not None else score
        mixed = score | {name: shown[name] for name in ("beat_counts", "conversion_counts")}
        dut.score.value = score_bits(mixed)
        await ReadOnly()

        starts, aborts = bool(command & START), bool(command & ABORT)
        refusal = Refusal.QUEUE_FULL if under_way == JOBS_UNDER_WAY else why
        refusal = Refusal.DRAINING if model.draining or aborts else refusal
        is_taken = starts and refusal is Refusal.NONE
        assert int(dut.jobs__valid.value) == is_taken
        assert int(dut.checked.value) == why
        if is_taken:
            fields = drive.unpack(job_layout(config), [int(dut.jobs__payload.value)])
            assert {name: int(fields[name][0]) for name in ("kind", "m", "n", "k", "tiles")} == {
                name: job[name] for name in ("kind", "m", "n", "k", "tiles")}
        free = 0 if model.draining else JOBS_UNDER_WAY - under_way
        assert int(dut.registers__status.value) == (
            under_way | free << 8 | model.draining << 16 | output_pending << 17)
        happened = (int(ends) | (starts and not is_taken) << 1 | faults << 2)
        assert int(dut.registers__irq_pending_set.value) == happened
        assert int(dut.irq.value) == bool(pending & enabled)
        assert int(dut.drain.value) == model.draining
        assert int(dut.registers__refusal.value) == model.refusal
        assert int(dut.registers__jobs_ended.value) == model.ended
        assert int(dut.registers__job_faults.value) == model.faults
        check_counters(dut, model)
        seen.add((refusal, starts))

        await RisingEdge(dut.clk)
        if starts:
            model.refusal = refusal.value
        if ends:
            model.ended, model.faults, model.score = model.ended + 1, score["faults"], score
        model.draining = aborts or (model.draining and not command & RESUME)
        under_way += is_taken - ends
        sent += is_taken
    assert sent > 50
    assert {(code, True) for code in (Refusal.NONE, *bad, Refusal.QUEUE_FULL,
                                      Refusal.DRAINING)} <= seen


def check_counters(dut, model):
    """Compare the counters with those of the job that ended last; zero before the first."""
    def shown(name):
        low, high = (int(getattr(dut, f"registers__{name}_{end}").value)
                     for end in ("low", "high"))
        return low | high << 32

    score = model.score
    assert shown("cycles") == (score["cycles"] if score else 0)
    for name in BEAT_COUNTS.members:
        wanted = score["beat_counts"][name] if score and score["has_beats"] else 0
        assert shown(REGISTER.get(name, name)) == wanted, name
    for name in CONVERSION_COUNTS.members:
        wanted = score["conversion_counts"][name] if score and score.get("has_blocks", 1) else 0
        assert shown(REGISTER.get(name, name)) == wanted, name


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def hands_over_the_job_that_the_registers_describe(dut):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    names = list(good_job(config))
    for _ in range(drive.amount(200, 4_000)):
        job = draw_job(rng, config)
        before = rng.integers(1 << 32, size=len(names))  # a cycle later it does not matter
        await settle(dut, **dict(zip(names, map(int, before), strict=True)))
        assert not int(dut.jobs__valid.value)
        await settle(dut, **{name.removeprefix("JOB_").lower(): value
                             for name, value in job.registers().items()})
        dut.registers__control.value = START
        await ReadOnly()
        assert int(dut.jobs__valid.value), job
        words = [int(dut.jobs__payload.value), *job_words(config, [job])]
        given, wanted = (drive.unpack(job_layout(config), [word]) for word in words)
        assert given == wanted, job
        await RisingEdge(dut.clk)
        dut.registers__control.value = 0


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def says_a_cycle_later_why_a_job_would_be_refused(dut):
    """Without a START, whatever else the machine does, and nothing comes of it."""
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    before, seen = None, set()
    for _ in range(drive.amount(1_500, 15_000)):
        job, loads = job_settings.draw(rng, config), bool(rng.integers(2))
        asked = pass_settings.NOTHING
        if config.vector_lanes:
            if rng.random() < 0.5:
                job, asked = pass_settings.make_pass(rng, job), pass_settings.draw_asked(rng)
            fields = asked.fields(job["flags"])
            dut.stages.value, = drive.pack(
                asked_stages_layout(), {name: [value] for name, value in fields.items()})
        for name, value in job.items():
            getattr(dut, f"registers__job_{name}").value = value
        dut.loads.value, dut.under_way.value = int(loads), int(rng.integers(JOBS_UNDER_WAY + 1))
        dut.registers__control.value = int(rng.choice([0, 0, ABORT, RESUME]))
        await ReadOnly()
        if before is not None:
            assert Refusal(int(dut.checked.value)) is before
        assert not int(dut.jobs__valid.value) and not int(dut.registers__irq_pending_set.value)
        assert int(dut.registers__refusal.value) == Refusal.NONE
        before = job_settings.expected(config, job, job_settings.Loaded(), loads, asked)
        seen.add(before)
        await RisingEdge(dut.clk)
    assert seen >= {Refusal.NONE, Refusal.UNKNOWN_TABLE, Refusal.ORDER_INCOMPLETE,
                    *(job_settings.OF_STAGES if config.vector_lanes else ())}


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def each_event_raises_the_interrupt_where_it_is_enabled(dut):
    await drive.reset(dut)
    for pending in range(len(EVENTS)):
        for enabled in range(len(EVENTS)):
            dut.registers__irq_pending.value = 1 << pending
            dut.registers__irq_enable.value = 1 << enabled
            await ReadOnly()
            assert int(dut.irq.value) == (pending == enabled)
            await RisingEdge(dut.clk)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def entries_go_to_tables_that_exist_and_are_not_in_use(dut):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    places, tags = [0] * config.tables, [0] * config.tables
    outcomes = set()
    for _ in range(drive.amount(1500, 30000)):
        table = int(rng.integers(config.tables + 1 if rng.random() < 0.9 else 1 << 32))
        in_use = int(rng.integers(1 << config.tables)) & int(rng.integers(1 << config.tables))
        exists = table < config.tables
        place = places[table] if exists and rng.random() < 0.8 else int(rng.integers(1 << 16))
        block = tags[table] if exists and rng.random() < 0.8 else int(rng.integers(1 << 16))
        channel = int(rng.integers(config.k_max + 3 if rng.random() < 0.9 else 1 << 16))
        is_mx9, unused = int(rng.integers(2)), int(rng.integers(1 << 15))
        clear = int(rng.integers(4))
        for name, value in (("registers__table_select", table), ("tables_in_use", in_use),
                            ("registers__order_entry", place | channel << 16),
                            ("registers__tag_entry", is_mx9 | unused << 1 | block << 16),
                            ("registers__table_clear", clear)):
            getattr(dut, name).value = value
        await RisingEdge(dut.clk)  # an entry stands a cycle before it is written
        await ReadOnly()
        is_free = exists and not in_use >> table & 1
        takes = {
            "order_entry": (is_free and place < config.k_max and channel < config.k_max
                            and place == places[table]),
            "tag_entry": (is_free and block < config.k_blocks_max and block == tags[table]),
            "table_clear": is_free,
        }
        if int(dut.registers__entries_wait.value):
            await RisingEdge(dut.clk)
            continue
        for name, is_taken in takes.items():
            assert int(getattr(dut, f"registers__{name}_busy").value) != is_taken, name
        outcomes |= set(takes.items())
        await RisingEdge(dut.clk)
        which = str(rng.choice(list(takes), p=[0.6, 0.35, 0.05]))
        is_written = takes[which]
        getattr(dut, f"registers__{which}_write").value = int(is_written)
        await ReadOnly()
        orders, tagged = which == "order_entry", which == "tag_entry"
        assert int(dut.order_write__valid.value) == (is_written and orders)
        assert int(dut.tag_write__valid.value) == (is_written and tagged)
        if is_written and orders:
            assert [int(getattr(dut, f"order_write__{name}").value)
                    for name in ("table", "place", "channel")] == [table, place, channel]
            places[table] += 1
        if is_written and tagged:
            assert [int(getattr(dut, f"tag_write__{name}").value)
                    for name in ("table", "k_block", "is_mx9")] == [table, block, is_mx9]
            tags[table] += 1
        if is_written and which == "table_clear":
            places[table] = 0 if clear & 1 else places[table]
            tags[table] = 0 if clear & 2 else tags[table]
        await RisingEdge(dut.clk)
        getattr(dut, f"registers__{which}_write").value = 0
    assert len(outcomes) == 6


@pytest.mark.parametrize("tables", [1, 4])
def test_controller(tables):
    config = small_config(rows=2, cols=3, k_max=256, tables=tables, tile_slots=16)
    bench.simulate(Controller(config), __name__, f"controller_{tables}",
                   parameters=handed_over(config))


def test_controller_of_passes():
    config = Config.sized(rows=2, cols=4, k_max=256, bus_bytes=16, vector_lanes=4)
    bench.simulate(Controller(config), __name__, "controller_of_passes",
                   parameters=handed_over(config))
