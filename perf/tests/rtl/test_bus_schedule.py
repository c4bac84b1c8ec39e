"""The schedule of lists of commands against the Verilog, and faults that are planted in it."""

import json
from dataclasses import replace
from importlib import import_module
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from commands.checkout import ROOT
from commands.environment import seed
from golden.memory import Command, Operation
from golden.memory.descriptor import JobFlag
from golden.memory.jobs import FORMAT_CODES, Function, JobKind, Output, Rows, Selection
from golden.vector.statistics import scaled_epsilon
from hw.contract.config import Config
from hw.host.memory import RingHost
from hw.host.memory.registers import NamedRegisters
from perf.rtl.bus_schedule import Latencies, ScheduledCommand, predict_list
from perf.rtl.bus_schedule.groups import Groups
from perf.rtl.bus_schedule.machine import Machine
from perf.rtl.bus_schedule.stages import goes_through, has_residual, is_norm, is_pass, vectors
from perf.rtl.check_lists import MACHINES, conclude, run, simulate
from perf.rtl.compared_lists import ComparedList, RanList, compare
from perf.rtl.described_lists import describe_list
from perf.rtl.drawn_lists import BASE, RING_SIZE, SIZE, DrawnList
from perf.rtl.drawn_stages import StageDrawer, pattern
from perf.rtl.ring_scenarios import RingSizes, Shape, make_scenarios
from simulation.build import build
from simulation.memory_machine import Manners, SimulatedMemoryMachine

CONFIG, WITH_VECTOR = MACHINES["4x4"], MACHINES["4x4_vector"]
NO_BURSTS = MACHINES["4x4_no_bursts"]
LISTS = 12

RING = {"ring": (BASE, RING_SIZE)}


@pytest.fixture(scope="module")
def ran():
    """Run a few lists on the machine that other tests of lists build too."""
    return simulate("4x4", CONFIG, np.random.default_rng(seed()), LISTS)


@pytest.fixture(scope="module")
def ran_with_vector():
    """Run a few lists on a machine with a vector unit, and one whose rows leave without a gap."""
    rng = np.random.default_rng(seed())
    ran = simulate("4x4_vector", WITH_VECTOR, rng, LISTS)
    drawn = DrawnList(WITH_VECTOR, rng)
    numbers = drawn.place_rows(rng.standard_normal((12, 64)).astype(np.float32), "a")
    StageDrawer(drawn).vector_pass(
        12, 64, Output.FP16, rows=Rows.RMS_NORM.value, function=Function.NONE.value, flags=0,
        scalar=pattern(scaled_epsilon(64, 1e-5)), format=FORMAT_CODES["fp32"], interrupt=1,
        **numbers)
    with SimulatedMemoryMachine(build(WITH_VECTOR), BASE, SIZE,
                                outstanding=WITH_VECTOR.outstanding) as device:
        return [*ran, run(device, "4x4_vector, a norm", drawn, Latencies(20, 20))]


def outcome_of(compared: list[ComparedList], folder, least: int = 1) -> tuple[int, str, dict]:
    """Conclude; return the exit code, what was printed, and the report."""
    console = Console(file=StringIO(), width=200)
    code = conclude(console, compared, folder, least)
    return code, console.file.getvalue(), json.loads((folder / "report.json").read_text())["lists"]


@pytest.mark.xdist_group("small ring")
def test_every_cycle_of_simulated_lists_is_predicted(ran, tmp_path):
    (tmp_path / "report.json").write_text('{"jobs": 7}')
    code, printed, report = outcome_of([compare(each) for each in ran], tmp_path, LISTS)
    assert code == 0, printed
    row, = report["machines"]
    assert report["passed"] and row["exact"] == row["lists"] == LISTS
    assert row["jobs"] >= row["commands"] > LISTS and row["cycles"] > 1000
    assert json.loads((tmp_path / "report.json").read_text())["jobs"] == 7
    for name in ("act_stalls", "weight_stalls", "read_owed", "write_bursts"):
        assert any(np.any(each.counted[name]) for each in ran), f"no list has any {name}"
    assert {each.latencies.is_random for each in ran} == {False, True}
    assert any(each.latencies.pause for each in ran)


@pytest.mark.xdist_group("small ring")
def test_too_few_lists_prove_nothing_and_a_wrong_byte_is_a_difference(ran, tmp_path):
    compared = [compare(each) for each in ran]
    assert outcome_of(compared, tmp_path, LISTS + 1)[0] == 1
    wrong = replace(compared[0], ran=replace(ran[0], wrong_bytes=1))
    (tmp_path / "report.json").write_text('{"passed": true}')
    code, printed, _ = outcome_of([wrong, *compared[1:]], tmp_path)
    assert code == 1 and "1 wrong bytes" in printed
    assert not json.loads((tmp_path / "report.json").read_text())["passed"]


@pytest.mark.xdist_group("small ring")
@pytest.mark.parametrize("off", [-1, 1])
@pytest.mark.parametrize("module, constant", [
    ("descriptor_reader", "GATHERED"), ("dispatcher", "CHECKED"), ("read_channel", "SPLIT"),
    ("read_port", "OFFERED"), ("aligner", "HELD"), ("operand_reader", "TAKEN"),
    ("pass_gate", "ALIGNMENT"), ("stage_reader", "TAG_QUEUED"), ("stage_reader", "STORED"),
    ("packed", "PACKED_BUFFERED"),
    ("weights", "CHUNK_KNOWN"), ("array", "WALKED"), ("results", "NARROWED"),
    ("results", "CONVERTED"), ("packing", "CUT"), ("row_writer", "READ"), ("row_writer", "FLUSHED"),
    ("write_port", "OFFERED")])
def test_a_latency_that_is_off_by_one_is_found(ran, tmp_path, monkeypatch, module, constant, off):
    plant(monkeypatch, module, constant, off)
    code, printed, report = outcome_of([compare(each) for each in ran], tmp_path)
    assert code == 1 and not report["passed"]
    assert report["different"] and "counted and predicted" in printed


def plant(monkeypatch, module: str, constant: str, off: int) -> None:
    """Let a latency be off by so many cycles."""
    target = import_module(f"perf.rtl.bus_schedule.{module}")
    monkeypatch.setattr(target, constant, getattr(target, constant) + off)


@pytest.mark.xdist_group("vector ring")
def test_every_cycle_of_lists_with_stages_and_passes_is_predicted(ran_with_vector, tmp_path):
    code, printed, report = outcome_of(
        [compare(each) for each in ran_with_vector], tmp_path, LISTS + 1)
    assert code == 0, printed
    row, = report["machines"]
    assert report["passed"] and row["exact"] == row["lists"] == LISTS + 1
    commands = [each.command for ran in ran_with_vector for each in ran.commands]
    for has in (is_pass, is_norm, goes_through, has_residual, lambda each: any(vectors(each)),
                lambda each: is_pass(each) and each.is_packed):
        assert any(map(has, commands))


@pytest.mark.xdist_group("vector ring")
@pytest.mark.parametrize("off", [-1, 1])
@pytest.mark.parametrize("module, constant", [
    ("lane_results", "THROUGH"), ("lane_results", "WHOLE"), ("row_passes", "WHOLE"),
    ("row_passes", "STARTED"), ("row_passes", "TOTALLED"), ("row_passes", "MEASURED"),
    ("row_passes", "READ"), ("row_passes", "AHEAD"), ("pass_gate", "REGISTERS"),
    ("pass_gate", "ROWS_HELD"), ("result_tags", "ASSEMBLED")])
def test_a_latency_of_the_vector_unit_that_is_off_by_one_is_found(
        ran_with_vector, tmp_path, monkeypatch, module, constant, off):
    plant(monkeypatch, module, constant, off)
    assert outcome_of([compare(each) for each in ran_with_vector], tmp_path)[0] == 1


@pytest.mark.xdist_group("vector ring")
def test_a_row_that_takes_a_cycle_more_is_found(ran_with_vector, tmp_path):
    def longer(ran: RanList) -> RanList:
        return replace(ran, commands=[replace(each, row_cycles=tuple(
            tuple(cycles + 1 for cycles in rows) for rows in each.row_cycles))
            for each in ran.commands])
    assert outcome_of([compare(longer(each)) for each in ran_with_vector], tmp_path)[0] == 1


@pytest.mark.xdist_group("small ring")
@pytest.mark.parametrize("field", ["read", "write", "jitter", "seed", "lead"])
def test_a_memory_that_is_slower_by_a_cycle_or_draws_otherwise_is_found(ran, tmp_path, field):
    others = [replace(each, latencies=replace(
        each.latencies, **{field: getattr(each.latencies, field) + 1}))
        for each in ran if each.latencies.is_random]
    assert others
    assert outcome_of([compare(each) for each in others], tmp_path)[0] == 1


@pytest.mark.xdist_group("vector ring")
@pytest.mark.parametrize("off", [-1, 1])
@pytest.mark.parametrize("constant", ["CLEARED", "ENTERED", "FORGOTTEN", "LOADED"])
def test_a_latency_of_tables_that_is_off_by_one_is_found(monkeypatch, constant, off):
    def starts() -> list[int]:
        return predict_list(CONFIG, listed, Latencies(5, 5), **RING).first_beats
    drawn = DrawnList(CONFIG, np.random.default_rng(seed()))
    for _ in range(2):
        drawn.gemm(4, 4, 64, kind=JobKind.GEMM.value)
        drawn.tag(64, table=0)
    listed, _ = drawn.scheduled()
    before = starts()
    plant(monkeypatch, "table_loader", constant, off)
    assert starts() != before


def packed_results() -> list[ScheduledCommand]:
    """Describe two GEMMs whose tiles of results wait for their blocks, and one that reads on."""
    drawn = DrawnList(NO_BURSTS, np.random.default_rng(seed()))
    for m, n, k, output, tiles in ((25, 48, 1, Output.MX9, 5), (14, 46, 10, Output.MX9, 3),
                                   (4, 44, 94, Output.BF16, 1)):
        drawn.gemm(m, n, k, output=output, tiles=tiles)
    commands, _ = drawn.scheduled()
    return commands


def test_rows_that_only_wait_are_known_before_later_latencies_are_drawn():
    """The schedule says so itself if they are not."""
    commands = packed_results()
    for number in range(20):
        predict_list(NO_BURSTS, commands, Latencies(60, 400, jitter=86, seed=number), **RING)


def test_a_decision_that_goes_back_in_time_is_an_error(monkeypatch):
    """Rows are taken only when those before them have been cut, as if nothing could wait."""
    take = Groups.take

    def taken_late(groups, since):
        machine = current[0]
        if groups is machine._results._drained:
            yield from machine._results.cutter.free()
        return (yield from take(groups, since))

    monkeypatch.setattr(Groups, "take", taken_late)
    with pytest.raises(RuntimeError, match="may have been drawn for another burst"):
        for number in range(20):
            latencies = Latencies(60, 400, jitter=86, seed=number)
            current = [Machine(NO_BURSTS, packed_results(), latencies, RING["ring"], 0)]
            current[0].run()


def one(**fields) -> list[ScheduledCommand]:
    """Describe one small GEMM, some of whose fields are otherwise."""
    drawn = DrawnList(CONFIG, np.random.default_rng(seed()))
    drawn.gemm(4, 4, 16)
    (only,), _ = drawn.scheduled()
    return [ScheduledCommand(Command(**(only.command.describe() | fields)), only.jobs)]


@pytest.mark.parametrize("fields, sentence", [
    ({"operation": Operation.WAIT.value}, "command 0 waits for a word that others write"),
    ({"loads_order": 1}, "command 0 puts channels into an order"),
    ({"flags": JobFlag.REORDER.value}, "command 0 puts channels into an order"),
    ({"selection": Selection.STATIC.value, "units": 0}, "no command of the list has loaded"),
    ({"count_0": 2}, "has 2 iterations, but 1 jobs are described"),
    ({"m": 8}, "command 0 has m=8, but its job is described with 4"),
    ({"b": BASE + 8}, "command 0 has a fault, UNALIGNED"),
    ({"selection": Selection.HEAD.value, "units": 2}, "command 0 has a fault, REFUSED"),
    ({"b_stride": 64}, "a column tile has 4 beats, but its stride of 64 bytes has 2")])
def test_what_is_not_followed_is_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        predict_list(CONFIG, one(**fields), Latencies(5, 5), **RING)


def test_a_job_whose_tags_are_described_otherwise_is_refused():
    for selection in (Selection.HEAD, Selection.TOP):
        (only,) = one(selection=selection.value, units=0)
        job = replace(only.jobs[0], act_mx9=None, act_residual=None)
        is_untagged = selection is Selection.HEAD
        predict_list(CONFIG, [replace(only, jobs=(replace(job, untagged=is_untagged),))],
                     Latencies(5, 5), **RING)
        with pytest.raises(ValueError, match=f"with untagged={not is_untagged}"):
            predict_list(CONFIG, [replace(only, jobs=(replace(job, untagged=not is_untagged),))],
                         Latencies(5, 5), **RING)


def test_rows_that_are_normalized_without_their_cycles_are_refused():
    drawn = DrawnList(WITH_VECTOR, np.random.default_rng(seed()))
    drawn.commands.append(Command(
        operation=Operation.VECTOR, m=2, n=8, rows=Rows.LAYER_NORM, scalar=0x3F800000, count_0=1,
        count_1=1, **drawn.place_rows(np.ones((2, 8), np.float32), "a"),
        **drawn.results(2, 8, Output.FP32)))
    (only,), _ = drawn.scheduled()
    predict_list(WITH_VECTOR, [only], Latencies(5, 5), **RING)
    with pytest.raises(ValueError, match="normalizes 2 rows, whose cycles are to be said"):
        predict_list(WITH_VECTOR, [replace(only, row_cycles=())], Latencies(5, 5), **RING)


def tagged_gemm():
    """Return a list of a GEMM whose two blocks of results have tags."""
    drawn = DrawnList(WITH_VECTOR, np.random.default_rng(seed()))
    drawn.gemm(4, 20, 16, output=Output.MX6)
    drawn.tag(20, flags=JobFlag.TAGGED.value, is_of_results=True)
    commands, _ = drawn.scheduled()
    return commands


def test_tags_of_results_have_to_be_said():
    (only,) = tagged_gemm()
    assert len(only.result_tags) == 2
    predict_list(WITH_VECTOR, [only], Latencies(5, 5), **RING)
    with pytest.raises(ValueError, match="has 2 blocks in a row whose static tags are to be said"):
        predict_list(WITH_VECTOR, [replace(only, result_tags=())], Latencies(5, 5), **RING)


@pytest.mark.parametrize("unruly", [{"jitter": 3}, {"pause": 0.1}])
def test_tags_of_results_beside_a_memory_that_draws_are_refused(unruly):
    with pytest.raises(ValueError, match="beside a memory of fixed latencies alone"):
        predict_list(WITH_VECTOR, tagged_gemm(), Latencies(5, 5, **unruly), **RING)


def test_a_machine_without_a_bus_is_refused():
    with pytest.raises(ValueError, match="a machine between streams"):
        predict_list(Config.sized(rows=4, cols=4, k_max=256), one(), Latencies(5, 5), **RING)


@pytest.mark.parametrize("commands", [0, RING_SIZE + 1])
def test_a_list_has_to_fit_its_ring(commands):
    with pytest.raises(ValueError, match="a list has 1 to 32 commands"):
        predict_list(CONFIG, one() * commands, Latencies(5, 5), **RING)


@pytest.mark.parametrize("fields", [
    {"read": 0}, {"write": 0}, {"jitter": -1}, {"seed": -1}, {"pause": -0.1}, {"lead": -1}])
def test_a_memory_of_no_time_is_refused(fields):
    with pytest.raises(ValueError, match="must be at least"):
        Latencies(**({"read": 1, "write": 1} | fields))


def test_a_memory_that_always_pauses_is_refused():
    with pytest.raises(ValueError, match="a pause must be less than 1"):
        Latencies(1, 1, pause=1.0)


def test_latencies_are_drawn_as_the_harness_draws():
    # The first numbers of SplitMix64 from 0, by its authors' code.
    numbers = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    draws = Latencies(1, 1, jitter=999, seed=0).draws()
    assert [next(draws) for _ in numbers] == [number % 1000 for number in numbers]


def test_a_fence_costs_the_answers_it_waits_for():
    drawn = DrawnList(CONFIG, np.random.default_rng(seed()))
    for _ in range(2):
        drawn.gemm(8, 8, 32, has_bias=False)
    (first, second), _ = drawn.scheduled()

    def begins(**fields: int) -> tuple[int, int]:
        commands = [first, ScheduledCommand(
            Command(**(second.command.describe() | {"wait_a": 0, "wait_b": 0} | fields)),
            second.jobs)]
        schedule = predict_list(CONFIG, commands, Latencies(100, 100), **RING)
        return schedule.first_beats[1], schedule.command_ends[0]

    free, _ = begins()
    fenced, ended = begins(wait_a=1)
    assert free < ended < ended + 100 < fenced
    assert begins(wait_a=2)[0] == free  # leads beyond the first command


def test_the_example_in_the_docs_says_that_layers_keep_the_array_busy(capsys):
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    exec(text.split("```python\n")[1].partition("```")[0], {})  # the page's own words
    ends, stalls = capsys.readouterr().out.partition("]")[::2]
    first, second, third = (int(end) for end in ends.strip("[").split(","))
    assert third - second == second - first == 8 * 144 * 72  # pairs of tiles, K-blocks of each
    assert stalls.split()[0] == "0"


@pytest.mark.xdist_group("small ring")
def test_the_lists_of_bench_ring_are_predicted():
    sizes = RingSizes(
        layer=Shape(16, 128, 64), deep_layer=Shape(16, 256, 64), narrow_layer=Shape(16, 128, 8),
        scores=Shape(32, 24, 32), values=Shape(32, 32, 24), small=Shape(8, 32, 32),
        chained=Shape(16, 32, 32), heads=5, jobs=6)
    with SimulatedMemoryMachine(build(CONFIG), BASE, SIZE) as device:
        for scenario in make_scenarios(sizes):
            device.reset()
            device.behave(Manners(read_latency=scenario.latency, write_latency=scenario.latency))
            with RingHost(device, BASE, SIZE, ring_size=RING_SIZE,
                          clock=lambda: device.cycles / 1e6) as host:
                commands = host.commands()
                scenario.fill(host, commands, scenario, np.random.default_rng(seed()))
                ring = NamedRegisters(device).read_long("RING_BASE"), RING_SIZE
                listed = [each.command for each in commands.entries]
                described, _ = describe_list(CONFIG, listed, device.memory, BASE, ring)
                host.run(commands)
                schedule = predict_list(
                    CONFIG, described, Latencies(scenario.latency, scenario.latency), ring=ring)
                # The doorbell rang whenever the host was ready: count from the first job's end.
                for counted, predicted in (
                        (device.command_ends(), [end + 1 for end in schedule.command_ends]),
                        (device.job_ends(), schedule.job_ends)):
                    begin = device.job_ends()[0] - schedule.job_ends[0]
                    assert counted == [end + begin for end in predicted], scenario.name
