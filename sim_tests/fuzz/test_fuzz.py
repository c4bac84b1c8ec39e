"""Good and bad jobs, broken packets and aborts at random; ``mixdit check fuzz`` runs many more."""

from dataclasses import replace

import pytest

from commands.environment import flag, seed
from sim_tests.fuzz import command as fuzz
from simulation.machines import MATRIX, QUICK

NAMES = MATRIX if flag("MIXDIT_MATRIX") else QUICK


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.xdist_group(f"poisoned_{name}")) for name in NAMES])
def test_fuzz(name):
    found = fuzz.simulate(fuzz.build(name), name, 600 if flag("MIXDIT_FULL") else 120, seed())
    assert all(found[what] for what in ("good", "broken", "refused", "aborted", "flags")), found


@pytest.mark.xdist_group("poisoned_4x4")
@pytest.mark.parametrize("other", [{"rounding": "truncate"}, {"acc_width": 30}, {"tile_slots": 8}],
                         ids=str)
def test_a_machine_that_is_not_what_it_should_be_is_found(monkeypatch, other):
    library = fuzz.build("4x4")
    monkeypatch.setitem(fuzz.MATRIX, "4x4", replace(fuzz.MATRIX["4x4"], **other))
    with pytest.raises(AssertionError):
        fuzz.simulate(library, "4x4", 300, 1)
