"""Golden beside second formulations: a part of every sweep, and what the sweeps would notice."""

import re
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from golden.formats import MX_FORMATS
from golden.tests.proof import page
from golden.tests.proof.progress import Progress
from golden.tests.proof.sweep import Sweep
from golden.tests.proof.table import SWEEPS, TESTED, public, swept

BY_NAME = pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: sweep.name)

STRIDE = 7919
"""Chunks from one turn to the next: a prime, so that turns come to all of them."""


@BY_NAME
def test_a_chunk_of_every_sweep(sweep, request):
    if sweep.needs:
        pytest.importorskip(sweep.needs)
    assert sweep.check(request.config.option.turn * STRIDE % sweep.chunks) > 0


def spoiled(value):
    """Change one bit of what a function gave: the lowest of the last number."""
    if isinstance(value, np.ndarray):
        if not value.size:
            return value
        changed = np.array(value, order="C")
        changed.reshape(-1)[-1:].view(np.uint8)[:1] ^= 1
        return changed
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return float(np.nextafter(value, 1e300))
    if isinstance(value, tuple):
        return spoiled(value[0]), *value[1:]
    if isinstance(value, list):
        return [*value[:-1], value[-1][:-1] + bytes([value[-1][-1] ^ 1])] if value else value
    if is_dataclass(value):
        names = [field.name for field in fields(value)]
        name = "mantissa" if "mantissa" in names else names[0]
        return replace(value, **{name: spoiled(getattr(value, name))})
    import torch

    return torch.from_numpy(spoiled(value.numpy())) if isinstance(value, torch.Tensor) else value


def owner(function):
    """Return the module that holds a function, and the rest of its name."""
    parts = function.split(".")
    for count in range(len(parts) - 1, 0, -1):
        with suppress(ModuleNotFoundError):
            return import_module(".".join(["golden", *parts[:count]])), parts[count:]
    raise ModuleNotFoundError(function)


@BY_NAME
def test_a_wrong_bit_is_seen(sweep, monkeypatch):
    if sweep.needs:
        pytest.importorskip(sweep.needs)
    place, names = owner(sweep.functions[0])
    for name in names[:-1]:
        place = getattr(place, name)
    right = getattr(place, names[-1])
    if isinstance(right, property):
        wrong = property(lambda self: spoiled(right.fget(self)))
    else:

        def wrong(*given, **named):
            return spoiled(right(*given, **named))

    monkeypatch.setattr(place, names[-1], wrong)
    with pytest.raises((AssertionError, ValueError)):
        sweep.check(sweep.chunks // 2)


def test_every_public_function_is_in_the_table():
    assert not public() - swept() - TESTED.keys(), "functions without a second formulation"
    own = {name for name in swept() | TESTED.keys() if not name.startswith("torch.")}
    classes = {name.rpartition(".")[0] for name in public()}
    assert not own - public() - classes, "functions that are no more"
    assert not swept() & TESTED.keys(), "swept, and said not to be"


def test_tests_in_the_table_exist():
    folder = Path(__file__).parent
    for file in re.findall(r"\btest_\w+\.py", " ".join(TESTED.values())):
        assert (folder / file).is_file(), file


def test_the_page_shows_the_table_of_today():
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.page(text) == text, "run: mixdit dev golden-proof"


def test_formats_take_the_bits_of_the_paper():
    # "With Shared Microexponents, A Little Shifting Goes a Long Way", ISCA 2023, table II.
    assert {name: fmt.bits_per_element for name, fmt in MX_FORMATS.items()} == {
        "MX9": 9,
        "MX6": 6,
        "MX4": 4,
    }
    assert {name: fmt.block_bits for name, fmt in MX_FORMATS.items()} == {
        "MX9": 144,
        "MX6": 96,
        "MX4": 64,
    }


def test_an_interrupted_call_goes_on(tmp_path):
    from rich.console import Console

    from golden.tests.proof import command

    seen = []

    def check(chunk):
        seen.append(chunk)
        if len(seen) == 3:
            raise KeyboardInterrupt
        if chunk == 4:
            raise AssertionError("0x1, not 0x2")
        return 10

    sweep = Sweep("any", (), "", "", 6, check)
    path = tmp_path / "record.json"
    with pytest.raises(KeyboardInterrupt):
        command.run([sweep], Progress(path), Console(quiet=True))
    assert command.run([sweep], Progress(path), Console(quiet=True)) == 1
    assert seen == [0, 1, 2, 2, 3, 4]
    assert Progress(path).of("any").cases == 40
    text = path.read_text().replace(Progress(path).code, "of other code")
    path.write_text(text)
    assert Progress(path).of("any").chunks == 0
    for other in ("[]", '{"code": "of a fuzz", "jobs": 1}'):
        path.write_text(other)
        with pytest.raises(ValueError, match="is no record of sweeps"):
            Progress(path)
