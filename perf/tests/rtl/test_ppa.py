"""Area and clock: the library, the mapping of adders, best points, claims, budgets, mistakes."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from commands.exit_codes import ExitCode
from commands.tests.calling import call
from hw.array.dot_product import DotProduct
from perf.rtl.ppa import command
from perf.rtl.ppa.budgets import TOLERANCE, Budget, complaint, read_budgets
from perf.rtl.ppa.claims import make_claims
from perf.rtl.ppa.library import LibraryError, find_library
from perf.rtl.ppa.measure import Measured, Point, measure
from perf.rtl.ppa.mixes import beats_per_block, find_mixes, model_beats
from perf.rtl.ppa.recipes import AREA_RECIPES, SPEED_RECIPES
from perf.rtl.ppa.report import write_json
from perf.rtl.ppa.synthesis import HERE, SynthesisError, synthesize
from perf.rtl.ppa.timing import CriticalPath
from perf.rtl.ppa.unit import Unit
from perf.rtl.ppa.units import UNITS
from perf.tests.rtl.small_units import ADDER_UNIT, with_memory
from perf.workloads import Block, Gemm, GemmKind, load_models

LIBERTY = """\
library (small) {
  cell (BUF) { area : 3.0; pin (Y) { direction : output; } }
  cell ("NAND2_X1") {
    area : 2.0;
    pin (Y) { direction : output; }
  }
  cell (DFFP) {
    area : 9.0;
    ff (IQ, IQN) { clocked_on : "CK"; }
  }
  cell (FILL) { dont_use : true; }
}
"""


def test_reads_areas_and_flip_flops_of_a_library(tmp_path):
    file = tmp_path / "small.lib"
    file.write_text(LIBERTY)
    library = find_library(str(file))
    assert library.areas == {"BUF": 3.0, "NAND2_X1": 2.0, "DFFP": 9.0}
    assert library.flip_flops == {"DFFP"}
    assert library.roles.gate == "NAND2_X1" and library.roles.driver == "BUF"
    assert library.gate_equivalents({"BUF": 4, "DFFP": 2}) == (4 * 3 + 2 * 9) / 2


@pytest.mark.parametrize("name, text, sentence", [
    ("gone.lib", None, "there is no liberty file at"),
    ("strange.lib", "library (x) { cell (A) { area : 1; } }", "no cell named like"),
    ("osu018_stdcells.lib", LIBERTY, "has no cell NAND2X1"),
])
def test_refuses_a_library_with_a_sentence(tmp_path, name, text, sentence):
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    with pytest.raises(LibraryError, match=sentence):
        find_library(str(file))


ADDERS = """\
module top(input [6:0] a, input signed [4:0] b, input [6:0] c, input s,
           output [8:0] sum, output signed [8:0] difference, output [7:0] either, three);
  assign sum = a + c + s;
  assign difference = $signed(b) - $signed({1'b0, a});
  assign either = s ? a - c : a + c;
  assign three = a + {c[3:0], 2'b10} + 3;
endmodule
"""

EQUIVALENT = """\
read_verilog {source}
prep -flatten -top top
rename top gold
design -stash gold
read_verilog {source}
synth -top top -run coarse:fine
maccmap
techmap -map {here}/full_adders.v
tee -q -o before.txt stat
opt
techmap -map {here}/constant_adders.v
opt
read_verilog adder.v
hierarchy -top top
flatten
techmap
opt
rename top gate
design -stash gate
design -copy-from gold -as gold gold
design -copy-from gate -as gate gate
miter -equiv -flatten -make_assert gold gate miter
sat -verify -prove-asserts miter
"""

ADDER = """\
module full_adder (input a, b, c, output sum, carry);
  assign {carry, sum} = a + b + c;
endmodule
"""


def prove_adders(folder, here=HERE):
    """Let Yosys' SAT solver compare adders with their mapping to full adders."""
    (folder / "adders.v").write_text(ADDERS)
    (folder / "adder.v").write_text(ADDER)
    (folder / "prove.ys").write_text(EQUIVALENT.format(source="adders.v", here=here))
    return subprocess.run(
        [sys.executable, "-c", "from pyosys import libyosys as y; "
         "y.run_pass('script prove.ys', y.Design())"],
        cwd=folder, capture_output=True, text=True, check=False)


def test_full_adders_add_and_subtract(tmp_path):
    run = prove_adders(tmp_path)
    assert run.returncode == 0, run.stdout[-2000:]
    adders = (tmp_path / "before.txt").read_text()
    assert "full_adder" in adders, "nothing was mapped"


def test_the_proof_sees_a_wrong_full_adder(tmp_path):
    for name in ("full_adders.v", "constant_adders.v"):
        text = (HERE / name).read_text()
        (tmp_path / name).write_text(text.replace("(b & c)", "b").replace(
            "(a & b) | (c & (a | b))", "(a & b) | (c & a)"))
    assert prove_adders(tmp_path, tmp_path).returncode != 0


def test_measures_area_registers_and_path(library, tmp_path):
    done = []
    [found] = measure([ADDER_UNIT], library, tmp_path,
                      on_progress=lambda *progress: done.append(progress))
    assert found.area.registers == 9
    assert 9 * 4 + 8 * 3 < found.area.area < 9 * 4 + 8 * 8
    assert found.area.area == min(found.others.values())
    assert set(found.others) == {"gates", "full adders"}, "Booth needs a multiplication"
    assert 0.3 < found.speed.path.nanoseconds < 3
    assert found.per_mac == found.area.area / 2 and found.per_mx9_mac == 4 * found.per_mac
    assert [progress[0] for progress in done] == list(range(1, len(done) + 1))


def test_the_same_figures_on_a_second_run(library, tmp_path):
    unit = next(unit for unit in UNITS if unit.name == "dot_product")
    texts = []
    for jobs in (1, 2):
        folder = tmp_path / str(jobs)
        found = measure([unit], library, folder, jobs=jobs)
        write_json(folder / "report.json", found, [], library)
        texts.append((folder / "report.json").read_text())
    assert texts[0] == texts[1]


def test_counts_memories_as_bits_and_not_as_area(library, tmp_path):
    unit = Unit("memory", with_memory)
    [found] = measure([unit], library, tmp_path)
    assert found.memory_bits == 64 * 32
    assert found.area.registers == 0 and found.area.area < 10
    assert found.speed.registers >= 32, "paths into and out of the memory end in registers"


def test_says_where_the_log_is_when_yosys_fails(library, tmp_path):
    source = tmp_path / "broken.v"
    source.write_text("module top(; endmodule\n")
    with pytest.raises(SynthesisError, match=r"yosys\.log says why"):
        synthesize(source, library, AREA_RECIPES[0], tmp_path / "run")


def of(name, area, nanoseconds=5.0, macs=16, beats=4):
    """Make up a measured unit."""
    unit = Unit(name, DotProduct, macs, beats)
    path = CriticalPath(nanoseconds, "a", "b")
    return Measured(unit, Point("gates", area, 0, None), Point("fast", area, 0, path), 0, {})


def test_claims_compare_cells_by_the_work_they_do():
    found = {each.unit.name: each for each in (
        of("cell, cell_stages=1", 3200.0), of("MX6 cell, cell_stages=1", 3200.0 / 1.04),
        of("MX9 cell, cell_stages=1", 2 * 3200.0, nanoseconds=6.0, beats=1))}
    claims = {claim.name: claim for claim in make_claims(found)}
    assert claims["cell, GE per MX6 MAC"].value == 200 and claims["cell, GE per MX6 MAC"].met
    assert claims["cell / MX6-only cell"].value == pytest.approx(1.04)
    # Twice the area; and a clock period of 6 ns against 5.
    for what, ratio, met in (("work per area and cycle", 2, [True, False, False, False]),
                             ("work per area and second", 2.4, [True, True, True, False])):
        mixes = [claim for name, claim in claims.items() if name.startswith(what)]
        assert [round(claim.value, 3) for claim in mixes[:4]] == [
            round(ratio / beats, 3) for beats in (1.05, 1.15, 1.2, 1.6)]
        assert [claim.met for claim in mixes[:4]] == met
        assert all("a whole model" in claim.name for claim in mixes[4:]) and len(mixes) == 6
    assert "mx_converter, combinational" not in claims


def test_beats_of_a_mix():
    assert beats_per_block(0) == 1 and beats_per_block(1) == 2
    assert beats_per_block(1, both=True) == 4


def test_a_model_mixes_the_shares_by_its_products():
    linear = Gemm("fc", GemmKind.LINEAR, m=32, k=16, n=64)
    scores = Gemm("qk", GemmKind.QK, m=32, k=16, n=32, count=2)
    once, twice = Block("once", 1, (linear,), ()), Block("twice", 2, (linear, scores), ())
    model = replace(next(iter(load_models().values())), blocks=(once, twice))
    # 32,768 products three times in linear layers, twice in attention.
    assert model_beats(model) == pytest.approx((3 * 1.05 + 2 * 1.20) / 5)
    assert model_beats(model, both=True) == pytest.approx((3 * 1.15 + 2 * 1.60) / 5)


def test_the_worst_model_has_more_beats_than_its_linear_layers_alone():
    mixes = find_mixes()
    assert mixes["5 % of A in MX9, weights MX6"] < mixes["a whole model, MixDiT in A"]
    assert mixes["a whole model, MixDiT in A"] < mixes["20 % of A in MX9, B in MX6"]
    assert mixes["a whole model, MixDiT in A"] == max(map(model_beats, load_models().values()))


@pytest.mark.parametrize("area, says", [
    (1000.0, None), (999.9 * (1 + TOLERANCE), None), (1021.0, "raise the budget"),
    (979.0, "Lower the budget")])
def test_a_budget_complains_of_more_than_two_per_cent(area, says):
    sentence = complaint(Budget("cell", 1000.0, "because"), area)
    assert sentence is None if says is None else says in sentence


def test_a_budget_of_memory_is_exact():
    budget = Budget("system", 1000.0, "because", memory_bits=64)
    assert complaint(budget, 1000.0, 64) is None and complaint(budget, 1000.0) is None
    assert "system has 65 bits of memory, and a budget of 64" in complaint(budget, 1000.0, 65)


def test_a_budget_needs_a_reason(tmp_path):
    file = tmp_path / "budgets.toml"
    file.write_text('[cell]\ngate_equivalents = 3\nreason = " "\n')
    with pytest.raises(ValueError, match="cell needs gate_equivalents and a reason"):
        read_budgets(file)


def test_units_have_names_of_their_own_and_say_what_they_are():
    assert len({unit.name for unit in UNITS}) == len(UNITS)
    assert all(unit.configuration for unit in UNITS)


def test_the_kept_figures_are_of_these_units():
    kept = json.loads(command.FIGURES.read_text())["units"]
    assert {name: figures["configuration"] for name, figures in kept.items()} == {
        unit.name: unit.configuration for unit in UNITS}
    for budget in read_budgets():
        assert complaint(budget, kept[budget.unit]["gate_equivalents"]) is None


@pytest.mark.parametrize("arguments, code, says", [
    (["cell"], ExitCode.MISTAKE, "there is no unit 'cell'"),
    (["csr", "--keep", "--no-timing"], ExitCode.MISTAKE, "kept with their speed points"),
    (["--by-module"], ExitCode.MISTAKE, "--by-module needs the name of a unit"),
    (["csr", "--liberty", "nowhere.lib"], ExitCode.MISTAKE, "no liberty file at nowhere.lib"),
])
def test_mistakes_get_a_sentence(arguments, code, says, tmp_path):
    result = call("area", *arguments, "--out", tmp_path)
    assert result.exit_code == code and says in " ".join(result.output.split())


def test_recipes_are_told_apart():
    names = [recipe.name for recipe in AREA_RECIPES + SPEED_RECIPES]
    assert len(set(names)) == len(names)
    folders = {"".join(c if c.isalnum() else "_" for c in name) for name in names}
    assert len(folders) == len(names)
