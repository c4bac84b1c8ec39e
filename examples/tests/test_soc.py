"""The system of plain Verilog: its program and its memory, and both through the Verilog."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from commands.tests.calling import call
from examples.soc import command
from examples.soc.build import Ran
from examples.soc.recorder import END, WAIT, WRITE
from examples.soc.system import BASE, SIZE, make_system
from hw.contract.config import Config
from hw.registers.map import ADDRESSES
from sim_tests.host.memory.golden_device import GoldenDevice
from simulation.runtime import verilator

ROOT = Path(__file__).resolve().parents[2]
MACHINE = ("--rows", "4", "--cols", "4", "--k-max", "256")
CONFIG = Config.sized(rows=4, cols=4, k_max=256, bus_bytes=32)


@pytest.fixture(scope="module")
def system():
    return make_system(CONFIG, 1)


def entries_of(system):
    """Read the program as the sequencer does."""
    words = [int(line, 16) for line in system.program]
    return [(word >> 44, word >> 32 & 0xFFF, word & 0xFFFFFFFF) for word in words]


def test_what_was_recorded_runs_on_a_machine(system):
    """The recorder computes nothing: golden behind registers does, fed the same."""
    device = GoldenDevice(CONFIG, size=SIZE)
    lines = "".join(system.memory)
    image = np.frombuffer(bytes.fromhex(lines), np.uint8).reshape(-1, 32)[:, ::-1].ravel()
    device.write_memory(BASE, image.tobytes())
    entries = entries_of(system)
    assert [what for what, _, _ in entries].count(WAIT) == 1 and entries[-1] == (END, 0, 0)
    for what, address, value in entries:
        if what == WRITE:
            device.write_register(address, value)
        elif what == WAIT:
            assert device.irq
    assert device.memory.read(BASE, SIZE) == system.expected.tobytes()
    assert np.count_nonzero(system.expected[system.results]) > 1000
    assert not device.irq


def test_between_doorbell_and_interrupt_nothing_is_written(system):
    entries = entries_of(system)
    wait = [what for what, _, _ in entries].index(WAIT)
    assert entries[wait - 1] == (WRITE, ADDRESSES["RING_TAIL"], 3)
    assert entries[wait + 1][:2] == (WRITE, ADDRESSES["RING_IRQ_PENDING"])


def test_a_byte_that_differs_is_counted(system):
    lines = [row[::-1].tobytes().hex() for row in system.expected.reshape(-1, 32)]
    assert system.differences(lines) == 0
    assert system.differences([f"{int(lines[0], 16) ^ 1:064x}", *lines[1:]]) == 1
    assert system.differences(lines[:-1]) == SIZE


def test_the_system_runs_through_the_verilog_to_the_byte():
    result = call("run", "soc", *MACHINE)
    assert result.exit_code == 0, result.output
    assert "DONE after" in result.output
    assert "All 65,536 bytes of memory equal the golden model's." in result.output


def test_the_command_exits_with_1_where_a_byte_differs(system, monkeypatch):
    lines = [row[::-1].tobytes().hex() for row in system.expected.reshape(-1, 32)]
    spoilt = [f"{int(lines[0], 16) ^ 1:064x}", *lines[1:]]
    monkeypatch.setattr(command, "compile_system", lambda *_: Path("program"))
    monkeypatch.setattr(command, "simulate_system", lambda *_: Ran("DONE after 9 cycles", spoilt))
    result = call("run", "soc", *MACHINE)
    assert result.exit_code == 1
    assert "1 bytes of memory differ" in result.stderr


@pytest.mark.parametrize("options, sentence", [
    (("--bus-bytes", "0"), "bus_bytes=0 is a machine between streams"),
    (("--k-max", "32"), "K = 64 must be 1 to the machine's limit of 32")])
def test_what_cannot_be_run_is_a_sentence(options, sentence):
    result = call("run", "soc", "--rows", "4", "--cols", "4", *options)
    assert result.exit_code == 2
    assert sentence in result.stderr.replace("\n", " ")


def test_a_bus_with_a_clock_of_its_own_is_refused():
    with pytest.raises(ValueError, match="bus_clock=1 does not fit into examples"):
        make_system(replace(CONFIG, bus_clock=1), 1)


@pytest.mark.parametrize("asked, sentence", [
    ("vlnv: ::a:0\nparameters: {foo: 1}", "a machine has no parameter 'foo'"),
    ('vlnv: ::a:0\nparameters: {rows: "4"}', "rows must be an integer, not '4'"),
    ("vlnv: ::a:0\nparameters: [1, 2]", "parameters must be names and values"),
    ("", "is no file for a generator of FuseSoC: it has no vlnv"),
    (None, "No such file")])
def test_a_core_that_cannot_be_made_is_a_sentence(asked, sentence, tmp_path):
    if asked is not None:
        (tmp_path / "asked.yml").write_text(asked)
    done = subprocess.run([sys.executable, ROOT / "hw/fusesoc/generate.py", tmp_path / "asked.yml"],
                          cwd=tmp_path, text=True, capture_output=True)
    assert done.returncode == 2 and sentence in " ".join(done.stderr.split()), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("target", ["lint", "sim"])
def test_the_core_for_fusesoc(target, tmp_path):
    fusesoc = shutil.which("fusesoc", path=Path(sys.executable).parent)
    path = os.pathsep.join([str(Path(sys.executable).parent), str(verilator()),
                            os.environ["PATH"]])
    done = subprocess.run(
        [fusesoc, "--cores-root", ROOT / "hw/fusesoc", "--cores-root", ROOT / "examples/soc", "run",
         "--work-root", tmp_path / "work", "--target", target, "mixdit:examples:soc"],
        cwd=tmp_path, env=os.environ | {"PATH": path}, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "%Warning" not in done.stdout
    if target == "sim":
        after = next((tmp_path / "work").rglob("memory_after.hex")).read_text().splitlines()
        lines = [line for line in after if not line.startswith(("//", "@"))]
        assert make_system(CONFIG, 1).differences(lines) == 0
