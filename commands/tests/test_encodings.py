"""Every text file is read and written as UTF-8, whatever the locale is."""

import ast

import pytest

from commands.tests.test_exit_codes import FOLDERS, ROOT

SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))
           if "tests" not in path.parts and not path.name.startswith("test_")
           and "from_docs" not in path.parts]

TEXT = {"read_text", "write_text"}


def _says(call: ast.Call, name: str) -> bool:
    return any(keyword.arg == name for keyword in call.keywords)


def _mode(call: ast.Call, place: int) -> str | None:
    """Find the mode of a call of open; None where it is no constant."""
    given = [*call.args[place : place + 1],
             *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    if not given:
        return "r"
    return given[0].value if isinstance(given[0], ast.Constant) else None


def faults(source: str) -> list[int]:
    """List the lines that leave an encoding to the locale."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or _says(call, "encoding"):
            continue
        called = call.func
        if isinstance(called, ast.Attribute) and called.attr in TEXT:
            # Our own write_text(path, text) is a function; a method's encoding may be its second.
            is_fault = len(call.args) < (1 if called.attr == "read_text" else 2)
        elif isinstance(called, ast.Name) and called.id == "open":
            is_fault = "b" not in (_mode(call, 1) or "b")
        elif isinstance(called, ast.Attribute) and called.attr == "open":
            mode = _mode(call, 0)
            is_fault = mode is not None and set(mode) <= set("rwax+t")
        else:
            is_fault = any(keyword.arg in ("text", "universal_newlines")
                           and getattr(called, "attr", "") in ("run", "Popen", "check_output")
                           for keyword in call.keywords)
        if is_fault:
            found.append(call.lineno)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_encodings_are_said(path):
    assert not faults(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("line", [
    "p.read_text()", "p.write_text(x)", "open(p)", "open(p, 'w')", "p.open()", "p.open('a')",
    "subprocess.run(c, text=True)", "p.read_text(errors='replace')", "open(p, mode='r')"])
def test_faults_are_found(line):
    assert faults(line) == [1]


@pytest.mark.parametrize("line", [
    "p.read_text(encoding='utf-8')", "open(p, 'rb')", "p.open('wb')", "p.read_text('utf-8')",
    "subprocess.run(c)", "zip.open('name.txt')", "outputs.write_text(p, x)"])
def test_what_is_right_is_let_through(line):
    assert not faults(line)
