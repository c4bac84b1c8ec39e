"""Attention: its arithmetic, its jobs, and the whole of it on a tiny simulated machine."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

import examples.command as command
import golden
from commands.checkout import ROOT
from commands.tests.calling import call
from examples import attention_run
from examples.attention import make_attention, softmax
from examples.attention_run import run_attention
from examples.attention_steps import PrecisionChoice, Step, attention_stages, read_conversions
from examples.gemms import Style
from examples.tests.drawn import CHANNELS, HEADS, SEQUENCES, TOKENS, drawn_attention, drawn_layers
from examples.tests.helpers import TINY, TINY_CONFIG
from golden.packing import weight_stream
from hw.contract.job_codes import JobKind, Selection
from hw.host.driver import Job
from hw.host.results import Outcome
from hw.host.work import Work
from quality.captured import load_layers
from quality.recipe import TrainingRecipe
from simulation.running import Simulation
from simulation.works.expected import expected_counts, expected_results

pytestmark = pytest.mark.xdist_group("examples")  # one build of the tiny machine

CHOICES = [PrecisionChoice(style, fraction=0.3, head_fraction=0.5) for style in Style]


class GoldenSimulator:
    """Stand in for `simulation.running.simulate`; `spoil` may change an outcome by its stage."""

    def __init__(self, spoil=lambda stage, index, outcome: outcome):
        self.spoil, self.stage = spoil, 0

    def __call__(self, config, groups, console):
        works = [work for group in groups for work, _ in group]
        self.stage += 1
        outcomes = [
            self.spoil(self.stage, index, Outcome(
                expected_results(config, work), expected_counts(config, work) | {"cycles": 1000}))
            for index, work in enumerate(works)
        ]
        return Simulation(outcomes, ROOT / "LICENSE", 0.0, 0.0)


def run(monkeypatch, simulator):
    monkeypatch.setattr(attention_run, "simulate", simulator)
    return run_attention(drawn_attention(), CHOICES, TINY_CONFIG, Console(quiet=True))


def test_the_reference_is_what_diffusers_computed():
    layers = load_layers()
    model = TrainingRecipe()
    attention = make_attention(layers, model.tokens, model.heads)
    captured = next(layer for layer in layers if layer.name == "out").activations
    heads = attention.merge(attention.reference()["P·V"])
    assert golden.qsnr(captured, heads) > 65  # FP16, so about 2^-11 of each number is lost


def test_splitting_cuts_out_each_sequences_heads_and_merging_undoes_it():
    attention = drawn_attention()
    rows = np.arange(SEQUENCES * TOKENS * HEADS * CHANNELS).reshape(SEQUENCES * TOKENS, -1)
    heads = attention.split(rows)
    assert heads.shape == (SEQUENCES * HEADS, TOKENS, CHANNELS)
    assert np.array_equal(heads[3], rows[TOKENS:, CHANNELS:])  # sequence 1, head 1
    assert attention.head(3) == "sequence 1, head 1"
    assert np.array_equal(attention.merge(heads), rows)


def test_the_scale_of_the_softmax_is_in_the_query():
    layers = drawn_layers()
    q, k = (layer.activations.astype("f8") @ layer.weight.astype("f8") + layer.bias
            for layer in layers[:2])
    scores = q[:TOKENS, :CHANNELS] @ k[:TOKENS, :CHANNELS].T / np.sqrt(CHANNELS)
    # Two orders of operations in FP64 from weights in FP32: nothing here is the machine's.
    assert np.allclose(drawn_attention().reference()["Q·Kᵀ"][0], scores, rtol=0, atol=1e-5)


def test_the_softmax_stays_in_fp32_and_survives_large_scores():
    result = softmax(np.array([[1000, 1000, -1000]], np.float32))
    assert result.dtype == np.float32
    assert result.tolist() == [[0.5, 0.5, 0]]


def test_mixdit_chooses_the_heads_of_largest_magnitude_and_never_too_many():
    heads = np.ones((32, 4, 4), np.float16)
    heads[[3, 17, 30], 2, 1] = -2
    choice = PrecisionChoice(Style.MIXDIT, head_fraction=0.1)
    assert np.flatnonzero(choice.head_units(heads)).tolist() == [3, 17, 30]
    assert sum(replace(choice, head_fraction=0.2).head_units(heads)) == 6
    assert PrecisionChoice(Style.MIXDIT, head_fraction=0.2).head_units(heads[:4]) == [0, 0, 0, 0]
    assert PrecisionChoice(Style.MX9).head_units(heads[:2]) == [1, 1]
    assert PrecisionChoice(Style.MX6).head_units(heads[:2]) == [0, 0]


def test_conversions_become_the_weights_of_the_products():
    stages = attention_stages(drawn_attention(), CHOICES[1], TINY_CONFIG)
    steps = next(stages)
    made = []
    while True:
        results = [[expected_results(TINY_CONFIG, work) for work in step.works] for step in steps]
        made.append(dict(zip((step.name for step in steps), results, strict=True)))
        try:
            steps = stages.send(results)
        except StopIteration:
            break
        for step, source in ((each, {"Q·Kᵀ": "Kᵀ", "P·V": "V"}.get(each.name)) for each in steps):
            if source:
                sent = [weight_stream(work.weights, TINY_CONFIG.cols, TINY_CONFIG.weight_bytes)
                        for work in step.works]
                assert sent == made[1][source]
                assert sorted(work.job.units for work in step.works) == [0, 0, 1, 1]
    assert [list(stage) for stage in made] == [["q", "k", "v"], ["Kᵀ", "V"], ["Q·Kᵀ"], ["P·V"],
                                               ["out"]]


def test_a_packet_that_a_gemm_would_not_be_fed_is_refused():
    work = Work(Job(kind=JobKind.CONVERT, n=2, k=16, float_format="fp16",
                    selection=Selection.HEAD), np.ones((2, 16), np.float16))
    packet = bytearray(expected_results(TINY_CONFIG, work)[0])
    packet[0] |= 0x80  # the precision of K-block 7, which does not exist
    with pytest.raises(ValueError, match="not those that a GEMM"):
        read_conversions(Step("Kᵀ", [work]), [[bytes(packet)]], TINY_CONFIG)


def test_the_whole_attention_runs_through_the_verilog_bit_for_bit():
    rows, simulation = run_attention(
        drawn_attention(), CHOICES, TINY_CONFIG, Console(quiet=True))
    assert [row.difference for row in rows] == [None] * len(rows)
    assert len(simulation.outcomes) == sum(row.jobs for row in rows) == 3 * (4 + 4 * HEADS * 2)
    assert all(row.counters for row in rows)
    found = {(row.layer, row.style): row for row in rows}
    for step in ("q", "Kᵀ", "V", "Q·Kᵀ", "P·V", "out"):
        qsnr = [found[step, style].qsnr for style in Style]
        assert 10 < qsnr[0] < qsnr[2] - 10
    for step in ("Kᵀ", "V", "Q·Kᵀ", "P·V"):
        assert len(found[step, Style.MIXDIT].mx9_jobs) == 2


@pytest.mark.parametrize(("stage", "name", "head", "packet"), [
    (2, "Kᵀ", "sequence 1, head 0", 3), (2, "V", "sequence 0, head 1", 0)])
def test_one_wrong_bit_of_a_packet_stops_the_run_and_is_named(
        monkeypatch, stage, name, head, packet):
    first = 0 if name == "Kᵀ" else SEQUENCES * HEADS
    wanted = first + [f"sequence {index // 2}, head {index % 2}" for index in range(4)].index(head)

    def spoil(at, index, outcome):
        if (at, index) != (stage, wanted):
            return outcome
        spoiled = list(outcome.results)
        spoiled[packet] = spoiled[packet][:5] + bytes([spoiled[packet][5] ^ 4]) + (
            spoiled[packet][6:])
        return replace(outcome, results=spoiled)
    rows, _ = run(monkeypatch, GoldenSimulator(spoil))
    different = [row for row in rows if row.difference]
    assert [(row.layer, row.style) for row in different] == [(name, Style.MX6)]
    assert different[0].difference.sentence().startswith(f"{name} of {head} in MX6: 1 of ")
    assert f"first packet {packet}[5]" in different[0].difference.sentence()
    assert rows[-1].layer == "V"  # the last step of that stage


def test_a_wrong_counter_is_a_difference(monkeypatch):
    def spoil(at, index, outcome):
        more = {"beats": outcome.counters["beats"] + (at == 5 and index == 2)}
        return replace(outcome, counters=outcome.counters | more)
    rows, _ = run(monkeypatch, GoldenSimulator(spoil))
    sentence, = [row.difference.sentence() for row in rows if row.difference]
    assert sentence.startswith("out in MX9: beats counts ")


def attend(monkeypatch, tmp_path, *options, simulator=None):
    monkeypatch.setattr(command, "BUILD", tmp_path / "build")
    monkeypatch.setattr(command, "load_layers", drawn_layers)
    monkeypatch.setattr(command, "TrainingRecipe",
                        lambda: SimpleNamespace(tokens=TOKENS, heads=HEADS))
    monkeypatch.setattr(attention_run, "simulate", simulator or GoldenSimulator())
    return call("run", "attention", *TINY, *options)


def test_the_command_reports_every_step_in_every_style(monkeypatch, tmp_path):
    result = attend(monkeypatch, tmp_path)
    assert result.exit_code == 0, result.output
    assert "All 60 jobs' results and counters equal the golden model to the bit." in result.output
    table = [line for line in result.output.splitlines() if line[:1] in "┏┡├└│┃"]
    assert max(map(len, table)) <= 100
    report = json.loads((tmp_path / "build/attention/report.json").read_text())
    assert report["bits_equal"] is True
    assert len(report["gemms"]) == 8 * 3
    assert (tmp_path / "build/attention/report.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_exits_with_1_where_a_bit_differs(monkeypatch, tmp_path):
    def spoil(at, index, outcome):
        if (at, index) == (3, 1):
            outcome.results[20, 4] ^= 0x80000000
        return outcome
    result = attend(monkeypatch, tmp_path, simulator=GoldenSimulator(spoil))
    assert result.exit_code == 1
    assert "Q·Kᵀ of sequence 0, head 1 in MX6: 1 of 441 differ" in result.stderr
    assert "first C[20, 4]" in result.stderr
    assert "All" not in result.output
    assert json.loads((tmp_path / "build/attention/report.json").read_text())["bits_equal"] is False


@pytest.mark.parametrize(("options", "sentence"), [
    (("--sequences", "3"), "2 sequences were captured; choose 1 to 2 of them, not 3"),
    (("--k-max", "32"), "the attention has K = 36, over the machine's limit of 32"),
    (("--head-fraction", "1.5"), "fraction must be from 0 to 1, not 1.5"),
])
def test_what_cannot_be_run_is_a_sentence(monkeypatch, tmp_path, options, sentence):
    result = attend(monkeypatch, tmp_path, *options)
    assert result.exit_code == 2
    assert sentence in result.stderr.replace("\n", " ")
