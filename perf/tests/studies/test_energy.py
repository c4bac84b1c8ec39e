"""Energy estimates against arithmetic by hand."""

from itertools import pairwise
from math import sqrt

import pytest

from perf.studies.energy import ActionCounts, beat_operations, estimate, mac_operations
from perf.studies.published_energies import (
    GDDR6,
    GDDR6X,
    HBM2E,
    HOROWITZ_45NM,
    Dram,
    Operation,
    sram_pj_per_bit,
)


def test_a_cells_beat() -> None:
    """16 x 0.05 + 15 x 0.05 + 0.1 pJ."""
    assert estimate(beat_operations(1e12), GDDR6X).arithmetic == pytest.approx(1.65)


def test_a_gpus_multiply_accumulates() -> None:
    assert estimate(mac_operations(1e12), GDDR6X).arithmetic == pytest.approx(1.1 + 0.9)
    assert estimate(mac_operations(1e12, is_int8=True), GDDR6X).arithmetic == pytest.approx(0.3)


def test_every_operation_has_an_energy() -> None:
    assert set(HOROWITZ_45NM) == set(Operation)
    assert all(each > 0 for each in HOROWITZ_45NM.values())


@pytest.mark.parametrize(("dram", "pj"), [(GDDR6, 7.5), (GDDR6X, 7.25), (HBM2E, 6.0)])
def test_dram_by_the_bit(dram: Dram, pj: float) -> None:
    found = estimate(ActionCounts(dram_bytes=1e9), dram)
    assert found.dram == pytest.approx(8e9 * pj * 1e-12)
    assert (found.arithmetic, found.sram) == (0, 0)


def test_the_memory_of_a_3090_at_full_rate_takes_a_sixth_of_its_board() -> None:
    """936 GB/s at 7.25 pJ per bit are 54 W of 350 W: the order of magnitude is right."""
    assert estimate(ActionCounts(dram_bytes=936e9), GDDR6X).total == pytest.approx(54.3, rel=1e-3)


@pytest.mark.parametrize(("capacity", "pj"), [
    (8 << 10, 10), (32 << 10, 20), (1 << 20, 100), (100, 10), (16 << 10, sqrt(10 * 20))])
def test_sram_by_capacity(capacity: int, pj: float) -> None:
    assert sram_pj_per_bit(capacity) == pytest.approx(pj / 64)


def test_larger_banks_cost_more() -> None:
    found = [sram_pj_per_bit(capacity) for capacity in range(8 << 10, 1 << 20, 4 << 10)]
    assert all(a < b for a, b in pairwise(found))


@pytest.mark.parametrize("capacity", [0, -1, (1 << 20) + 1])
def test_a_bank_outside_the_table_is_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match="a bank must have"):
        sram_pj_per_bit(capacity)


def test_sram_bits_are_counted_by_bank() -> None:
    counts = ActionCounts(sram_bits={8 << 10: 64e12, 1 << 20: 64e12})
    assert estimate(counts, GDDR6X).sram == pytest.approx(110)


def test_counts_add_up_and_repeat() -> None:
    counts = (beat_operations(2) + ActionCounts({Operation.INT32_ADD: 5.0}, {8: 1.0}, 3.0)) * 10
    assert counts.operations[Operation.INT32_ADD] == 70
    assert counts.operations[Operation.INT4_MULTIPLY] == 320
    assert (counts.sram_bits, counts.dram_bytes) == ({8: 10.0}, 30.0)


def test_energies_are_parameters() -> None:
    half = {each: value / 2 for each, value in HOROWITZ_45NM.items()}
    counts = beat_operations(1e12) + ActionCounts(sram_bits={8 << 10: 64e12})
    found = estimate(counts, GDDR6X, operations=half, sram={8 << 10: 4.0})
    assert (found.arithmetic, found.sram) == (pytest.approx(0.825), pytest.approx(4.0))


def test_an_estimate_says_that_it_is_one() -> None:
    assert "estimate" in str(estimate(beat_operations(1), GDDR6X))
