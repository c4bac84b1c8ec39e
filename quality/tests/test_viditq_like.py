"""Balanced channels: the rotation, the scales, and what they are good for."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from golden import qsnr  # noqa: E402
from golden.torch import Site  # noqa: E402
from quality.baselines import viditq_like  # noqa: E402
from quality.baselines.uniform import Uniform  # noqa: E402
from quality.baselines.viditq_like import rotate, smoothing  # noqa: E402


def hadamard(order: int) -> np.ndarray:
    """Return Sylvester's matrix by its recursion."""
    if order == 1:
        return np.ones((1, 1))
    half = hadamard(order // 2)
    return np.block([[half, half], [half, -half]])


@pytest.mark.parametrize(("width", "part"), [(1, 1), (8, 8), (12, 4), (72, 8), (128, 128), (7, 1)])
def test_the_rotation_is_sylvesters_matrix_on_equal_parts(width: int, part: int):
    x = torch.randn(5, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    matrix = np.kron(np.eye(width // part), hadamard(part)) / np.sqrt(part)
    assert np.abs(rotate(x).numpy() - x.numpy() @ matrix).max() < 1e-6  # FP32


def test_scales_follow_both_ranges():
    activations, weights = torch.tensor([16.0, 4.0, 0.0, 9.0]), torch.tensor([0.25, 1.0, 2.0, 0.0])
    assert smoothing(activations, weights).tolist() == [8.0, 2.0, 1.0, 1.0]
    assert smoothing(activations, weights, 1.0).tolist()[:2] == [16.0, 4.0]
    with pytest.raises(ValueError, match="maxima of 4 channels do not fit a weight with 3"):
        smoothing(activations, torch.ones(3))


@pytest.fixture
def operands() -> tuple[torch.Tensor, torch.Tensor]:
    """Return activations (200, 128) with outlier channels, and a weight (64, 128)."""
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(200, 128, generator=generator), torch.randn(64, 128, generator=generator)
    a[:, [3, 50, 99]] *= 40
    return a, b


def product_quality(a: torch.Tensor, b: torch.Tensor, scheme: object) -> float:
    """Return the QSNR of the product, in decibels."""
    weight = scheme.weight(b)
    return qsnr((a @ b.T).numpy(), (scheme.activation(a) @ weight.T).numpy())


def test_balancing_undoes_itself_and_tames_outlier_channels(operands: tuple):
    a, b = operands
    site = Site("layer", "linear", 128, 64)
    policy = viditq_like(8, {"layer": a.abs().amax(0)})
    balanced = product_quality(a, b, policy(site))
    plain_a, plain_b = Uniform(8, "affine")(a), Uniform(8, "affine")(b)
    plain = qsnr((a @ b.T).numpy(), (plain_a @ plain_b.T).numpy())
    assert balanced > 38  # so what was done to A was undone in B
    assert balanced - plain > 3
    four = product_quality(a, b, viditq_like(4, {"layer": a.abs().amax(0)})(site))
    assert 12 < four < balanced - 15


def test_the_rotation_helps_where_the_ranges_have_moved(operands: tuple):
    a, b = operands
    later = a.roll(1, dims=1)  # other channels are large now
    scheme = viditq_like(8, {"layer": a.abs().amax(0)})(Site("layer", "linear", 128, 64))
    weight = scheme.weight(b)
    scaled_a, scaled_b = later / scheme.scale, b * scheme.scale
    rotated = qsnr((later @ b.T).numpy(), (scheme.activation(later) @ weight.T).numpy())
    eight = Uniform(8, "affine")
    only_scaled = qsnr((later @ b.T).numpy(), (eight(scaled_a) @ eight(scaled_b).T).numpy())
    assert rotated - only_scaled > 3


def test_attention_stays_in_floating_point_and_layers_share_nothing(operands: tuple):
    policy = viditq_like(4, {"layer": operands[0].abs().amax(0)})
    assert policy(Site("block.qk", "qk", 32, None, 4)) is None
    assert policy(Site("block.pv", "pv", None, 32, 4)) is None
    assert policy(Site("layer", "linear", 128, 64)).activation_key is None


def test_widths_and_their_overhead_are_counted(operands: tuple):
    a, b = operands
    scheme = viditq_like(4, {"layer": a.abs().amax(0)})(Site("layer", "linear", 128, 64))
    scheme.weight(b)
    scheme.activation(a)
    assert scheme.meter.activation_bits == 8 + (16 + 8) / 128
    assert scheme.meter.weight_bits == 4 + (16 + 4) / 128


def test_what_is_missing_is_said(operands: tuple):
    a, _ = operands
    with pytest.raises(ValueError, match="no channel maxima of layer: calibrate anew"):
        viditq_like(4, {})(Site("layer", "linear", 128, 64))
    scheme = viditq_like(4, {"layer": a.abs().amax(0)})(Site("layer", "linear", 128, 64))
    with pytest.raises(ValueError, match="follow from the weight"):
        scheme.activation(a)
