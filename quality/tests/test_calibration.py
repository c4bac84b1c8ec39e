"""The parts of a calibration: budget, rounded weights, notes, file."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from torch import nn  # noqa: E402

from golden.formats import MX6, MX9  # noqa: E402
from golden.lanes import conflicts  # noqa: E402
from golden.torch import fake_quantize, find_sites  # noqa: E402
from quality.calibration.budget import LAST_STEP, activation_gains, spend  # noqa: E402
from quality.calibration.notes import Notes  # noqa: E402
from quality.calibration.observe import find_operands, observed, rounded  # noqa: E402
from quality.calibration.record import (  # noqa: E402
    Calibration,
    OperandRecord,
    WeightRecord,
    load_calibration,
    save_calibration,
)
from quality.calibration.rounding import round_weight  # noqa: E402
from quality.calibration.sensitivity import replaced, weight_shares  # noqa: E402
from quality.calibration.statistics import Moments, measure_shares  # noqa: E402
from quality.harness.calls import Call  # noqa: E402
from quality.storage import save_tensors  # noqa: E402


def test_the_budget_buys_the_best_units_and_is_never_exceeded():
    generator = np.random.default_rng(0)
    gains = {"x": generator.random((2, 3)), "y": generator.random(4)}
    chosen = spend(gains, {"x": 1, "y": 1}, 0.4)
    everything = np.concatenate([each.ravel() for each in gains.values()])
    best = max(sum(subset) for subset in itertools.combinations(everything, 4))
    assert sum((gains[name] * chosen[name]).sum() for name in gains) == pytest.approx(best)
    assert sum(each.sum() for each in chosen.values()) == 4


def test_a_unit_that_is_too_dear_leaves_its_money_to_the_next():
    chosen = spend({"dear": np.array([100.0]), "cheap": np.array([1.0, 2.0])},
                   {"dear": 10, "cheap": 1}, 0.2)  # fmt: skip
    assert not chosen["dear"].any() and chosen["cheap"].all()


def test_a_share_above_one_is_refused():
    with pytest.raises(ValueError, match="from 0 to 1"):
        spend({"x": np.ones(2)}, {"x": 1}, 1.5)


def test_gains_are_relative_to_their_steps_error_and_the_last_step_counts_more():
    noise = {"x": np.array([[1.0], [30.0]]), "y": np.array([[3.0], [10.0]])}
    gains = activation_gains(noise)
    assert np.array_equal(gains["x"], [[0.25], [0.75 * LAST_STEP]])
    assert np.array_equal(gains["y"], [[0.75], [0.25 * LAST_STEP]])


@pytest.mark.parametrize("channels", [64, 40])
def test_rounding_without_correlation_is_plain_rounding(channels):
    weight = torch.randn(24, channels, generator=torch.Generator().manual_seed(1))
    tags = np.arange(-(-channels // 16)) % 2 == 1
    result = round_weight(weight, torch.eye(channels), tags)
    is_mx9 = torch.from_numpy(np.repeat(tags, 16)[:channels])
    plain = torch.where(is_mx9, fake_quantize(weight, MX9), fake_quantize(weight, MX6))
    assert torch.equal(result, plain)


@pytest.mark.parametrize("channels", [64, 40])
def test_rounded_weights_are_values_of_the_formats_and_serve_the_outputs(channels):
    generator = torch.Generator().manual_seed(2)
    mixing = torch.randn(8, channels, generator=generator)
    noise = 0.3 * torch.randn(500, channels, generator=generator)
    inputs = torch.randn(500, 8, generator=generator) @ mixing + noise
    weight = torch.randn(24, channels, generator=generator)
    tags = np.zeros(-(-channels // 16), bool)
    tags[0] = True
    result = round_weight(weight, inputs.mT @ inputs / 500, tags)
    assert torch.equal(fake_quantize(result[:, :16], MX9), result[:, :16])
    assert torch.equal(fake_quantize(result[:, 16:], MX6), result[:, 16:])
    plain = torch.cat([fake_quantize(weight[:, :16], MX9), fake_quantize(weight[:, 16:], MX6)], 1)
    before, after = ((inputs @ (each - weight).mT).square().sum() for each in (plain, result))
    assert after < before / 2
    assert (result - weight).square().sum() > (plain - weight).square().sum()


def test_rounding_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="do not fit"):
        round_weight(torch.ones(2, 32), torch.eye(16), [False])
    with pytest.raises(ValueError, match="infinity or a NaN"):
        round_weight(torch.full((2, 16), torch.inf), torch.eye(16), [False])


def test_channels_are_in_blocks_of_falling_size_at_full_rate():
    generator = np.random.default_rng(3)
    squares = torch.from_numpy(generator.lognormal(size=128))
    order = Moments(squares=squares).order()
    blocks = squares.numpy()[order].reshape(-1, 16)
    assert np.all(blocks[:-1].min(1) >= blocks[1:].max(1))
    assert conflicts(order) == 0


def test_a_weights_error_is_split_where_it_arises():
    order = np.arange(32)[::-1].copy()
    weight = torch.ones(4, 32)  # which MX6 holds exactly
    weight[:, 3] = 0.987  # in the second block of that order
    assert np.array_equal(weight_shares(weight, torch.ones(32), order), [0, 1])


class Attention(nn.Module):
    """Two linear layers that share their input, and one that reads another tensor."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(4)
            self.first, self.second, self.third = (nn.Linear(32, 32) for _ in range(3))

    def forward(self, x):
        return self.third(self.first(x) * self.second(x))


def test_observing_shows_every_product_and_changes_nothing():
    model, x, seen = Attention(), torch.randn(5, 32), []
    expected = model(x)
    with observed(model, lambda site, a, b: seen.append((site, a.shape, b.shape))):
        assert torch.equal(model(x), expected)
    assert [site for site, *_ in seen] == find_sites(model)
    assert torch.equal(model(x), expected)


def test_layers_with_the_same_input_are_one_operand():
    model = Attention()
    operands = find_operands(model, lambda: model(torch.randn(5, 32)))
    assert [[site.name for site in each.sites] for each in operands] == [
        ["first", "second"], ["third"],
    ]  # fmt: skip


def test_only_the_operand_asked_for_is_rounded():
    model, x = Attention(), torch.randn(5, 32)
    shared, _ = find_operands(model, lambda: model(x))
    rough = fake_quantize(x, MX6)
    with rounded(model, shared), torch.no_grad():
        assert torch.equal(model(x), Attention()(rough))
    assert not torch.equal(model(x), Attention()(rough))


def test_an_inputs_error_is_split_among_the_blocks_in_their_order():
    layer = nn.Linear(32, 4)
    model, order = nn.Sequential(layer), np.arange(32)[::-1].copy()
    x = torch.ones(1, 32)  # which MX6 holds exactly
    x[0, 3], x[0, 20] = 0.987, 0.981
    call = Call({"input": x}, layer(x))
    (operand,) = find_operands(model, lambda: model(x))
    shares, elements = measure_shares(model, [operand], [call], {"0.a": order})
    errors = torch.zeros(2, 32)
    errors[0, 20], errors[1, 3] = 1 - 0.981, 1 - 0.987  # 0.98 becomes 1; block 0 has channels 16 on
    energies = (errors @ layer.weight.mT).square().sum(1)
    assert shares["0.a"][0] == pytest.approx((energies / energies.sum()).tolist(), rel=1e-4)
    assert elements == {"0.a": 16}


def test_a_replaced_weight_comes_back_even_after_an_error():
    layer = nn.Linear(16, 4)
    before = layer.weight.detach().clone()
    with pytest.raises(KeyError), replaced(layer, torch.zeros(4, 16)):
        assert not layer.weight.any()
        raise KeyError
    assert torch.equal(layer.weight, before)


def test_what_is_noted_is_not_measured_again(tmp_path):
    path = tmp_path / "x.notes"
    Notes(path, {"seed": 1}).get("a", lambda: np.ones(3))
    again = Notes(path, {"seed": 1})
    assert np.array_equal(again.get("a", lambda: pytest.fail("measured again")), np.ones(3))
    assert np.array_equal(Notes(path, {"seed": 2}).get("a", lambda: np.zeros(3)), np.zeros(3))
    again.remove()
    assert not path.exists()


@pytest.fixture
def calibration() -> Calibration:
    """One linear layer of 24 x 40 channels, and one product of attention."""
    generator = np.random.default_rng(5)
    order = generator.permutation(40).astype(np.int32)
    outliers = np.array([True, False, False])
    values = round_weight(
        torch.from_numpy(generator.standard_normal((24, 40))), torch.eye(40), outliers
    )
    natural = np.empty((24, 40), np.float32)
    natural[:, order] = values.numpy()
    linear = OperandRecord(
        *(generator.random(shape).astype(np.float32) for shape in ((2, 3), (2,))), 640,
        order, generator.random(2).astype(np.float32),
        generator.random((2, 40)).astype(np.float32),
    )  # fmt: skip
    heads = OperandRecord(np.ones((2, 4), np.float32), np.ones(2, np.float32), 512)
    return Calibration(
        np.array([900.0, 100.0]), {"layer.a": linear, "attn.qk.a": heads}, {"layer": "layer.a"},
        {"layer": WeightRecord(natural, outliers)}, {"seed": 1},
    )  # fmt: skip


def test_a_file_holds_all_of_a_calibration(calibration, tmp_path):
    path = tmp_path / "calibration.safetensors"
    save_calibration(path, calibration)
    found = load_calibration(path)
    assert np.array_equal(found.timesteps, calibration.timesteps)
    for name, record in calibration.operands.items():
        for key, value in vars(record).items():
            assert np.array_equal(getattr(found.operands[name], key), value), (name, key)
    weight, expected = found.weights["layer"], calibration.weights["layer"]
    assert np.array_equal(weight.values, expected.values)
    assert np.array_equal(weight.outliers, expected.outliers)
    assert found.inputs == calibration.inputs and found.provenance["seed"] == 1


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, {"a": np.ones(1)}, {})
    with pytest.raises(ValueError, match="no calibration"):
        load_calibration(path)
    with pytest.raises(FileNotFoundError, match="mixdit quality calibrate"):
        load_calibration(tmp_path / "none.safetensors")


def test_a_layer_of_another_model_is_refused(calibration):
    with pytest.raises(ValueError, match="another model"):
        calibration.input_of("other")
