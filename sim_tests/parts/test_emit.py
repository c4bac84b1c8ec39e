"""The emitted Verilog as a text: deterministic, anonymous, plain, lint-clean, and small."""

import re

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from commands.tests.calling import call
from hw.accelerator import Accelerator
from hw.contract.config import Config
from hw.parts.emit import emit, emit_files
from hw.parts.verilog_names import KEYWORDS, check_apart
from hw.tools.lint import CONFIGURATIONS, lint, lint_in_parts
from hw.top import top_of

SMALL = Config.sized(rows=2, cols=2, k_max=64)

pytestmark = pytest.mark.xdist_group("emit")  # which emits the small machine once


@pytest.fixture(scope="module")
def small() -> str:
    """Emit a small machine once for all who only look at it."""
    return emit(Accelerator(SMALL), "top")


def modules(text: str) -> list[str]:
    """List the modules that a Verilog text defines."""
    return re.findall(r"^module (\w+)", text, re.MULTILINE)


def test_the_same_parameters_give_the_same_bytes(small):
    assert emit(Accelerator(SMALL), "top") == small


def test_every_signal_has_a_name(small):
    assert not re.search(r"^  (?:wire|reg) (?:\[\d+:0\] )?signal\w*;", small, re.MULTILINE)


def test_no_path_and_no_date_is_in_it(small):
    assert not re.search(r'"/|/home/|\.py|20\d\d-\d\d', small)


def test_a_cell_is_emitted_once_however_many_there_are(small):
    large = emit(Accelerator(Config.sized(rows=8, cols=8, k_max=64)), "top")
    assert sorted(modules(small)) == sorted(modules(large))
    assert modules(large).count("top_mac_cell") == 1
    cells = {text: len(re.findall(r"^  top_mac_cell ", text, re.MULTILINE))
             for text in (small, large)}
    assert cells[small] == 2 and cells[large] == 8, "a row holds one cell per column"
    assert len(large) < 2 * len(small), "sixteen times the cells"


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_verilator_has_nothing_to_say(name):
    assert lint(emit(top_of(CONFIGURATIONS[name]), "top"), "top") == ""


def test_the_lint_does_see_mistakes(small):
    text = small.replace("assign irq = ", "assign irq = 2'b00 | ", 1)
    assert "WIDTHTRUNC" in lint(text, "top")


def test_a_users_files_are_linted(small, tmp_path):
    cut = small.index("\nendmodule\n") + len("\nendmodule\n")
    top, rest = tmp_path / "top.v", tmp_path / "rest.v"
    top.write_text(small[cut:])
    rest.write_text(small[:cut])
    assert call("check", "lint", top, rest).exit_code == 0
    top.write_text(small[cut:].replace("assign irq = ", "assign irq = 2'b00 | ", 1))
    found = call("check", "lint", top, rest)
    assert found.exit_code == 1 and "WIDTHTRUNC" in found.output
    missing = call("check", "lint", tmp_path / "none.v")
    assert missing.exit_code == 2 and "none.v" in missing.output


WIRE = "module {}(input a, output b);\n  assign b = a;\nendmodule\n"


@pytest.mark.parametrize(("content", "code", "words"), [
    (WIRE.format("machine").encode(), 0, "machine: clean"),
    ((WIRE.format("machine") + WIRE.format("mine")).encode(), 0, "mine: clean"),
    ((WIRE.format("one") + WIRE.format("other")).encode(), 2, "there is no module mine, as "),
    (b"", 2, "there is no module mine, as "),
    (b"\x93NUMPY", 2, "mine.v is no Verilog"),
])
def test_a_users_file_may_have_another_name_than_its_machine(tmp_path, content, code, words):
    path = tmp_path / "mine.v"
    path.write_bytes(content.replace(b"module mine(", b"/* verilator lint_off MULTITOP */\n"
                                     b"module mine("))
    found = call("check", "lint", path)
    assert (found.exit_code, words in re.sub(r"\s+", " ", found.output)) == (code, True), (
        found.output)


def test_the_lint_in_parts_sees_mistakes_around_the_rows_in_a_row_and_in_a_cell(small):
    assert lint_in_parts(small, "top") == ""
    assert "WIDTHTRUNC" in lint_in_parts(
        small.replace("assign irq = ", "assign irq = 2'b00 | ", 1), "top")
    for module in ("mac_row", "mac_cell"):
        start = re.search(rf"^module top_{module}\(", small, re.MULTILINE).start()
        end = small.index("\nendmodule", start)
        spoiled = f"{small[:end]}\n  wire [1:0] planted = 3'd5;{small[end:]}"
        assert "WIDTHTRUNC" in lint_in_parts(spoiled, "top"), module


class AwkwardNames(wiring.Component):
    """Signals called like keywords, like each other once they are plain, and like nothing."""

    i: In(4)
    o: Out(4)

    def elaborate(self, platform):
        m = Module()
        before = self.i
        for name in ("bit", "checker", "a_b", "a.b", "a[b]", "a-b", "é", "1"):
            register = Signal(4, name=name)
            m.d.sync += register.eq(before)
            before = register
        m.d.comb += self.o.eq(before)
        return m


def test_names_are_plain_and_no_keywords_and_none_is_taken_twice(small):
    for text in (emit(AwkwardNames(), "top"), small):
        assert "\\" not in text
        for module in text.split("\nendmodule"):
            declared = re.findall(r"^  (?:wire|reg) (?:\[\d+:0\] )?(\w+)", module, re.MULTILINE)
            assert len(set(declared)) == len(declared)
            assert not KEYWORDS & set(declared)
    assert lint(emit(AwkwardNames(), "top"), "top") == ""


def test_every_module_has_the_name_of_the_top_in_front(small):
    first, *parts = modules(small)
    assert first == "top"
    assert all(part.startswith("top_") for part in parts)


@pytest.mark.parametrize("name", ["8x8", "ü", "a.b", "a$", "", "wire", "logic", "top\n"])
def test_a_top_that_no_verilog_module_can_be_is_refused(name):
    with pytest.raises(ValueError, match="a Verilog module can't be called"):
        emit(AwkwardNames(), name)


@pytest.mark.parametrize("name, other", [
    ("a_engines", "a_engines"), ("a_engines_of_mine", "a_engines"), ("a_b_mac_row", "a_b_mac_row"),
    ("a_sram_1r1w", "a_sram_1r1w"),
])
def test_a_top_that_could_be_a_module_of_another_machine_is_refused(small, name, other):
    text = re.sub(r"\btop(?=\b|_)", name, small)
    with pytest.raises(ValueError, match=f"has a module {other}"):
        check_apart(name, text)


def test_no_two_machines_that_are_taken_have_a_module_of_one_name(small):
    """One of them makes MX results and has modules for it, the other has none of these."""
    other = emit(Accelerator(Config.sized(rows=3, cols=5, k_max=64)), "top")
    for machine, beside in ((small, other), (other, small)):
        lines = "\n".join(re.findall(r"^module \w+", machine, re.MULTILINE))
        for name in modules(beside)[1:]:
            name = name.replace("top", "a", 1)
            with pytest.raises(ValueError, match="choose another ending"):
                check_apart(name, lines.replace("module top", f"module {name}"))


@pytest.mark.parametrize("name", ["mixdit", "mixdit_8x8", "my_top", "engines", "a_b_c"])
def test_a_top_that_could_not_is_taken(small, name):
    check_apart(name, re.sub(r"\btop(?=\b|_)", name, small))


def test_nothing_has_an_initial_value_and_every_process_wakes(small):
    assert set(re.findall(r"^ *initial.*", small, re.MULTILINE)) == {"  initial wake <= 0;"}
    assert not re.search(r"^ *(output |wire |reg )[^;<]*=|\binit\b", small, re.MULTILINE)
    processes = re.findall(r"always @\*.*\n.*", small)
    assert set(processes) == {"always @* begin\n    if (wake) begin end"}


def test_the_memory_has_a_file_of_its_own(small):
    files = emit_files(Accelerator(SMALL), "top", header="a header")
    assert list(files) == ["top.v", "top_sram_1r1w.v"]
    assert modules(files["top_sram_1r1w.v"]) == ["top_sram_1r1w"]
    assert "module top_sram_1r1w" not in files["top.v"]
    assert "\n".join(files.values()) == f"// a header\n{small}"
    assert list(emit_files(AwkwardNames(), "top")) == ["top.v"]
