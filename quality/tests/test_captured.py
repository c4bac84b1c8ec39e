"""The committed capture and its loader, without torch."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from quality.captured import CAPTURE_FILE, DATA_FOLDER, load_layers, load_provenance
from quality.storage import read_tensors, save_tensors

CHECKPOINT = DATA_FOLDER / "dit_fashion_mnist.safetensors"
SHAPES = {  # M, K, N
    "q": (512, 128, 128),
    "k": (512, 128, 128),
    "v": (512, 128, 128),
    "out": (512, 128, 128),
    "ff1": (512, 128, 512),
    "ff2": (512, 512, 128),
}


def test_layers_come_in_the_order_of_the_block_with_their_shapes():
    layers = load_layers()
    assert [layer.name for layer in layers] == list(SHAPES)
    for layer in layers:
        m, k, n = SHAPES[layer.name]
        assert layer.activations.shape == (m, k)
        assert layer.calibration.shape == (m, k)
        assert layer.weight.shape == (k, n)
        assert layer.bias.shape == (n,)


def test_every_value_is_finite_fp16_and_no_tensor_is_constant():
    for layer in load_layers():
        for values in (layer.activations, layer.calibration, layer.weight, layer.bias):
            assert values.dtype == np.float16
            assert np.isfinite(values).all()
            assert values.std(dtype=np.float64) > 0


def test_q_k_and_v_read_the_same_activations():
    q, k, v = load_layers()[:3]
    assert q.activations.tobytes() == k.activations.tobytes() == v.activations.tobytes()
    assert q.calibration.tobytes() == k.calibration.tobytes() == v.calibration.tobytes()


def test_calibration_shares_no_row_with_the_capture():
    for layer in load_layers():
        captured = {row.tobytes() for row in layer.activations}
        assert not captured & {row.tobytes() for row in layer.calibration}


def test_capture_names_the_committed_checkpoint():
    _, checkpoint = read_tensors(CHECKPOINT, "train")
    assert load_provenance()["checkpoint_sha256"] == checkpoint["sha256"]


def test_weights_are_those_of_the_committed_checkpoint():
    weights, _ = read_tensors(CHECKPOINT, "train")
    modules = load_provenance()["modules"]
    for layer in load_layers():
        module = modules[layer.name]
        assert layer.weight.tobytes() == weights[f"{module}.weight"].T.tobytes()
        assert layer.bias.tobytes() == weights[f"{module}.bias"].tobytes()


def test_the_block_and_step_are_middle_ones():
    provenance = load_provenance()
    assert provenance["block"] == 3
    assert provenance["step"] == provenance["sampler"]["steps"] // 2
    assert 400 < provenance["timestep"] < 600
    assert provenance["calibration"]["seed"] != provenance["sampler"]["seed"]


@pytest.mark.parametrize(
    "path", sorted(DATA_FOLDER.glob("*.safetensors")), ids=lambda path: path.name
)
def test_committed_files_are_small_and_name_neither_places_nor_dates(path: Path):
    assert path.stat().st_size < 5_000_000
    text = json.dumps(read_tensors(path, "")[1])
    assert "/" not in text
    assert not re.search(r"20\d\d-\d\d", text)


def test_loading_needs_no_torch():
    code = (
        "import sys; from quality.captured import load_layers; load_layers();"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_missing_file_is_named_with_the_command_that_writes_it(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.*mixdit quality capture"):
        load_layers(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("content", [b"", b"not a tensor file"])
def test_foreign_file_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="was not written by `mixdit quality capture`"):
        load_layers(path)


def test_cut_file_is_refused(tmp_path: Path):
    path = tmp_path / "cut"
    path.write_bytes(CAPTURE_FILE.read_bytes()[:-2])
    with pytest.raises(ValueError, match="was not written by"):
        load_layers(path)


def test_missing_tensor_is_named(tmp_path: Path):
    tensors, provenance = read_tensors(CAPTURE_FILE, "")
    del tensors["ff2.weight"]
    save_tensors(tmp_path / "partial", tensors, provenance)
    with pytest.raises(ValueError, match=r"lacks the tensor 'ff2\.weight'"):
        load_layers(tmp_path / "partial")


def test_the_same_content_gives_the_same_bytes(tmp_path: Path):
    tensors, provenance = read_tensors(CAPTURE_FILE, "")
    del provenance["sha256"]
    save_tensors(tmp_path / "again", dict(reversed(tensors.items())), provenance)
    assert (tmp_path / "again").read_bytes() == CAPTURE_FILE.read_bytes()
