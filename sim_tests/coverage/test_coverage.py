"""Coverage: its Verilog is the same circuit, points stand at their lines, holes are seen."""

import re
from collections import Counter

import cocotb
import pytest
from amaranth import unsigned

from hw.activations.outlier_detector import OutlierDetector
from hw.contract.config import Config
from hw.control.scoreboard import Scoreboard
from hw.control.table_record import TableRecord
from hw.parts.emit import emit_files
from hw.streams.skid_buffer import SkidBuffer
from sim_tests import bench, drive, simulators
from sim_tests.coverage import documents, exclusions
from sim_tests.coverage.benches import benches_of, find_benches, find_modules
from sim_tests.coverage.constants import constants
from sim_tests.coverage.emission import emit, without_places
from sim_tests.coverage.exclusions import Exclusion
from sim_tests.coverage.pages import page_name, write_pages
from sim_tests.coverage.places import read_places
from sim_tests.coverage.points import Point, read_counts
from sim_tests.coverage.record import read_counts_of, write_counts
from sim_tests.coverage.simulator import CoverageVerilator
from sim_tests.coverage.totals import Total, by_module, overall

SKID = "hw/streams/skid_buffer.py"
pytestmark = pytest.mark.xdist_group("coverage")

CONFIG = Config.sized(rows=3, cols=5, k_max=60, tables=2)


@cocotb.test
async def never_stalls(dut):
    await drive.reset(dut)
    dut.o__ready.value = 1
    for word in (1, 0, 1, 0):
        dut.i__valid.value, dut.i__payload.value = word, word
        await drive.ticks(dut, 1)


@pytest.fixture(scope="module")
def reached():
    """Give what `never_stalls` reaches of a skid buffer of 100 bits."""
    taken = []

    def take(verilog, found):
        text = found.read_text(encoding="latin-1")
        places = read_places(verilog.read_text(encoding="utf-8"))
        taken.append(read_counts(text, places, constants(verilog)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(simulators.SIMULATORS, "verilator", CoverageVerilator(take))
        built = bench.build(SkidBuffer(unsigned(100)), "never_stalls", simulator="verilator")
    bench.run(built, __name__)
    return taken[0]


def line_of(text: str) -> int:
    """Return the one line of the skid buffer's source that has a text."""
    found = [number for number, line in enumerate((bench.ROOT / SKID).read_text().splitlines(), 1)
             if text in line]
    assert len(found) == 1, text
    return found[0]


def circuit(text: str) -> list[str]:
    """Return the tokens of Verilog."""
    return re.findall(r"\w+|[^\w\s]", re.sub(r"/\*.*?\*/", "", text))


@pytest.mark.parametrize("component", [
    lambda: OutlierDetector(k_blocks_max=4), lambda: TableRecord(CONFIG),
    lambda: Scoreboard(CONFIG),
], ids=["detector", "record", "scoreboard"])
def test_verilog_with_places_is_the_same_circuit(component):
    plain, marked = emit_files(component(), "top"), emit(component(), "top")
    assert list(plain) == list(marked)
    for name, text in plain.items():
        assert circuit(without_places(marked[name])) == circuit(without_places(text))
        assert "src = " in marked[name] or name.endswith("sram_1r1w.v")


def test_points_stand_at_the_lines_of_the_source(reached):
    condition, statement = line_of("with m.If("), line_of("aside.eq(self.i.p)")
    assert reached[Point(SKID, statement, "line")]
    assert reached[Point(SKID, condition, "branch", f"aside: takes the arm of line {statement}")]
    assert reached[Point(SKID, condition, "branch", "aside: no arm is taken")]
    assert {point.line for point in reached if point.what.startswith("is_aside")
            and point.kind == "toggle"} == {line_of("is_aside = Signal()")}
    assert {point.module for point in reached} == {SKID}


def test_what_no_stimulus_reaches_is_seen(reached):
    missed = {point.what for point in reached if not reached[point]}
    assert {"is_aside rises", "is_aside falls", "o__ready falls", "aside[2] rises"} <= missed
    assert "Mux chooses the first" in {what.rpartition(": ")[2] for what in missed}
    assert not {"aside[0] rises", "i__valid falls", "i__payload[0] falls"} & missed


def test_only_the_bits_that_turn_count(reached):
    """Verilator as it is counts those of the words above too."""
    turned = {point.what for point in reached if reached[point]}
    assert {what for what in turned if what.startswith("i__payload")} == {
        "i__payload[0] rises", "i__payload[0] falls"}


def test_a_constant_is_no_point(tmp_path):
    verilog = tmp_path / "top.v"
    verilog.write_text("module top(clk, rst, i, o);\n  input clk, rst;\n  input [1:0] i;\n"
                       "  output [2:0] o;\n  reg held;\n  assign o = { held, i[0] & 1'h0, i[1] };\n"
                       "  always @(posedge clk)\n    if (rst) held <= 0; else held <= held;\n"
                       "endmodule\n")
    assert constants(verilog) == {("top", "o"): {1, 2}, ("top", "held"): {0}}


def test_exclusions_have_reasons_and_leave_out_only_what_is_not_reached(tmp_path):
    hit, missed = (Point("hw/a.py", 1, "toggle", f"x[{bit}] rises") for bit in range(2))
    rule = Exclusion("hw/a.py", "toggle", r"x\[\d\] rises", "it is so")
    counts = Counter({hit: 3, missed: 0})
    assert exclusions.excluded(counts, [rule]) == {missed: "it is so"}
    assert exclusions.idle([], [rule]) == [rule] and not exclusions.idle([missed], [rule])
    total = overall(by_module(counts, {missed}))["toggle"]
    assert total == Total(reached=1, points=1, excluded=1)
    bad = tmp_path / "bad.toml"
    for line in ('reason = ""', 'reason = "x"\nkind = "state"', 'reason = "x"\nwho = "me"'):
        kind = "" if "kind" in line else 'kind = "line"\n'
        bad.write_text(f'[[exclusion]]\nmodule = "a"\nwhat = "b"\n{kind}{line}\n')
        with pytest.raises(ValueError, match=r"bad\.toml"):
            exclusions.read(bad)


def test_the_exclusions_name_files_that_are_there():
    for each in exclusions.read():
        assert (bench.ROOT / each.module).is_file(), each


def test_counts_are_kept_and_added_up(reached, tmp_path):
    files = [tmp_path / "a.gz", tmp_path / "b.gz"]
    for file in files:
        write_counts(file, reached)
    twice = read_counts_of(files)
    assert set(twice) == set(reached)  # points that were not reached too
    assert all(twice[point] == 2 * count for point, count in reached.items())


def test_the_pages_show_what_is_missing(reached, tmp_path):
    index = write_pages(tmp_path, reached, {}, by_module(reached, ()), None)
    assert f'href="{page_name(SKID)}"' in index.read_text(encoding="utf-8")
    page = (tmp_path / page_name(SKID)).read_text(encoding="utf-8")
    assert "is_aside rises" in page and "is_aside = Signal()" in page
    assert f'<tr class="missed" id="{line_of("is_aside = Signal()")}">' in page


def test_a_share_is_never_rounded_up_to_all():
    assert Total(9999, 10000).percent == "99.9" and Total(1, 1).percent == "100.0"


def test_modules_find_their_benches():
    found = [each.name for each in benches_of(["registers/csr", "activations/radix_select"])]
    assert found == ["csr", "outlier_detector"]
    assert {each.machine for each in benches_of(["accelerator"])} == {"3x5", "4x4"}
    assert benches_of([]) == find_benches()
    assert {"accelerator", "control/scoreboard"} <= set(find_modules())


def test_signals_of_one_name_in_a_module_count_as_one(tmp_path):
    file, at = tmp_path / "counts.gz", ("hw/a.py", 7, "toggle")
    write_counts(file, Counter({
        Point(*at, "o rises"): 0, Point(*at, "o_31_row[2] rises"): 2,
        Point(*at, "o_row[2] rises"): 3, Point(*at, "bank_0 rises"): 1,
        Point("hw/a.py", 9, "toggle", "o rises"): 1, Point("hw/a.py", 9, "toggle", "o falls"): 0,
        Point("hw/b.py", 9, "toggle", "o rises"): 0,
        Point("hw/a.py", 8, "toggle", "p_4 rises"): 1}))
    assert read_counts_of([file]) == Counter({
        Point(*at, "o_row[2] rises"): 5, Point(*at, "bank_0 rises"): 1,
        Point("hw/a.py", 9, "toggle", "o rises"): 1, Point("hw/a.py", 9, "toggle", "o falls"): 0,
        Point("hw/b.py", 9, "toggle", "o rises"): 0, Point("hw/a.py", 8, "toggle", "p_4 rises"): 1})


def test_the_one_bit_of_a_signal_that_is_wider_elsewhere_is_its_lowest(tmp_path):
    file, at = tmp_path / "counts.gz", ("hw/a.py", 7)
    write_counts(file, Counter({
        Point(*at, "toggle", "table rises"): 0, Point(*at, "toggle", "table[0] rises"): 2,
        Point(*at, "toggle", "table[1] rises"): 0, Point(*at, "toggle", "last rises"): 0,
        Point(*at, "branch", "table takes arm 1"): 0,
        Point("hw/b.py", 7, "toggle", "table rises"): 0}))
    assert read_counts_of([file]) == Counter({
        Point(*at, "toggle", "table[0] rises"): 2, Point(*at, "toggle", "table[1] rises"): 0,
        Point(*at, "toggle", "last rises"): 0, Point(*at, "branch", "table takes arm 1"): 0,
        Point("hw/b.py", 7, "toggle", "table rises"): 0})


def test_a_port_has_the_place_of_the_signal_of_its_name():
    """On the same net is a port of a memory, which Amaranth declares later."""
    text = emit(Scoreboard(Config(tables=2)), "top")["top.v"]
    modules = {module.name: module for module in read_places(text).modules.values()}
    own, memory = "hw/control/scoreboard.py", "hw/parts/sram.py"
    signals = modules["top"].signals
    assert signals["beat_counts__payload"][0] == signals["job"][0] == own
    assert signals["write_data"][0] == memory
    assert modules["top_beat_counts"].signals["write_data"][0] == memory


def test_the_page_shows_the_records():
    text = documents.PAGE.read_text(encoding="utf-8")
    assert documents.page(text) == text, "mixdit check coverage --keep, or gates"


def test_what_a_memory_gives_is_not_constant(tmp_path):
    files = emit(OutlierDetector(k_blocks_max=4), "top")
    verilog = tmp_path / "top.v"
    memory = files["top_sram_1r1w.v"].replace("endmodule\n", "`UNKNOWN_TO_YOSYS\nendmodule\n")
    verilog.write_text(files["top.v"] + memory)
    assert not [name for module, name in constants(verilog) if name == "read_data"]


def test_the_reset_is_no_condition():
    marks = f'    (* src = "{bench.ROOT}/{SKID}:7" *)\n    (* arms = "{bench.ROOT}/{SKID}:8" *)\n'
    text = "module top(a);\n  always @* begin\n" + "".join(
        f"{marks}    if ({name}) begin\n      x = 1'h0;\n    end\n"
        for name in ("rst", "engines_rst", "burst")) + "  end\nendmodule\n"
    conditions = [condition for condition, _ in read_places(text).arms.values()]
    assert [each.place for each in conditions] == [None, None, (SKID, 7)]
    assert [each.arms for each in conditions] == [[[]], [[]], [[(SKID, 8)]]]
