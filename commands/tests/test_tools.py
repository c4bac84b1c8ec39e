"""Missing tools are named, all at once, before anything is installed or built."""

import shutil
import subprocess
import sys

import pytest

from commands import tools
from commands.tests.test_exit_codes import ROOT
from commands.tests.waiting import HANG_SECONDS


def test_every_tool_is_looked_for(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(tools.ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(tools.sysconfig, "get_config_var", lambda name: None)
    monkeypatch.setattr(tools.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(tools, "SHARE", ())
    with pytest.raises(tools.ToolError) as error:
        tools.require(tools.PACKAGES)
    for name, package in tools.PACKAGES.items():
        assert name in str(error.value) and package in str(error.value)


def test_one_alone_is_one_sentence(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(tools.ToolError) as error:
        tools.require(["iverilog", "iverilog"])
    assert str(error.value) == ("iverilog is not installed (on Debian: apt-get install iverilog)")


def test_a_perl_without_verilators_modules_is_none(monkeypatch):
    monkeypatch.setattr(tools, "PERL_MODULES", ("No::Such::Module",))
    with pytest.raises(tools.ToolError, match=r"apt-get install perl\b"):
        tools.require(["perl"])


def test_make_says_it_before_anything_is_made(tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "commands", copy / "commands", ignore=shutil.ignore_patterns("tests"))
    shutil.copy(ROOT / "Makefile", copy)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "make", "tr", "wc", "printf", "pwd", "bash"):
        if shutil.which(name):
            (programs / name).symlink_to(shutil.which(name))
    done = subprocess.run(
        ["make", "test", f"PYTHON={sys.executable}"], cwd=copy, capture_output=True, text=True,
        encoding="utf-8", timeout=HANG_SECONDS, env={"PATH": str(programs)}, check=False)
    assert done.returncode == 2
    assert "c++ and perl are not installed (on Debian: apt-get install g++ perl)" in done.stderr
    assert not (copy / ".venv").exists()


@pytest.mark.parametrize("arguments", [[], ["nothing"]])
def test_the_program_says_what_it_takes(arguments, capsys):
    assert tools.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: python -m commands.tools TOOL..., of c++")
    assert ("not nothing" in said) == bool(arguments)
