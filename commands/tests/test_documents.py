"""What documents and sources say to type: the commands and targets are there, and take it."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.exceptions

from commands import mixdit
from commands.deferred import Deferred
from commands.tests.test_exit_codes import FOLDERS, ROOT

PAGES = sorted(path for pattern in ("*.md", "docs/*.md", "*/README.md") for path in
               ROOT.glob(pattern))
SOURCES = sorted(
    path for folder in (*FOLDERS, "golden") for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".toml", ".h", ".c", ".json") and path != Path(__file__))

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):.*## ", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.findall(r"\$\((?:or \$\()?([A-Z]+)[),]", MAKEFILE))

FENCED = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4}\S.*(?:\n {4}.*)*", re.MULTILINE)
TYPED = re.compile(r"(?:MIXDIT_\w+=\S+ )?(?:\.venv/bin/)?(mixdit|make) (.+)", re.DOTALL)
"""A program and its arguments, at the beginning of a line or of a span of code."""


def lines_of(page: str) -> list[str]:
    """Return the lines of a page's blocks of code, without comments, broken ones joined."""
    blocks = FENCED.findall(page) + INDENTED.findall(FENCED.sub("", page))
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.partition(" #")[0].strip() for line in lines]


def spans_of(text: str) -> list[str]:
    """Return the spans of code in the prose of a page, or in the strings of a source."""
    prose = FENCED.sub("", text)
    return [" ".join(span.split()) for span in re.findall(r"(?<!`)``?([^`]+)``?(?!`)", prose)]


def typed_in(texts: list[str]) -> set[tuple[str, str]]:
    """Return the programs with their arguments among some texts."""
    return {found.groups() for text in texts if (found := TYPED.fullmatch(text))}


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command or group that words begin with, and the words that follow.

    Raises
    ------
    LookupError
        If there is none.
    """
    found = typer.main.get_command(mixdit.app)
    while hasattr(found, "commands") and words and not words[0].startswith("-"):
        found, words = found.commands[words[0]], words[1:]
    return found.load() if isinstance(found, Deferred) else found, words


def options_of(command: Any) -> set[str]:
    """Return the options of a command or group."""
    context = command.make_context("mixdit", [], resilient_parsing=True)
    return {option for each in command.get_params(context) for option in each.opts}


def fault_in(program: str, arguments: str, is_whole: bool) -> str:
    """Say what is wrong with a call; "" if nothing is.

    Parameters
    ----------
    program, arguments : str
    is_whole : bool
        Whether it is given as it would be typed, so that the arguments must parse.
    """
    words = shlex.split(re.sub(r"\[.*?\]|\.\.\.|>.*", "", arguments))
    if program == "make":
        wrong = [each for each in words if each.partition("=")[0] not in (
            VARIABLES if "=" in each else TARGETS)]
        return f"make knows no {wrong[0]}" if wrong else ""
    try:
        command, rest = command_of(words)
    except LookupError as error:
        return f"there is no {error}"
    unknown = {each for each in rest if re.match("--?[a-z]", each)} - options_of(command)
    if unknown:
        return f"it has no {', '.join(sorted(unknown))}"
    if is_whole and "--help" not in rest:
        try:
            command.make_context("mixdit", rest)
        except typer.exceptions.TyperException as error:
            return str(error)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_pages_say_to_type_is_taken(page):
    text = page.read_text(encoding="utf-8")
    calls = [(*each, True) for each in typed_in(lines_of(text))]
    calls += [(*each, False) for each in typed_in(spans_of(text))]
    assert {call[:2]: fault for call in calls if (fault := fault_in(*call))} == {}


def test_what_sources_say_to_type_is_there():
    calls = {}
    for path in SOURCES:
        spans = [span for span in spans_of(path.read_text(encoding="utf-8")) if "{" not in span]
        calls |= {each: path.name for each in typed_in(spans)}
    assert len(calls) > 20
    assert {call: path for call, path in calls.items() if fault_in(*call, False)} == {}


def test_the_pages_have_calls_of_both():
    calls = set().union(*(typed_in(lines_of(page.read_text(encoding="utf-8"))) for page in PAGES))
    assert {"make", "mixdit"} == {program for program, _ in calls}
    assert len(calls) > 20
    assert ("make", "demo") in calls


@pytest.mark.parametrize(("call", "fault"), [
    (("make", "tset"), "make knows no tset"), (("make", "gemm ACTS=a"), "make knows no ACTS=a"),
    (("mixdit", "verilgo"), "there is no 'verilgo'"), (("mixdit", "run demos"), "no 'demos'"),
    (("mixdit", "verilog --row 3"), "it has no --row"), (("mixdit", "run --rows 3"), "no --rows"),
    (("mixdit", "verilog --rows x"), "valid integer"), (("mixdit", "verilog more"), "unexpected"),
    (("mixdit", "verilog --rows 3 > a"), ""), (("mixdit", "area [UNIT]..."), "")])
def test_faults_are_found(call, fault):
    found = fault_in(*call, True)
    assert fault in found and bool(found) == bool(fault)
