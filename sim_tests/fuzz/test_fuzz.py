"""Good and bad jobs, broken packets and aborts at random; ``mixdit check fuzz`` runs many more."""

from collections import Counter
from dataclasses import replace

import pytest

from commands.environment import flag, seed
from sim_tests.fuzz import command as fuzz
from sim_tests.fuzz.models import NARROW
from simulation.machines import MATRIX, QUICK

NAMES = MATRIX if flag("MIXDIT_MATRIX") else QUICK

DONE = ("good", "broken", "refused", "aborted", "resets", "flags", "counters", "meddled",
        "clock stops", "freezes", "stops", "interrupts", "tables in use",
        "tables rewritten")
"""What must have come about, as a fuzzer's tally names it."""


def simulations(name: str, count: int) -> Counter[str]:
    """Run simulations of 125 jobs, and add up what was done."""
    library, first = fuzz.build(name), seed()
    return sum((fuzz.simulate(library, name, 125, first + index) for index in range(count)),
               Counter())


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.xdist_group(f"poisoned_{name}")) for name in NAMES])
def test_fuzz(name):
    found = simulations(name, 16 if flag("MIXDIT_FULL") else 3)
    assert all(found[what] for what in DONE), found


def test_counters_pass_their_ends():
    found = simulations(NARROW, 4)
    assert found["counters' ends"] > 10 and found["good"] > 100, found


@pytest.mark.xdist_group("poisoned_4x4")
@pytest.mark.parametrize("other", [{"rounding": "truncate"}, {"acc_width": 30}, {"tile_slots": 8}],
                         ids=str)
def test_a_machine_that_is_not_what_it_should_be_is_found(monkeypatch, other):
    library = fuzz.build("4x4")
    monkeypatch.setitem(fuzz.MACHINES, "4x4", replace(fuzz.MACHINES["4x4"], **other))
    with pytest.raises(AssertionError):
        fuzz.simulate(library, "4x4", 1500, 1)
