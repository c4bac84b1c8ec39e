"""The report: it says what the records say, and records that do not fit are told."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

from quality.harness.record import SCHEMA
from quality.harness.settings import REFERENCE, Shard
from quality.harness.store import write_shard
from quality.report.claims import claim_of, figure_text, make_claims
from quality.report.differences import difference_table, holm
from quality.report.document import make_tables, write_report
from quality.report.outliers import split_name
from quality.report.samples import AMPLIFIED, draw_samples
from quality.report.study import Figure, Study, load_study
from quality.report.tables import paired_table, score_table

SITES = ("transformer_blocks.0.attn1.to_q", "transformer_blocks.1.attn1.to_q")


def make_record(policy: str, seed: int, fid: float, width: float, step: float) -> dict[str, Any]:
    """Return a record of a made-up policy: 100 images, two steps, two sites."""
    record: dict[str, Any] = {
        "schema": SCHEMA, "policy": policy, "seed": seed, "images": 100, "batch": 50,
        "model": {"name": "small", "weights_sha256": "0" * 64, "sampler": "DPM-Solver++ 2M",
                  "steps": 2, "guidance": 1.5},
        "sampling_code": "a", "quantizing_code": "b", "packages": {"torch": "1"}, "seconds": 3.0,
        "bits": {"activation": width, "weight": width, "sites": {}},
        "scores": {"fid": 0.5 + fid, "accuracy": 0.9},
    }  # fmt: skip
    if policy == REFERENCE:
        del record["quantizing_code"]
        return record | {"outliers": {site: [2.0, 3.0] for site in SITES}}
    return record | {
        "paired": {"fid": fid, "accuracy": -0.01, "agreement": 0.98},
        "psnr": {"pooled": 30.0, "median": 31.0, "worst": 20.0, "identical": 0},
        "probe": {
            "timesteps": [9.0, 1.0],
            "step_qsnr": [step, None],
            "one_step_qsnr": step,
            "state_qsnr": [step, step - 1],
            "layer_qsnr": dict.fromkeys(SITES, 30.0),
            "layer_bits": {site: [6.0, 6.5] for site in SITES},
        },
    }


POLICIES = {"fp32": (0.0, 32.0, 0.0), "mx6": (0.07, 6.0, 26.0), "best": (0.01, 6.4, 31.0)}
"""FID loss, width and QSNR of made-up policies."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of records with two seeds, the second 0.002 worse in FID."""
    for policy, (fid, width, step) in POLICIES.items():
        for seed in (0, 1):
            record = make_record(policy, seed, fid + 0.002 * seed, width, step)
            write(tmp_path, record)
    return tmp_path


def write(folder: Path, record: dict[str, Any]) -> Path:
    path = folder / record["policy"] / f"seed-{record['seed']}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record))
    return path


@pytest.fixture
def study(folder: Path) -> Study:
    """Return those records, read."""
    return load_study(folder)


def test_policies_stand_by_falling_width_after_the_reference(study: Study):
    assert list(study.policies) == ["fp32", "best", "mx6"]


def test_a_cell_is_the_mean_and_the_sample_deviation_over_seeds(study: Study):
    table = paired_table(study)
    cells = dict(zip(table.titles, table.rows[1].cells, strict=True))
    assert cells["Policy"] == "mx6"
    assert cells["Activation bits"] == "6.00"
    assert cells["Δ FID"] == "+0.071 ± 0.001"
    assert cells["Same class, %"] == "98.0 ± 0.0"
    assert cells["One-step QSNR, dB"] == "26.0 ± 0.0"
    assert Figure((1.0, 2.0, 4.0)).spread == pytest.approx(np.std([1, 2, 4], ddof=1))


def test_scores_that_no_record_has_get_no_column(study: Study):
    assert "CLIP score" not in score_table(study).titles
    assert score_table(study).titles == ("Policy", "FID", "Class right, %", "Seconds a seed")


def test_figures_that_are_infinite_are_left_out(study: Study):
    assert study.figure("mx6", "probe", "one_step_qsnr").values == (26.0, 26.0)
    assert study.figure("mx6", "no", "such").values == ()
    first, second = study.series("mx6", "step_qsnr")
    assert first == 26.0
    assert np.isnan(second)


def test_claims_are_met_or_missed_only_where_the_interval_shows_it(folder: Path, study: Study):
    # Two seeds, 0.010 and 0.012: the mean may be 12.7 standard errors off.
    assert [claim.verdict for claim in make_claims(study)] == ["met", "met", "open", "met"]
    assert figure_text(make_claims(study)[2]) == "+0.011, 95 % interval -0.002 to +0.024"
    assert figure_text(make_claims(study)[3]) == "+5.0 dB, 95 % interval +5.0 to +5.0"
    for seed in (0, 1):
        write(folder, make_record("best", seed, 0.03 + 0.0001 * seed, 6.6, 29.0))
    claims = make_claims(load_study(folder))
    assert [claim.verdict for claim in claims] == ["missed"] * 4
    for seed in (0, 1):
        write(folder, make_record("best", seed, 0.01 + 0.0001 * seed, 6.4, 29.0 + 2 * seed))
    claims = make_claims(load_study(folder))
    assert [claim.verdict for claim in claims] == ["met", "met", "met", "open"]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [((0.016, 0.020), "open"), ((0.010, 0.012), "open"), ((0.018, 0.0181), "missed"),
     ((0.012, 0.0121), "met"), ((0.001,), "open"), ((0.015, 0.015), "met")],
)  # fmt: skip
def test_a_target_that_the_interval_holds_is_open(values: tuple[float, ...], verdict: str):
    assert claim_of(Figure(values), name="loss", target=0.015).verdict == verdict


def test_one_seed_shows_nothing(folder: Path):
    for path in folder.glob("*/seed-1.json"):
        path.unlink()
    study = load_study(folder)
    assert [claim.verdict for claim in make_claims(study)] == ["met", "met", "open", "open"]
    assert figure_text(make_claims(study)[2]) == "+0.010"
    assert study.figure("best", "paired", "fid").p is None
    assert [table.title for table in make_tables(study)] == [
        "Differences to FP32 from the same noise", "Scores"
    ]  # fmt: skip


def test_differences_are_taken_seed_by_seed(folder: Path):
    losses = {"best": {0: 0.01, 2: 0.03, 3: 0.02}, "mx6": {0: 0.05, 1: 0.5, 2: 0.06, 3: 0.07}}
    (folder / "best" / "seed-1.json").unlink()
    for policy, by_seed in losses.items():
        for seed, loss in by_seed.items():
            write(folder, make_record(policy, seed, loss, 6.0, 30.0))
    study = load_study(folder)
    difference = study.difference("best", "mx6", "paired", "fid")
    assert sorted(difference.values) == pytest.approx([-0.05, -0.04, -0.03])
    half = 4.302653 * 0.01 / 3**0.5
    assert difference.interval == pytest.approx((-0.04 - half, -0.04 + half), abs=1e-8)
    # t = -6.928 with two degrees of freedom: 1 - t / sqrt(2 + t^2).
    assert difference.p == pytest.approx(1 - 48**0.5 / 50**0.5)
    (row,) = difference_table(study).rows
    assert row.cells == ("best - mx6", "-0.040", "-0.065 to -0.015", "0.020", "0.02", "+0.00",
                   "+0.00 to +0.00")  # fmt: skip


@pytest.mark.parametrize(
    ("values", "p"), [((0.0, 0.0), 1.0), ((2.0, 2.0), 0.0), ((1.0, -1.0), 1.0)]
)
def test_figures_without_spread_or_mean(values: tuple[float, ...], p: float):
    assert Figure(values).p == p


def test_holm_multiplies_the_least_by_all_and_never_falls():
    assert holm([0.04, 0.01, 0.03, 0.005]) == pytest.approx([0.06, 0.03, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_without_the_judged_policies_nothing_is_claimed(folder: Path):
    for path in folder.glob("best/*"):
        path.unlink()
    assert make_claims(load_study(folder)) == []


def test_the_page_needs_nothing_else_and_repeats_to_the_byte(study: Study, tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    names = [path.name for path in write_report(study, first)]
    assert names == ["report.html", "report.md", "widths.svg", "steps.svg", "outliers.svg"]
    write_report(study, second)
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()
    page = (first / "report.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert page.count("data:image/svg+xml;base64,") == 3
    assert "+0.071 ± 0.001" in page
    assert re.findall('<li class="(.+?)">', page) == ["met", "met", "open", "met"]


def test_the_markdown_names_pictures_that_are_there(study: Study, tmp_path: Path):
    write_report(study, tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    pictures = re.findall(r"\]\((.+?)\)", text)
    assert len(pictures) == 3
    assert all((tmp_path / "out" / name).is_file() for name in pictures)
    assert "| mx6 | 6.00 | 6.00 | +0.071 ± 0.001 |" in text


def test_a_study_of_the_reference_alone_still_makes_a_page(tmp_path: Path):
    write(tmp_path, make_record("fp32", 0, 0.0, 32.0, 0.0))
    files = write_report(load_study(tmp_path), tmp_path / "out")
    assert [path.name for path in files] == ["report.html", "report.md", "outliers.svg"]


def test_samples_show_every_policy_and_its_amplified_distance(folder: Path, study: Study):
    reference = np.full((12, 4, 4), 100, np.uint8)
    for policy, offset in (("fp32", 0), ("mx6", 5)):
        path = folder / Shard(policy, 0, False, 0, 12).file
        write_shard(path, {"images": reference + np.uint8(offset)}, {})
    figure = draw_samples(study, ["fp32", "mx6", "best"])
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert [tiles.shape for tiles in shown] == [(4, 40)] * 3  # ten images, and best has none
    assert [np.unique(tiles).tolist() for tiles in shown] == [[100], [105], [255 - 5 * AMPLIFIED]]
    assert draw_samples(study, ["fp32", "best"]) is None


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("transformer_blocks.12.attn1.to_out.0", ("attn1.to_out.0", 12)),
        ("transformer_blocks.0.attn.qk", ("attn.qk", 0)),
        ("proj_out", ("proj_out", 0)),
    ],
)
def test_names_of_sites_come_apart(name: str, parts: tuple[str, int]):
    assert split_name(name) == parts


def test_an_empty_folder_is_told(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="holds no records: write them with"):
        load_study(tmp_path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"images": 50}, "records of image counts 100 and 50"),
        ({"batch": 10}, "records of batch sizes 10 and 50"),
        ({"schema": 0}, "has schema 0, and this is"),
    ],
)
def test_records_of_different_experiments_are_told(folder: Path, change: dict, sentence: str):
    write(folder, make_record("mx6", 1, 0.07, 6.0, 26.0) | change)
    with pytest.raises(ValueError, match=sentence):
        load_study(folder)


def test_a_file_that_is_no_record_is_told(folder: Path):
    (folder / "mx6" / "seed-7.json").write_text("[]")
    with pytest.raises(ValueError, match=r"seed-7.json is no record"):
        load_study(folder)


def test_records_without_the_reference_are_told(folder: Path):
    for path in folder.glob("fp32/*"):
        path.unlink()
    with pytest.raises(ValueError, match="no records of fp32"):
        load_study(folder)
