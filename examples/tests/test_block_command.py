"""The command ``mixdit run block``: what it is asked, refuses, and reports."""

import json

import pytest

from commands.tests.calling import call
from examples.block import command
from examples.gemms import Style
from examples.lists import reported
from examples.lists.running import ListRow
from hw.contract.config import Config

pytestmark = pytest.mark.xdist_group("examples")

SMALL = ("--rows", "4", "--cols", "4", "--tokens", "8", "--width", "32", "--heads", "2")


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command with a stand-in for the simulation; some bytes of ff1's list may differ."""
    def run(*options, wrong_bytes=0):
        def simulate(computation, choices, config, latency, console):
            given.update(config=config, latency=latency, choices=choices)
            rows = [ListRow(style=choice.style, steps=(name,), commands=1, jobs=1, cycles=4000,
                            beats=3000, read_bytes=1 << 20, written_bytes=1 << 18, touches=2,
                            wrong_bytes=wrong_bytes if name == "ff1" else 0, a_mx9=0.05, b_mx9=0.1,
                            qsnr={name: 20.0} | ({"block": 40.0} if name == "ff2" else {}))
                    for choice in choices for name in ("ff1", "ff2")]
            return rows, tmp_path / "machine.v", {"build": 1.0, "simulation": 2.0}
        given = {}
        monkeypatch.setattr(command, "BUILD", tmp_path / "build")
        monkeypatch.setattr(reported, "simulate_lists", simulate)
        return call("run", "block", *SMALL, *options), given, tmp_path / "build/block"
    return run


def test_it_reports_lists_and_what_the_output_is_worth(run):
    result, given, folder = run()
    assert result.exit_code == 0, result.output
    assert given["config"] == Config.sized(rows=4, cols=4, bus_bytes=32)
    assert given["latency"] == 100
    assert [each.style for each in given["choices"]] == [Style.MIXDIT]
    output = " ".join(result.output.split())
    assert "8 tokens of 32 channels, 2 heads of 16, 128 channels inside" in output
    assert "102,400 multiplications, on a machine of 4 x 4 cells" in output
    assert "After all 2 lists every byte of memory equals the golden model's." in output
    assert "The block's output in MixDiT: 40.0 dB against FP64, an error of 1.00% (RMS)." in output
    report = json.loads((folder / "report.json").read_text())
    assert report["bits_equal"] is True
    assert report["shape"] == {"tokens": 8, "width": 32, "heads": 2, "mlp_ratio": 4.0}
    assert [each["name"] for each in report["lists"]] == ["ff1", "ff2"]
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")


def test_formats_are_run_once_each_in_their_order(run):
    _, given, _ = run("--format", "mx9", "--format", "mx6", "--format", "mx9")
    assert [each.style for each in given["choices"]] == [Style.MX9, Style.MX6]


def test_it_exits_with_1_where_a_byte_differs(run):
    result, _, folder = run(wrong_bytes=7)
    assert result.exit_code == 1
    assert "ff1 in MixDiT: 7 bytes of memory differ from the golden model's" in result.stderr
    assert json.loads((folder / "report.json").read_text())["bits_equal"] is False


@pytest.mark.parametrize(("options", "sentence"), [
    (("--bus-bytes", "0"), "bus_bytes=0 is a machine between streams, which carries out no lists"),
    (("--bus-bytes", "24"), "bus_bytes must be 8, 16, 32 or 64"),
    (("--width", "33"), "a width of 33 channels makes no 2 equal heads"),
    (("--heads", "0"), "heads must be at least 1, not 0"),
    (("--mlp-ratio", "0.01"), "must be a whole number of at least 1"),
    (("--k-max", "64"), "the feed-forward makes a GEMM of K = 128, over the machine's limit of 64"),
    (("--fraction", "2"), "fraction must be from 0 to 1"),
    (("--rows", "129"), "rows"),
])
def test_what_cannot_run_is_refused_with_a_sentence(run, options, sentence):
    result, given, folder = run(*options)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert not given and not folder.exists()
