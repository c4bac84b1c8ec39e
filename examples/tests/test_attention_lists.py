"""Attention as lists of commands: the same numbers as the streams' jobs, and every byte."""

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

import examples.command as command
import golden
from commands.tests.calling import call
from examples.attention_steps import PrecisionChoice, attention_stages, step_numbers
from examples.gemms import Style
from examples.lists import reported, running
from examples.lists.attention import AttentionInMemory
from examples.lists.computation import Computation
from examples.lists.running import ListRow, simulate_lists
from examples.tests.drawn import CHANNELS, HEADS, SEQUENCES, TOKENS, drawn_attention, drawn_layers
from hw.contract.config import Config
from hw.host.memory import Commands
from sim_tests.host.memory.benches import connect, same
from sim_tests.host.memory.golden_device import SMALL
from simulation.works.expected import expected_results

pytestmark = pytest.mark.xdist_group("small ring")  # one build of its machine

CHOICES = {style: PrecisionChoice(style, fraction=0.3, head_fraction=0.3) for style in Style}
SIZES = ("--rows", "4", "--cols", "4", "--k-max", "256", "--bus-bytes", "32")


def run_on_golden(style: Style) -> tuple[AttentionInMemory, list[Commands]]:
    host, _ = connect()
    tensors, lists = AttentionInMemory(drawn_attention(), CHOICES[style], host.memory), []
    for commands in tensors.lists(host.commands):
        host.run(commands)
        lists.append(commands)
    return tensors, lists


def drawn_computation() -> Computation:
    drawn = drawn_attention()
    return Computation(drawn.reference(), partial(AttentionInMemory, drawn), 1 << 20)


def numbers_of_jobs(style: Style) -> dict[str, np.ndarray]:
    """Return what each step of the streams' machine gives."""
    stages = attention_stages(drawn_attention(), CHOICES[style], SMALL)
    steps, found = next(stages), {}
    while True:
        results = [[expected_results(SMALL, work) for work in step.works] for step in steps]
        found |= {step.name: step_numbers(step, own, SMALL)
                  for step, own in zip(steps, results, strict=True)}
        try:
            steps = stages.send(results)
        except StopIteration:
            return found


@pytest.mark.parametrize("style", [Style.MX6, Style.MX9])
def test_the_lists_give_what_the_streams_jobs_give(style):
    tensors, lists = run_on_golden(style)
    assert [len(each) for each in lists] == [6, 2]
    found, expected = tensors.read(), numbers_of_jobs(style)
    assert found.keys() == expected.keys()
    for step, numbers in expected.items():
        assert same(found[step], numbers), step


def test_mixdits_heads_have_single_blocks_in_mx9():
    found, reference = {}, drawn_attention().reference()
    for style in Style:
        tensors, _ = run_on_golden(style)
        shares = [tensors.keys.read().mx9_share, tensors.values.read().mx9_share]
        if style is Style.MIXDIT:
            assert all(0.05 < share < 0.5 for share in shares), shares
        else:
            assert shares == [style is Style.MX9] * 2
        found[style] = golden.qsnr(reference["out"], tensors.read()["out"])
    assert found[Style.MX6] < found[Style.MIXDIT] < found[Style.MX9]


def test_both_lists_run_through_the_verilog_to_the_byte(monkeypatch):
    rows, verilog, _ = simulate_lists(drawn_computation(), list(CHOICES.values()), SMALL, 30,
                                      Console(quiet=True))
    assert verilog.is_file()
    assert [(row.style, row.name) for row in rows] == [
        (style, name) for style in Style for name in ("q to Q·Kᵀ", "P·V to out")]
    for row in rows:
        assert row.wrong_bytes == 0
        assert row.touches == 2  # the doorbell, and one that acknowledges the interrupt
        assert 0 < row.beats < row.cycles
    assert [row.jobs for row in rows[:2]] == [3 + 3 * HEADS * SEQUENCES, 1 + HEADS * SEQUENCES]
    # What is made has to be written, and lines of results are nearly full.
    rows_bytes = SEQUENCES * TOKENS * HEADS * CHANNELS
    scores = SEQUENCES * HEADS * TOKENS * TOKENS * 4
    assert rows[0].written_bytes > 3 * 2 * rows_bytes + scores
    assert 6 * rows_bytes < rows[1].written_bytes < 9 * rows_bytes

    def spoilt(*arguments):
        found = carried_out(*arguments)
        found[100] ^= 1
        return found
    carried_out = running.carried_out
    monkeypatch.setattr(running, "carried_out", spoilt)
    rows, _, _ = simulate_lists(drawn_computation(), [CHOICES[Style.MX6]], SMALL, 1,
                                Console(quiet=True))
    assert [row.wrong_bytes for row in rows] == [1, 1]


def a_list(style: Style, name: str, wrong_bytes: int = 0) -> ListRow:
    return ListRow(style=style, steps=("q", name), commands=6, jobs=12, cycles=4000, beats=3000,
                   read_bytes=1 << 20, written_bytes=1 << 18, touches=2, wrong_bytes=wrong_bytes,
                   a_mx9=0.05, b_mx9=1.0, qsnr={"q": 30.0, name: 25.5})


def attend(monkeypatch, tmp_path, *options, wrong_bytes=0):
    def simulate(computation, choices, config, latency, console):
        assert latency == 100 and config == Config.sized(rows=4, cols=4, k_max=256, bus_bytes=32)
        verilog = tmp_path / "machine.v"
        return [a_list(choice.style, name, wrong_bytes if name == "two" else 0)
                for choice in choices for name in ("one", "two")], verilog, {
                    "build": 1.0, "simulation": 2.0}
    monkeypatch.setattr(command, "BUILD", tmp_path / "build")
    monkeypatch.setattr(command, "load_layers", drawn_layers)
    monkeypatch.setattr(command, "TrainingRecipe",
                        lambda: SimpleNamespace(tokens=TOKENS, heads=HEADS))
    monkeypatch.setattr(reported, "simulate_lists", simulate)
    return call("run", "attention", *SIZES, *options), tmp_path / "build/attention"


def report_of(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def test_the_command_reports_both_lists_in_every_style(monkeypatch, tmp_path):
    result, folder = attend(monkeypatch, tmp_path)
    assert result.exit_code == 0, result.output
    assert "After all 6 lists every byte of memory equals the golden model's." in result.output
    table = [line for line in result.output.splitlines() if line[:1] in "┏┡├└│┃"]
    assert max(map(len, table)) <= 100 and "6 commands" in result.output
    assert report_of(folder)["bits_equal"] is True
    assert [each["style"] for each in report_of(folder)["lists"]] == [
        "MX6", "MX6", "MixDiT", "MixDiT", "MX9", "MX9"]
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_exits_with_1_where_a_byte_differs(monkeypatch, tmp_path):
    result, folder = attend(monkeypatch, tmp_path, wrong_bytes=7)
    assert result.exit_code == 1
    assert "q to two in MX6: 7 bytes of memory differ from the golden model's" in result.stderr
    assert report_of(folder)["bits_equal"] is False


def test_a_machine_that_stops_is_a_sentence(monkeypatch):
    class Stopping:
        def __init__(self, *arguments, **options):
            raise running.MachineError("command 3 has the fault READ_SLVERR")
    monkeypatch.setattr(running, "build", lambda config: Path("build/machine.so"))
    monkeypatch.setattr(running, "WatchedMachine", Stopping)
    with pytest.raises(running.SimulationError, match="failed: command 3 has"):
        simulate_lists(drawn_computation(), list(CHOICES.values()), SMALL, 1, Console(quiet=True))
