"""Machines and policies as parameters: what is loaded, what is refused."""

from dataclasses import replace
from math import inf, nan

import pytest

from perf.studies.system import load_preset, preset_names, run_model
from perf.studies.system.precision_shares import PrecisionShares
from perf.workloads import load_models

MODELS = load_models()
SERVER = load_preset("server")


def test_every_preset_loads_and_is_named_after_its_file():
    assert {"edge", "server", "tiny"} <= set(preset_names())
    for name in preset_names():
        preset = load_preset(name)
        assert preset.name == name and preset.title


def test_a_changed_preset_has_a_changed_core():
    wide = replace(SERVER, cols=32, drain_lanes=32)
    assert wide.config.cols == 32 and wide.multipliers == 2 * SERVER.multipliers
    assert SERVER.peak_macs_per_s == 16 * 8 * 16 * 128 * 0.9e9


@pytest.mark.parametrize("text, sentence", [
    ("cores = ", "is not TOML"),
    ("lanes = 3", "a machine has no lanes, but only"),
    ("cores = 0", "cores must be above 0, not 0"),
    ("cores = 1048577", "cores must be at most 1048576, not 1048577"),
    ("cores = 1.5", "cores must be a whole number"),
    ("dram_bytes_per_s = nan", "dram_bytes_per_s must be finite, not nan"),
    ("clock_hz = inf", "clock_hz must be finite, not inf"),
    ("job_s = inf", "job_s must be finite, not inf"),
    ("shared_bytes = 1" + "0" * 309, "shared_bytes must be finite"),
    ("network_bytes_per_s = nan", "network_bytes_per_s must be a finite number above 0"),
    ("network_bytes_per_s = inf", "network_bytes_per_s must be a finite number above 0"),
    ("title = 3", "title must be text, not 3"),
    ("name = 3", "name must be text, not 3"),
    ("tiles = 64", "tiles must be 1 to tile_slots=32"),
    ('split = "rows"', "split must be auto or tokens or columns, not 'rows'"),
    ("score_bytes = -1", "score_bytes must not be below 0"),
    ("rows = 8\ndrain_lanes = 5", "drain_lanes must be cols=8 times a power of two"),
    ('rows = "8"', "rows must be a number, not '8'"),
    ("rows = 0", "rows must be above 0"),
    ("drain_lanes = 8.5", "drain_lanes must be a whole number"),
    ("cores = true", "cores must be a number, not True"),
])
def test_an_impossible_preset_is_refused_with_a_sentence(tmp_path, text, sentence):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence) as caught:
        load_preset(path)
    assert str(caught.value).startswith("mine.toml")


def test_a_preset_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"mine.toml is not TOML: .*utf-8"):
        load_preset(path)


def test_a_missing_preset_names_those_that_exist():
    with pytest.raises(ValueError, match=r"no preset 'nil'.*edge.*server.*tiny"):
        load_preset("nil")


def test_auto_leaves_a_choice_open(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('tiles = "auto"\nweight_bytes = "auto"\nsplit = "auto"')
    assert load_preset(path).tiles is None and load_preset(path).config.weight_bytes == 32


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="mx6 or mixdit or mixdit-both or mx9, not 'fp16'"):
        run_model(SERVER, MODELS["dit-256"], "fp16")
    with pytest.raises(ValueError, match="linear_acts must be a share from 0 to 1"):
        PrecisionShares("p", "P", 1.5, 0, 0, 0)


def test_numbers_that_are_none_are_refused():
    for value, sentence in ((nan, "finite"), (-inf, "finite"), (inf, "finite"), (0, "above 0")):
        with pytest.raises(ValueError, match=f"clock_hz must be {sentence}"):
            replace(SERVER, clock_hz=value)
