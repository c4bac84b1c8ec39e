"""The commands, from a miniature data set to a capture, and their answers to mistakes."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

from commands.exit_codes import ExitCode
from commands.tests.calling import call
from quality.captured import DATA_FOLDER, load_layers, load_provenance
from quality.report.study import load_study
from quality.storage import read_tensors


def invoke(*arguments: object) -> str:
    """Run a command that must succeed and return what it printed."""
    result = call("quality", *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refuse(*arguments: object, code: ExitCode = ExitCode.MISTAKE) -> str:
    """Run a command that must fail with one sentence and return it."""
    result = call("quality", *arguments)
    assert result.exit_code == code
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    assert len(result.output.strip().splitlines()) == 1
    return result.output


def test_train_resume_sample_and_capture(data_folder: Path, tmp_path: Path):
    model, state = tmp_path / "model", tmp_path / "state"
    training = ["train", "--data", data_folder, "--output", model, "--state", state]
    training += ["--batch-size", 4, "--steps", 2, "--threads", 1]
    assert "2 steps" in invoke(*training)
    assert f"continuing {state} at step 2" in invoke(*training)
    assert "at step" not in invoke(*training, "--restart").splitlines()[0]
    assert "another seed" in refuse(*training, "--seed", 5)
    assert read_tensors(model, "")[1]["steps"] == 2

    picture = tmp_path / "picture.png"
    invoke("sample", "--checkpoint", model, "--output", picture, "--steps", 1, "--per-class", 1)
    assert picture.read_bytes().startswith(b"\x89PNG")

    captured = tmp_path / "captured"
    invoke("capture", "--checkpoint", model, "--output", captured, "--steps", 2, "--step", 1)
    assert load_provenance(captured)["checkpoint_sha256"] == read_tensors(model, "")[1]["sha256"]
    assert [layer.name for layer in load_layers(captured)] == ["q", "k", "v", "out", "ff1", "ff2"]


def test_evaluate_and_report(checkpoint: Path, tmp_path: Path):
    options = ["--model", checkpoint, "--policy", "mx6", "--images", 4, "--batch", 2, "--probe", 2]
    options += ["--steps", 2, "--seeds", "0,1", "--jobs", 1, "--out", tmp_path / "out"]
    assert "4 records" in invoke("evaluate", *options)
    folder = tmp_path / "out" / "tiny"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.json")) == [
        f"{policy}/seed-{seed}.json" for policy in ("fp32", "mx6") for seed in (0, 1)
    ]
    printed = invoke("report", folder)
    assert "Differences to FP32 from the same noise" in printed
    assert "mx6" in printed
    assert (folder / "report.html").is_file()
    found = json.loads(call("quality", "report", folder, "--json").stdout)
    assert found == {"records": load_study(folder).policies, "claims": []}
    again = json.loads(call("quality", "evaluate", *options, "--json").stdout)
    assert all(record in again["records"] for each in found["records"].values() for record in each)
    assert len(again["records"]) == 4


def test_one_step_measures_what_evaluate_probes(checkpoint: Path, tmp_path: Path):
    shared = ["--model", checkpoint, "--policy", "mx6,mxfp4", "--seeds", "0,1"]
    options = ["--images", 2, "--probe", 2, "--jobs", 1, "--out", tmp_path / "out"]
    invoke("evaluate", *shared, *options)
    printed = invoke("one-step", *shared, "--images", 2, "--output", tmp_path / "one.md")
    assert "Single evaluations" in printed
    lines = (tmp_path / "one.md").read_text().splitlines()
    rows = {line.split(" | ")[0]: line.split(" | ") for line in lines if line.startswith("| m")}
    assert list(rows) == ["| mx6", "| mxfp4"]
    study = load_study(tmp_path / "out" / "tiny")
    for name, (_, activations, weights, qsnr, interval, last, _) in rows.items():
        pooled = study.figure(name[2:], "probe", "one_step_qsnr")
        widths = [study.figure(name[2:], "bits", kind).mean for kind in ("activation", "weight")]
        assert [float(activations), float(weights)] == pytest.approx(widths, abs=0.0051)
        assert float(qsnr) == pytest.approx(pooled.mean, abs=0.051)
        low, high = (float(end) for end in interval.split(" to "))
        assert (low, high) == pytest.approx(pooled.interval, abs=0.07)
        steps = [record["probe"]["step_qsnr"][-1] for record in study.policies[name[2:]]]
        assert float(last) == pytest.approx(sum(steps) / 2, abs=0.051)
    found = json.loads(call("quality", "one-step", *shared, "--images", 2, "--json").stdout)
    assert (found["images"], found["seeds"]) == (2, [0, 1])
    assert [f"| {each['policy']}" for each in found["policies"]] == list(rows)
    for each in found["policies"]:
        assert f"{sum(each['pooled']) / 2:.1f}" == rows[f"| {each['policy']}"][3]


def test_classifier_command_writes_a_classifier_that_evaluate_reads(
    data_folder: Path, tmp_path: Path
):
    output = tmp_path / "classifier"
    printed = invoke("classifier", "--data", data_folder, "--output", output, "--epochs", 1)
    assert "of the test images right" in printed
    assert read_tensors(output, "")[1]["epochs"] == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("train", "--data", "/nowhere"), "apt-get install dataset-fashion-mnist"),
        (("train", "--precision", "fp8"), "precision must be one of bf16, fp32, not 'fp8'"),
        (("sample", "--checkpoint", "/nowhere"), "write it with `mixdit quality train`"),
        (("capture", "--checkpoint", "/nowhere"), "write it with `mixdit quality train`"),
        (("capture", "--block", "6"), "block must be 0 to 5, not 6"),
        (("capture", "--step", "10"), "step must be 0 to 9, not 10"),
        (("capture", "--calibration-seed", "1"), "another seed than 1"),
        (("evaluate", "--model", "nobody/nothing"), "nobody/nothing is no model here"),
        (("evaluate", "--policy", "mx7"), "there is no policy 'mx7'; there are fp32, "),
        (("evaluate", "--seeds", "1-3"), "such as 0,1,2, not '1-3'"),
        (("evaluate", "--device", "gpu"), "a device is cpu, cuda or cuda: with a number"),
        (("evaluate", "--device", "cuda:99"), "cuda:99 is not here: torch sees"),
        (("evaluate", "--dtype", "float64"), "float32, float16, bfloat16, not 'float64'"),
        (("evaluate", "--dtype", "float16"), "the small model computes in float32"),
        (("evaluate", "--prompts", "/nowhere"), "knows ten classes and reads no prompts"),
        (("evaluate", "--clip", "/nowhere"), "/nowhere judges published models"),
        (("evaluate", "--statistics", "/nowhere"), "name its weights too"),
        (("evaluate", "--calibration", "/nowhere"), "write it with `mixdit quality calibrate`"),
        (("one-step", "--policy", "mx7"), "there is no policy 'mx7'; there are fp32, "),
        (("one-step", "--seeds", ""), "such as 0,1,2, not ''"),
        (("one-step", "--model", "nobody/nothing"), "nobody/nothing is no model here"),
        (("one-step", "--output", "/"), "/ is a folder"),
        (("one-step", "--policy", "best", "--calibration", "/nowhere"), "/nowhere is missing"),
        (("report", "/nowhere"), "/nowhere holds no records"),
        (("report", "--out", __file__), "is a file, and a folder is needed there"),
        (("evaluate", "--out", __file__), "is a file, and a folder is needed there"),
        (("sample", "--output", "/"), "is a folder, and a file is to be written"),
        (("sample", "--output", "/dev/null"), "a picture ends in .png, .svg, .pdf, unlike"),
        (("train", "--output", "/"), "is a folder, and a file is to be written"),
        (("train", "--state", "/"), "is a folder, and a file is to be written"),
        (("capture", "--output", "/"), "is a folder, and a file is to be written"),
        (("calibrate", "--output", "/"), "is a folder, and a file is to be written"),
        (("classifier", "--output", "/"), "is a folder, and a file is to be written"),
        (("classifier", "--data", "/nowhere"), "apt-get install dataset-fashion-mnist"),
    ],
)
def test_mistakes_get_a_sentence(arguments: tuple[str, ...], sentence: str):
    assert sentence in refuse(*arguments)


def test_a_classifier_is_no_checkpoint():
    answer = refuse("sample", "--checkpoint", DATA_FOLDER / "classifier.safetensors")
    assert "is no checkpoint of `mixdit quality train`" in answer


@pytest.mark.parametrize("command", ["sample", "capture", "evaluate", "one-step"])
def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, command: str):
    monkeypatch.setitem(sys.modules, "torch", None)
    sentence = "torch is not installed: run `pip install '.[quality]'` first\n"
    assert refuse(command, code=ExitCode.FAILED) == sentence
