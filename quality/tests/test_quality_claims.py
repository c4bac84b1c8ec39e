"""What docs/quality.md says about policies is what the committed records carry."""

import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

from quality.report.differences import COMPARED, difference_table, range_text
from quality.report.study import Figure, Study, load_study
from quality.report.tables import FID_LOST, ONE_STEP, paired_table, score_table

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "quality.md").read_text()
PROSE = " ".join(PAGE.split())

DIFFERENT = {  # what the page says of a pair, and whether its interval leaves 0 out
    ("mixdit", "mx6"): ("(-0.012, 95 % interval -0.054 to +0.030, p = 0.345)", False),
    ("mixdit_order", "mixdit"): ("(-0.056, -0.070 to -0.041)", True),
    ("mixdit_order", "mx6"): ("(-0.068, -0.096 to -0.040)", True),
    ("best", "mx6"): ("(-0.115, -0.169 to -0.061)", True),
    ("best", "random"): ("(-0.059, -0.092 to -0.026)", True),
    ("best", "rounded"): ("(-0.067, -0.084 to -0.051)", True),
    ("best", "mixdit_order"): ("(-0.047, -0.104 to +0.010)", False),
    ("best", "int8"): ("(+0.006 for `best`, +0.002 to +0.011)", True),
}


@pytest.fixture(scope="module")
def study() -> Study:
    """Return the records that the page is about."""
    return load_study(ROOT / "quality" / "results" / "small")


def holds_zero(figure: Figure) -> bool:
    """Whether the interval of a figure does not tell it from 0."""
    low, high = figure.interval
    return low <= 0 <= high


@pytest.mark.parametrize("make", [paired_table, difference_table, score_table])
def test_the_tables_are_those_of_the_records(study: Study, make):
    _, table, _ = make(study).as_section().split("\n\n")
    assert table.strip() in PAGE


@pytest.mark.parametrize("pair", DIFFERENT)
def test_what_is_said_to_differ_does_and_the_rest_does_not(study: Study, pair: tuple[str, str]):
    sentence, is_different = DIFFERENT[pair]
    fid = study.difference(*pair, *FID_LOST)
    assert sentence in PROSE
    assert f"{fid.mean:+.3f}" in sentence
    assert range_text(fid, "+.3f") in sentence
    assert "p = " not in sentence or f"p = {fid.p:.3f}" in sentence
    assert holds_zero(fid) != is_different


def test_no_other_difference_is_claimed():
    assert set(DIFFERENT) <= set(COMPARED)
    said = re.findall(r"\([+-]\d\.\d{3}[^()]*? to [+-]\d\.\d{3}[^()]*\)", PROSE)
    assert sorted(said) == sorted(sentence for sentence, _ in DIFFERENT.values())


def test_two_comparisons_stay_below_a_twentieth_for_all_at_once(study: Study):
    adjusted = [float(row.cells[4]) for row in difference_table(study).rows]
    assert len(adjusted) == 12
    assert sum(p < 0.05 for p in adjusted) == 2
    assert "for all twelve comparisons at once, of which two stay below 0.05" in PROSE


def test_the_loss_of_the_best_policy_is_not_told_from_none_nor_from_its_target(study: Study):
    loss = study.figure("best", *FID_LOST)
    assert f"{loss.mean:+.3f}, 95 % interval {range_text(loss, '+.3f')}" in PROSE
    assert holds_zero(loss)
    assert loss.interval[1] > 0.015


def test_single_evaluations_tell_every_pair_apart(study: Study):
    for pair in COMPARED:
        assert not holds_zero(study.difference(*pair, *ONE_STEP)), pair
    gain = study.difference("mixdit", "mx6", *ONE_STEP)
    assert f"({gain.mean:+.2f} dB, {range_text(gain, '+.2f')})" in PROSE
    assert f"{study.difference('best', 'mx6', *ONE_STEP).mean:.1f} dB nearer" in PROSE


def test_speckle_is_a_part_of_what_mx6_loses(study: Study):
    losses = zip(
        study.figure("mx6", "paired", "fid").values,
        study.figure("mx6", "paired", "fid_clean").values,
        strict=True,
    )
    speckle = Figure(tuple(fid - clean for fid, clean in losses))
    assert f"MX6 loses {speckle.mean:.3f} less there ({range_text(speckle, '.3f')})" in PROSE


def test_class_accuracy_moves_only_with_fewer_than_six_bits(study: Study):
    for policy in study.quantized:
        bits = study.figure(policy, "bits", "activation").mean
        accuracy = study.figure(policy, "paired", "accuracy")
        assert bits < 6 or holds_zero(accuracy), policy
    lost = study.figure("mx4", "paired", "accuracy").times(-100)
    fewer = f"{lost.mean:.1f} percentage points fewer classes right ({range_text(lost, '.1f')})"
    assert fewer in PROSE
    for policy in ("mx4", "int4"):
        assert study.figure(policy, *FID_LOST).interval[0] > 3
