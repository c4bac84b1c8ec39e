"""The emitted Verilog as a text: deterministic, anonymous, lint-clean, and small."""

import re

import pytest

from hw.accelerator import Accelerator
from hw.config import Config
from hw.emit import emit
from hw.lint import CONFIGURATIONS, lint, lint_in_parts

SMALL = Config.sized(rows=2, cols=3, k_max=64)


def modules(text: str) -> list[str]:
    """List the modules that a Verilog text defines."""
    return re.findall(r"^module (\S+?)\s?[(#]", text, re.MULTILINE)


def test_the_same_parameters_give_the_same_bytes():
    assert emit(Accelerator(SMALL), "top") == emit(Accelerator(SMALL), "top")


def test_no_path_and_no_date_is_in_it():
    text = emit(Accelerator(SMALL), "top", header=SMALL.describe())
    assert text.startswith("// rows=2 cols=3 ")
    assert not re.search(r'"/|/home/|\.py|20\d\d-\d\d', text)


def test_a_cell_is_emitted_once_however_many_there_are():
    small, large = (emit(Accelerator(Config.sized(rows=size, cols=size, k_max=64)), "top")
                    for size in (2, 8))
    assert sorted(modules(small)) == sorted(modules(large))
    assert modules(large).count("mac_cell") == 1
    cells = {text: len(re.findall(r"^  mac_cell ", text, re.MULTILINE)) for text in (small, large)}
    assert cells[small] == 2 and cells[large] == 8, "a row holds one cell per column"
    assert len(large) < 2 * len(small), "sixteen times the cells"


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_verilator_has_nothing_to_say(name):
    assert lint(emit(Accelerator(CONFIGURATIONS[name]), "top"), "top") == ""


def test_the_lint_does_see_mistakes():
    text = emit(Accelerator(SMALL), "top").replace("assign irq = ", "assign irq = 2'b00 | ", 1)
    assert "WIDTHTRUNC" in lint(text, "top")


def test_the_lint_in_parts_sees_mistakes_around_the_rows_in_a_row_and_in_a_cell():
    text = emit(Accelerator(SMALL), "top")
    assert lint_in_parts(text, "top") == ""
    assert "WIDTHTRUNC" in lint_in_parts(
        text.replace("assign irq = ", "assign irq = 2'b00 | ", 1), "top")
    for module in ("mac_row", "mac_cell"):
        start = re.search(rf"^module {module}\(", text, re.MULTILINE).start()
        end = text.index("\nendmodule", start)
        spoiled = f"{text[:end]}\n  wire [1:0] planted = 3'd5;{text[end:]}"
        assert "WIDTHTRUNC" in lint_in_parts(spoiled, "top"), module
