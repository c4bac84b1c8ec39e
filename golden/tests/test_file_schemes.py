"""What a file says of schemes and weights: what can have been saved is loaded, all else refused."""

import math
import random

import numpy as np
import pytest

import golden
from golden.tests.helpers import assert_same_bits

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from torch import nn  # noqa: E402

from golden.tests import fuzz_quantized  # noqa: E402
from golden.tests.test_files import HIDDEN, K, Network  # noqa: E402
from golden.torch import (  # noqa: E402
    ModelPolicy,
    MXScheme,
    load_quantized,
    quantize_,
    save_quantized,
    uniform,
)


def marked(kind: str, **options) -> ModelPolicy:
    """Give a weight whose blocks are chosen in some way."""

    def policy(site):
        tags = np.arange(-(-site.k // 16)) % 4 == 1
        given = {"fraction": 0.3, "granularity": "block"} | options
        if kind == "outliers":
            given["weights"] = options.get("weights", (golden.MX6, golden.MX9))
            return MXScheme("MX6", golden.Policy(**given), outliers=tags)
        if kind == "static":
            given |= {"selection": "static", "static_tags": tags}
        if kind == "threshold":
            given |= {"selection": "threshold", "threshold": 0.11, "granularity": "channel_block"}
        return MXScheme("MX6", golden.Policy(**given))

    return policy


WAYS: dict[str, ModelPolicy] = {
    "mx4": uniform("mx4"),
    "mx6": uniform("mx6"),
    "mx9": uniform("mx9"),
    "share": marked("share"),
    "larger share": marked("share", fraction=0.6),
    "share of tiles": marked("share", granularity="channel_block", tile_rows=8),
    "static": marked("static"),
    "threshold": marked("threshold"),
    "outliers": marked("outliers"),
    "outliers of MX4": marked("outliers", weights=(golden.MX4, golden.MX6)),
    "no outliers": marked("outliers", weights=(golden.MX6, golden.MX6)),
}
SAME = {("mx6", "no outliers"), ("static", "outliers")}
"""Ways that make the same codes, so that no contradiction can be seen."""


@pytest.mark.parametrize("share", [-1e-3, -5e-3, 0.0, 1e-3, 5e-3])
def test_a_threshold_on_the_edge_of_a_number_is_no_contradiction(share, tmp_path):
    """Numbers around it round to both sides."""
    saved, loaded = Network(), Network(seed=1)
    threshold = 0.1096 * (1 + share)
    policy = golden.Policy(selection="threshold", threshold=threshold, granularity="block")
    with torch.no_grad():
        saved.last.weight[0, 5], saved.last.weight[1, 20] = torch.nan, 1e-40
        saved.last.weight[2, :16], saved.last.weight[3, :16] = 0, torch.finfo(torch.float32).max
        edge = threshold * (1 + torch.linspace(-0.02, 0.02, HIDDEN * 20))
        saved.last.weight[5:25] = edge.view(20, HIDDEN)
    quantize_(saved, lambda site: MXScheme("MX6", policy))
    save_quantized(tmp_path / "model", saved)
    load_quantized(tmp_path / "model", loaded)


@pytest.mark.parametrize("threshold", [0, 2.0**-149, float(torch.finfo().max), math.inf])
def test_a_threshold_beyond_all_numbers_is_no_contradiction(threshold, tmp_path):
    """Only a NaN, or an infinity too, may be above it."""
    saved, loaded = Network(), Network(seed=1)
    policy = golden.Policy(selection="threshold", threshold=threshold, granularity="block")
    with torch.no_grad():
        saved.last.weight[0, 5], saved.last.weight[1, 20] = torch.nan, -torch.inf
        saved.last.weight[2, :16], saved.last.weight[3, :16] = 1e-45, torch.finfo().max
    quantize_(saved, lambda site: MXScheme("MX6", policy))
    save_quantized(tmp_path / "model", saved)
    load_quantized(tmp_path / "model", loaded)
    assert_same_bits(loaded.last.codes.is_mx9, saved.last.codes.is_mx9)


@pytest.mark.parametrize("outliers", [None, [False]])
def test_numbers_that_round_to_zero_have_one_sign_before_and_after(outliers, tmp_path):
    """Of one product alone it can be seen."""
    saved, loaded = (nn.Sequential(nn.Linear(1, 2, bias=False)) for _ in range(2))
    with torch.no_grad():
        saved[0].weight[:] = torch.tensor([[-0.0], [-1e-45]])
    policy = "MX6" if outliers is None else golden.Policy()
    quantize_(saved, lambda site: MXScheme("MX6", policy, outliers=outliers))
    save_quantized(tmp_path / "model", saved)
    load_quantized(tmp_path / "model", loaded)
    x = torch.tensor([[1.0], [-1.0]])
    assert_same_bits(loaded(x).numpy(), saved(x).numpy())
    loaded.load_state_dict(saved.state_dict())
    assert not torch.signbit(saved[0].weight).any()


@pytest.mark.parametrize("other", WAYS)
@pytest.mark.parametrize("way", WAYS)
def test_a_scheme_that_contradicts_its_planes_is_refused(way, other, tmp_path):
    saved, loaded = Network(), Network(seed=1)
    quantize_(saved, WAYS[way])
    save_quantized(tmp_path / "a", saved)
    donor = Network()
    quantize_(donor, WAYS[other])
    save_quantized(tmp_path / "b", donor)
    planes, schemes = load_file(tmp_path / "a"), load_file(tmp_path / "b")
    with safe_open(tmp_path / "a", framework="pt") as file:
        metadata = file.metadata()
    kept = {name: each for name, each in planes.items() if name.startswith(("first.", "last."))}
    rest = {name: each for name, each in schemes.items() if name not in kept}
    save_file(kept | rest, tmp_path / "c", metadata)
    if way == other or {way, other} in [set(pair) for pair in SAME]:
        load_quantized(tmp_path / "c", loaded)
        loaded(torch.ones(2, K))
        return
    layers = list(loaded.modules())
    with pytest.raises(ValueError, match=r"the weight of (first|last) and its scheme differ: "):
        load_quantized(tmp_path / "c", loaded)
    assert list(loaded.modules()) == layers


def test_the_fuzzer_breaks_files_and_reads_some(tmp_path):
    files = fuzz_quantized.valid_files(tmp_path)
    assert all(fuzz_quantized.read(each, tmp_path / "whole") for each in files)
    break_one = fuzz_quantized.break_one(files)
    taken = [
        fuzz_quantized.read(break_one(random.Random(seed)), tmp_path / "broken")
        for seed in range(300)
    ]
    assert 0 < sum(taken) < len(taken)
