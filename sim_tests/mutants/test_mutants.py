"""Mutants: which are drawn, what kills them, what is proven equivalent."""

import re
from pathlib import Path

import pytest
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.accelerator import Accelerator
from hw.memory.clock_crossing import ClockCrossing
from hw.memory_machine import MemoryMachine
from hw.streams.register_slice import register_slice
from hw.streams.skid_buffer import SkidBuffer
from sim_tests.memory.machines import MACHINES, VECTOR_MACHINES
from sim_tests.mutants import benches
from sim_tests.mutants.command import missed_goals, strangers
from sim_tests.mutants.equivalence import is_equivalent, is_equivalent_in_a_cycle
from sim_tests.mutants.mutant import Mutant
from sim_tests.mutants.netlist import Netlist
from sim_tests.mutants.plugin import _unended
from sim_tests.mutants.task import Task
from sim_tests.mutants.trial import FUZZ, ROOT, run
from simulation.machines import MATRIX

BENCH = "streams/test_skid_buffer.py::test_skid_buffer[SkidBuffer-0-1]"
MODULE = "streams/skid_buffer"


@pytest.fixture
def skid_buffer(tmp_path) -> Netlist:
    return Netlist(SkidBuffer(4), "skid", tmp_path / "netlist")


def test_every_module_of_a_machine_has_its_benches(tmp_path):
    known = benches.read()
    assert all(each.own for each in known.values())
    machines = {"bare": Accelerator(MATRIX["4x4"]),
                "memory": MemoryMachine(MACHINES["4x4"]),
                "vector": MemoryMachine(VECTOR_MACHINES["vector"]),
                "crossing": ClockCrossing(address_bits=32, data_bytes=8, id_bits=2)}
    found = {module for name, machine in machines.items()
             for module in Netlist(machine, name, tmp_path / name).modules()}
    assert found - set(known) == set()
    # Of more columns, of another bus; and of lanes, whose functions are one netlist.
    others = {"results/tile_turner", "memory/word_joiner", "vector/exponential", "vector/fixed",
              "vector/gate"}
    assert set(known) - found == others


def test_every_bench_is_there():
    for each in benches.read().values():
        for node in (*each.own, *each.whole):
            if not node.startswith(FUZZ):
                file, _, test = node.partition("::")
                text = (ROOT / "sim_tests" / file).read_text(encoding="utf-8")
                assert re.search(rf"^def {re.escape(test.partition('[')[0])}\(", text, re.M), node


def test_the_same_seed_draws_the_same_mutants_of_one_module(skid_buffer):
    drawn = skid_buffer.draw(MODULE, 12, 3)
    assert drawn == skid_buffer.draw(MODULE, 12, 3)
    assert drawn[:5] == skid_buffer.draw(MODULE, 5, 3)
    assert drawn != skid_buffer.draw(MODULE, 12, 4)
    assert len({mutant.command("skid") for mutant in drawn}) == 12
    assert all(mutant.module == MODULE for mutant in drawn)


def test_no_mutant_is_of_a_clock(skid_buffer):
    every = skid_buffer.draw(MODULE, 2000, 1)
    assert len(every) > 60  # far fewer than asked for: all that there are
    assert not [mutant.place for mutant in every if mutant.port.endswith("CLK")]


def test_a_mutant_has_a_sibling_in_another_size_where_its_bit_is(skid_buffer, tmp_path):
    wide = Netlist(SkidBuffer(32), "wide", tmp_path / "wide")
    drawn = wide.draw(MODULE, 60, 1)
    for mutant in drawn:
        sibling = skid_buffer.sibling(mutant)
        is_there = max(mutant.bit, mutant.control or 0) < 4
        assert (sibling is not None) == is_there, mutant.place
        if sibling:
            assert sibling.place == mutant.place


def test_the_bench_kills_what_it_sees_and_is_not_run_twice(tmp_path):
    outcome = run(Task(BENCH, [MODULE], 6, 1), tmp_path)
    assert len(outcome.mutants) == 6
    assert set(outcome.killed) == set(range(6))
    log = next(tmp_path.glob("*/log.txt"))
    log.unlink()
    assert run(Task(BENCH, [MODULE], 6, 1), tmp_path) == outcome
    assert not log.exists()


def test_the_solver_tells_an_equivalent_mutant_from_another(skid_buffer, tmp_path):
    good = tmp_path / "good.il"
    skid_buffer.run(f"write_rtlil {good}")
    dead = _with_a_dead_input(tmp_path)
    for mutant in [each for each in skid_buffer.draw(MODULE, 20, 1) if each.mode == "inv"]:
        assert not is_equivalent(mutant, good, "skid"), mutant.place
        assert not is_equivalent_in_a_cycle(mutant, good, "skid"), mutant.place
    masked = Mutant("?", "", "", "$masked", "$and", 0, "const1", "A", 0)
    assert is_equivalent_in_a_cycle(masked, dead, "dead")
    assert is_equivalent(masked, dead, "dead")


class Offered(wiring.Component):
    """A register behind a stream; its word means nothing while none is held."""

    def __init__(self):
        super().__init__({"i": In(stream.Signature(4)), "o": Out(stream.Signature(4))})

    def elaborate(self, platform):
        m = Module()
        register_slice(m, self.i, self.o, self.i.payload)
        return m


def test_a_word_that_is_not_offered_may_be_any(tmp_path):
    offered = Netlist(Offered(), "offered", tmp_path / "netlist")
    good = tmp_path / "good.il"
    offered.run(f"write_rtlil {good}")
    (module,) = offered.modules()
    drawn = [each for each in offered.draw(module, 1000, 1) if (each.mode, each.bit) == ("inv", 3)]
    proven = [each.place for each in drawn if is_equivalent_in_a_cycle(each, good, "offered")]
    assert len(drawn) == 8
    assert proven == ["?#0 mux A[3] inv"]  # which keeps a word that left, while no other comes


def _with_a_dead_input(folder: Path) -> Path:
    """Write a netlist with an input that changes nothing: (a & 0) | b."""
    file = folder / "dead.il"
    file.write_text("""
module \\dead
  wire input 1 \\a
  wire input 2 \\b
  wire output 3 \\o
  wire \\x
  cell $and $masked
    parameter \\A_SIGNED 0
    parameter \\A_WIDTH 1
    parameter \\B_SIGNED 0
    parameter \\B_WIDTH 1
    parameter \\Y_WIDTH 1
    connect \\A \\a
    connect \\B 1'0
    connect \\Y \\x
  end
  cell $or $joined
    parameter \\A_SIGNED 0
    parameter \\A_WIDTH 1
    parameter \\B_SIGNED 0
    parameter \\B_WIDTH 1
    parameter \\Y_WIDTH 1
    connect \\A \\x
    connect \\B \\b
    connect \\Y \\o
  end
end
""", encoding="utf-8")
    return file


def test_a_test_that_neither_passed_nor_failed_has_seen_its_mutant():
    lines = [["start", 1, "a"], ["pass", 1, "a", 5, 0.1], ["start", 1, "b"], ["start", 2, "a"],
             ["fail", 2, "a", "why"], ["start", 3, "a"]]
    assert _unended(lines) == [(1, "b"), (3, "a")]


def _fates(killed: int, survived: int = 0, explained: int = 0) -> list[Mutant]:
    plain = Mutant(MODULE, "", "", "$1", "$mux", 0, "inv", "A", 0)
    return [plain.end(fate, "") for fate, count in (
        ("killed", killed), ("survived", survived), ("explained", explained))
        for _ in range(count)]


def test_goals_are_missed_as_the_page_says():
    assert not missed_goals({"a": _fates(19, 1), "b": _fates(40)})
    assert missed_goals({"a": _fates(18, 1), "b": _fates(90)}) == [
        "a: 94.7% killed, at least 95% wanted"]
    assert missed_goals({"a": _fates(18, 0, 1), "b": _fates(90)})  # a reason kills none
    assert missed_goals({"a": _fates(96, 4)}) == ["all: 96.0% killed, at least 98% wanted"]
    assert missed_goals({"a": _fates(96, 0, 4)})[1:] == [
        "4 of 100 mutants are only explained, at most 3% may be"]


def test_a_survivor_is_a_stranger_unless_the_record_names_it():
    found = {MODULE: _fates(3, 1, 1)}
    left = [{"place": found[MODULE][-2].place, "fate": "survived"}]
    assert not strangers(found, {"modules": {MODULE: {"left": left}}})
    assert len(strangers(found, {"modules": {MODULE: {"left": []}}})) == 1
    assert len(strangers(found, {"modules": {"streams/stream_fifo": {"left": left}}})) == 1


def test_a_mutants_place_names_the_line_and_the_bit():
    mutant = Mutant(MODULE, "streams/skid_buffer.py:41", "", "$1", "$mux", 2, "cnot1", "A", 7, 3)
    assert mutant.place == "streams/skid_buffer.py:41#2 mux A[7]/3 cnot1"
    assert Mutant.read(mutant.record()) == mutant
    with pytest.raises(ValueError, match="killed, equivalent, explained, survived, not 'gone'"):
        mutant.end("gone", "")
