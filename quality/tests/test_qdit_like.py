"""Group-wise quantization: what groups are good for, where it applies, what it costs."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from golden import qsnr  # noqa: E402
from golden.torch import Site  # noqa: E402
from quality.baselines import qdit_like  # noqa: E402
from quality.baselines.uniform import Uniform  # noqa: E402

LAYER = Site("layer", "linear", 128, 64)


def test_attention_stays_in_floating_point():
    policy = qdit_like(4)
    assert policy(Site("block.qk", "qk", 32, None, 4)) is None
    assert policy(Site("block.pv", "pv", None, 32, 4)) is None
    assert policy(LAYER) is not None


def test_groups_are_quantized_on_their_own():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(20, 128, generator=generator), torch.randn(64, 128, generator=generator)
    scheme = qdit_like(4)(LAYER)
    for whole, part in ((a, scheme.activation), (b, scheme.weight)):
        changed = whole.clone()
        changed[:, 40] = 1000  # in the second of four groups
        same = (part(whole) == part(changed)).all(0)
        assert same[:32].all()
        assert not same[32:64].any()
        assert same[64:].all()


def test_an_outlier_channel_costs_its_own_group_only():
    x = torch.randn(50, 128, generator=torch.Generator().manual_seed(1))
    x[:, 7] += 100
    scheme = qdit_like(8)(LAYER)
    others = torch.arange(128) >= 32
    grouped = qsnr(x[:, others].numpy(), scheme.activation(x)[:, others].numpy())
    rows = qsnr(x[:, others].numpy(), Uniform(8, "affine")(x)[:, others].numpy())
    assert grouped - rows > 20


def test_widths_and_their_overhead_are_counted():
    scheme = qdit_like(4)(LAYER)
    scheme.activation(torch.randn(2, 30, 128))
    scheme.weight(torch.randn(64, 128))
    assert scheme.meter.activation_bits == 8 + (16 + 8) / 32
    assert scheme.meter.weight_bits == 4 + (16 + 4) / 32


def test_eight_bit_weights_have_256_levels_and_four_bit_weights_16():
    weight = torch.rand(8, 128, generator=torch.Generator().manual_seed(2)) - 0.3
    for bits in (4, 8):
        values = qdit_like(bits, group=128)(LAYER).weight(weight)
        assert max(len(row.unique()) for row in values) <= 2**bits
        error = (values - weight).abs().amax(1)
        step = (weight.amax(1) - weight.amin(1)) / (2**bits - 1)
        # Half a step, and as much where rounding the zero point or the scale pushes out an end.
        assert (error < 1.1 * step).all()
        assert np.median((error / step).numpy()) < 0.8


def test_layers_that_read_one_input_share_its_codes():
    one, other = (qdit_like(4)(Site(name, "linear", 128, 64)) for name in ("q", "k"))
    assert one.activation_key == other.activation_key
    assert one.activation_key != qdit_like(4, activation_bits=6)(LAYER).activation_key
    assert one.activation_key != qdit_like(4, group=64)(LAYER).activation_key
