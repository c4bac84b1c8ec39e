"""The selections name tests that are there, and every test has its turn."""

import subprocess
import sys

import pytest

from sim_tests import selection
from sim_tests.bench import ROOT
from sim_tests.planted_bugs import BUGS
from sim_tests.selection import Selection, Turns

pytestmark = pytest.mark.xdist_group("selection")  # which collects all tests once

NAMES = [f"a/test_x.py::test_x[{size}]" for size in range(5)] + ["a/test_x.py::test_xy", "b.py::t"]


@pytest.fixture(scope="module")
def everything() -> list[str]:
    """Collect all tests, as the command does."""
    done = subprocess.run([sys.executable, "-m", "pytest", "--collect-only", "-q"], cwd=ROOT,
                          capture_output=True, text=True, encoding="utf-8", check=False)
    return [line for line in done.stdout.splitlines() if "::" in line]


@pytest.mark.parametrize("take", [1, 2, 3])
def test_every_member_has_its_turn_and_all_else_runs_always(take):
    chosen = Selection(turns=(Turns(("a/test_x.py::test_x",), ("[2]",), take),))
    turns = [chosen.choose(NAMES, turn) for turn in range(100, 104)]
    assert set.union(*turns) == set(NAMES)
    assert all(len(turn) == 3 + take and {NAMES[2], *NAMES[5:]} <= turn for turn in turns)
    assert turns[0] != turns[1]


def test_a_group_of_xdist_changes_nothing():
    chosen = Selection(turns=(Turns(("a/test_x.py::test_x",)),))
    grouped = [f"{name}@accelerator_{place}" for place, name in enumerate(NAMES)]
    assert {name.split("@")[0] for name in chosen.choose(grouped, 3)} == chosen.choose(NAMES, 3)


@pytest.mark.parametrize("name", selection.read())
def test_what_is_named_is_there_and_in_one_place(everything, name):
    chosen = selection.read()[name]
    assert len(everything) > 1000
    for place in (*chosen.tests, *chosen.first):
        assert Turns((place,)).members(everything), f"{place} names no test"
    seen = set()
    for turns in chosen.turns:
        for place in turns.tests:
            assert Turns((place,)).members(everything), f"{place} names no test"
        members = set(turns.members(everything))
        assert not members & seen, "a test has two turns"
        seen |= members
        for end in turns.keep:
            assert any(member.endswith(end) for member in members), f"{end} ends no test"


def test_every_test_of_the_push_has_its_turn_but_what_other_targets_have(everything):
    chosen = selection.read()["push"]
    cycle = max(len(turns.members(everything)) for turns in chosen.turns if turns.take)
    turns = [chosen.choose(everything, turn) for turn in range(cycle)]
    places = tuple(name for turn in chosen.turns if not turn.take for name in turn.tests
                   if name.startswith(("formal/", "sim_tests/")))
    elsewhere = set(Turns(places).members(everything))
    assert set(everything) - set.union(*turns) == elsewhere | {
        f"perf/tests/rtl/test_budgets.py::test_keeps_its_budget[{unit}]"
        for unit in ("mac_array 8x8", "accelerator 4x4", "memory system")}


def test_a_case_of_every_planted_bugs_test_is_in_every_turn(everything):
    """`mixdit check planted-bugs` runs no other case."""
    chosen = selection.read()["push"]
    kept = chosen.choose(everything, None)
    assert all(kept <= chosen.choose(everything, turn) for turn in range(12))
    for bug in BUGS:
        path, _, word = bug.test.partition(" -k ")
        assert any(name.startswith(f"{path}::") and word in name for name in kept), bug
