"""Samples that take turns: what they still wait for."""

import pytest

from perf.studies.system.pipeline import Step, idle_seconds


def test_one_sample_waits_for_all_of_its_results():
    steps = [Step(3.0, 1.0), Step(2.0, 0.5)]
    assert idle_seconds(steps, 1, True) == pytest.approx([1.0, 0.5])
    assert idle_seconds(steps, 1, False) == pytest.approx([1.0, 0.5])


def test_two_samples_hide_what_the_other_takes():
    # While one of them waits 1, the other runs 3 or 2.
    assert idle_seconds([Step(3.0, 1.0), Step(2.0, 1.0)], 2, True) == pytest.approx([0, 0])
    # Only once does the first block wait, since nothing runs before.
    assert idle_seconds([Step(3.0, 1.0)], 2, False) == pytest.approx([1.0])
    # A wait of 5 minus the other's 2 remains.
    assert idle_seconds([Step(2.0, 5.0)], 2, True) == pytest.approx([3.0])


def test_rows_that_are_ready_early_hide_the_rest():
    assert idle_seconds([Step(4.0, 2.0, usable=0.5)], 1, True) == pytest.approx([0.0])
    assert idle_seconds([Step(4.0, 3.0, usable=0.5)], 1, True) == pytest.approx([1.0])
