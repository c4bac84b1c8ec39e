"""Area budgets: no part of the default machine grows by more than 2 % unnoticed."""

import pytest

from perf.rtl.ppa.budgets import complaint, read_budgets
from perf.rtl.ppa.measure import measure
from perf.rtl.ppa.units import UNITS

BUDGETS = {budget.unit: budget for budget in read_budgets()}


def test_the_large_parts_have_budgets():
    assert {"cell, cell_stages=1", "mac_array 8x8", "mx_converter, stages=2", "outlier_detector",
            "accelerator 4x4", "memory system"} <= set(BUDGETS)


@pytest.mark.parametrize("name", BUDGETS)
def test_keeps_its_budget(name, library, tmp_path):
    [unit] = [unit for unit in UNITS if unit.name == name]
    [found] = measure([unit], library, tmp_path, with_timing=False)
    assert complaint(BUDGETS[name], found.area.area, found.memory_bits) is None
