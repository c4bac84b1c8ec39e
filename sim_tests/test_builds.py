"""What was emitted and compiled before is used again, and only where it would be the same."""

import json
import os

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from hw.contract.config import Config
from sim_tests import bench
from sim_tests.simulators import choose
from simulation import emission

SMALL = Config.sized(rows=1, cols=1, k_max=16)


class Blinker(wiring.Component):
    """A counter of a few bits."""

    def __init__(self, width: int = 2):
        super().__init__({"o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        count = Signal.like(self.o)
        m.d.sync += count.eq(count + 1)
        m.d.comb += self.o.eq(count)
        return m


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Give a function that builds without a compiler, and tells whether one was called for."""
    called = []

    def execute(runner, commands, cwd, stdout=None):
        called.append(commands)
        (runner.build_dir / runner.hdl_toplevel).write_text("a model")

    monkeypatch.setattr(bench, "BUILD", tmp_path)
    monkeypatch.setattr("sim_tests.simulators._Guarded._execute_cmds", execute)

    def build(width: int = 2, **options) -> bool:
        called.clear()
        bench.build(Blinker(width), "blinker", simulator="verilator", **options)
        return bool(called)

    return build


def test_a_model_is_compiled_again_where_something_changed(built, tmp_path):
    more = tmp_path / "more.v"
    more.write_text("module more(); endmodule\n")
    assert built()
    assert not built()
    assert built(3)
    assert built(3, args=["-DMORE"])
    assert built(3, sources=[more])
    assert not built(3, sources=[more])
    more.write_text("module more(); wire a; endmodule\n")
    assert built(3, sources=[more])


def test_a_model_that_is_not_there_or_was_not_finished_is_compiled(built, tmp_path):
    assert built()
    (tmp_path / "blinker" / "blinker").unlink()
    assert built()
    (tmp_path / "blinker" / "unfinished").touch()
    assert built()


def test_another_compiler_compiles_again(tmp_path, monkeypatch):
    verilator = choose("verilator")
    before = verilator.made_of("text")
    assert verilator.made_of("text") == before != verilator.made_of("another")
    other = tmp_path / "c++"
    other.write_text('#!/bin/sh\nexec g++ "$@"\n')
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert verilator.made_of("text") != before


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Keep texts in a folder of this test; gives those that were emitted."""
    emitted = []

    def emit_files(component, name):
        emitted.append(name)
        return {f"{name}.v": f"module {name}(); endmodule\n"}

    monkeypatch.setattr(emission, "FOLDER", tmp_path / "emission")
    monkeypatch.setattr(emission, "_IS_SETTLED", True)
    monkeypatch.setattr("hw.parts.emit.emit_files", emit_files)
    emission._emitted.cache_clear()
    yield emitted
    emission._emitted.cache_clear()


def in_another_process() -> None:
    """Forget what this process knows."""
    emission._emitted.cache_clear()


def test_a_machine_is_emitted_once(kept):
    text = emission.machine(SMALL, "top")
    in_another_process()
    assert emission.machine(SMALL, "top") == text
    assert kept == ["top"]


@pytest.mark.parametrize("config, name", [
    (Config.sized(rows=1, cols=1, k_max=16, cell_stages=2), "top"), (SMALL, "other")])
def test_other_parameters_or_another_name_are_emitted(kept, config, name):
    emission.machine(SMALL, "top")
    emission.machine(config, name)
    assert kept == ["top", name]


def test_other_sources_are_emitted_and_take_the_place_of_the_older_ones(kept, monkeypatch):
    emission.machine(SMALL, "top")
    in_another_process()
    monkeypatch.setattr(emission, "_SOURCES", "other")
    monkeypatch.setattr(emission, "digest", lambda: "other")
    emission.machine(SMALL, "top")
    assert kept == ["top", "top"]
    assert [path.name for path in emission.FOLDER.iterdir()] == ["other"]


@pytest.mark.parametrize("attribute, value", [("digest", lambda: "edited"), ("_IS_SETTLED", False)])
def test_sources_that_changed_since_they_were_imported_are_neither_kept_nor_looked_up(
        kept, monkeypatch, attribute, value):
    emission.machine(SMALL, "top")
    in_another_process()
    place = emission.place(SMALL, "top")
    place.write_text(json.dumps({"top.v": "old"}))
    monkeypatch.setattr(emission, attribute, value)
    assert emission.machine(SMALL, "top") != {"top.v": "old"}
    assert json.loads(place.read_text()) == {"top.v": "old"}


def test_every_byte_of_every_source_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(emission, "ROOT", tmp_path)
    seen = set()
    for name, text in (("hw/a.py", "1"), ("hw/a.py", "2"), ("hw/b/a.py", "2"),
                       ("golden/formats.py", ""), ("commands/x.py", ""), ("hw/a.py", "21")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        seen.add(emission.digest())
    assert len(seen) == 6
