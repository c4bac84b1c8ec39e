"""The README's example runs and says what the README claims."""

import re
from pathlib import Path

import golden

README = Path(golden.__file__).with_name("README.md")


def examples():
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(examples()[0], README.name, "exec"), {})
    decibels = [float(text) for text in re.findall(r"([\d.]+) dB", capsys.readouterr().out)]
    assert len(decibels) == 2
    assert golden.load("layer.safetensors")["weight"].shape == (384, 128)


def test_the_example_between_gemms_runs(capsys):
    _, code = examples()
    exec(compile(code, README.name, "exec"), {})
    assert "MXTensor(MX6, shape=(64, 64), axis=1)" in capsys.readouterr().out


def test_every_file_is_in_the_table():
    listed = set(re.findall(r"`(\w+\.py)`", README.read_text()))
    files = {path.name for path in README.parent.glob("*.py")} - {"__init__.py", "bench.py"}
    assert files <= listed
    listed = set(re.findall(r"`vector/(\w+\.py)`", README.read_text()))
    assert listed == {path.name for path in README.parent.glob("vector/*.py")} - {"__init__.py"}
