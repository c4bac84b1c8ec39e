"""Ranges of scores, the way that follows from them, and tags of packed results."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from quality import packed_results as study  # noqa: E402
from quality.harness.calls import recorded  # noqa: E402
from quality.models.options import ModelOptions  # noqa: E402
from quality.models.subject import load_subject  # noqa: E402


@pytest.fixture(scope="module")
def drawn():
    """The small DiT, and its evaluations for two images of each of two seeds."""
    subject = load_subject(ModelOptions(steps=2))
    found = []
    for seed in (0, 1):
        with recorded(subject.transformer) as calls:
            subject.draw(subject.transformer, seed, 0, 2)
        found.append(calls)
    return subject.transformer, *found


@pytest.mark.parametrize("most, least_row_maximum, way, offset", [
    (30, -5, "drain", 0), (87.9, -119, "drain", 0), (87.9, -121, "maximum", 0),
    (100, 0, "offset", 12), (500, 300, "offset", 412), (500, 200, "maximum", 412)])
def test_the_way_follows_from_the_range(most, least_row_maximum, way, offset):
    found = study.ScoreRange("attn", 0, -1.0, most, least_row_maximum)
    assert (found.way, found.offset) == (way, offset)


def test_ranges_are_those_of_the_scores(drawn):
    model, calls, _ = drawn
    ranges = study.score_ranges(model, calls)
    heads = model.transformer_blocks[0].attn1.heads
    assert len(ranges) == heads * len(model.transformer_blocks)
    seen = []

    def keep(module, given):
        width = module.to_q.weight.shape[0] // heads
        q, k = (layer(given[0]).unflatten(-1, (heads, width)).transpose(1, 2)
                for layer in (module.to_q, module.to_k))
        seen.append((q @ k.mT * math.log2(math.e) / math.sqrt(width)).numpy())

    handle = model.transformer_blocks[0].attn1.register_forward_pre_hook(
        lambda module, given, named: keep(module, given or (named["hidden_states"],)),
        with_kwargs=True)
    with torch.no_grad():
        for call in calls:
            call.repeat(model)
    handle.remove()
    scores = np.concatenate(seen)
    for head, found in enumerate(ranges[:heads]):
        mine = scores[:, head]
        assert found.most == pytest.approx(mine.max(), rel=1e-4)
        assert found.least == pytest.approx(mine.min(), rel=1e-4)
        assert found.least_row_maximum == pytest.approx(mine.max(-1).min(), rel=1e-4)


def test_packed_results_are_p_and_the_second_layers_of_feed_forwards(drawn):
    model, *_ = drawn
    names = [site.name for site in study.packed_sites(model)]
    assert len(names) == 2 * len(model.transformer_blocks)
    assert names[0].endswith("attn1.pv") and names[1].endswith("ff.net.2")


def test_outliers_in_mx9_help_and_a_table_less_than_a_choice(drawn):
    model, calls, others = drawn
    losses = study.tag_losses(model, others, calls, tile_rows=8,
                              fractions={"linear": 0.05, "pv": 0.20})
    mx6, static, online = (np.mean(losses[name]) for name in ("mx6", "static", "online"))
    assert mx6 < static < online + 0.05
    total = study.tag_losses(model, others, calls, tile_rows=8, others=True,
                             fractions={"linear": 0.05, "pv": 0.20})
    assert max(np.mean(each) for each in total.values()) < mx6
    everything = study.tag_losses(model, others, calls, tile_rows=8,
                                  fractions={"linear": 1.0, "pv": 1.0})
    assert everything["static"] == everything["online"] and min(everything["online"]) > online
