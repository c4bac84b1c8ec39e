"""Element types against lists of their values, and against what torch and gfloat round to."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from quality.baselines.element import E2M1, E2M3, E3M2, E4M3, E5M2, INT8, power_of_two  # noqa: E402
from quality.baselines.element import exponents as floor_log2  # noqa: E402
from quality.tests.format_vectors import magnitudes, nearest  # noqa: E402

ELEMENTS = {"e5m2": E5M2, "e4m3": E4M3, "e3m2": E3M2, "e2m3": E2M3, "e2m1": E2M1}


def every_bfloat16() -> torch.Tensor:
    """Return all finite BF16 numbers, each also a third and a half of its step further."""
    x = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(torch.bfloat16).double()
    x = x[x.isfinite()]
    return torch.cat([x, x * (1 + 2.0**-9), x * (1 + 2.0**-8 / 3)])


@pytest.mark.parametrize("name", ELEMENTS)
def test_every_bf16_number_and_its_neighbours_round_to_the_nearest_code(name: str):
    element, values = ELEMENTS[name], magnitudes(name)
    assert element.largest == values[-1]
    assert 2.0**element.largest_exponent <= element.largest < 2.0 ** (element.largest_exponent + 1)
    assert element.bits == 1 + int(name[1]) + int(name[3])
    x = every_bfloat16()
    assert element.round(x).numpy().tobytes() == nearest(x.numpy(), values).tobytes()


@pytest.mark.parametrize("name", ELEMENTS)
def test_every_code_and_every_tie_between_two(name: str):
    element, values = ELEMENTS[name], magnitudes(name)
    ties = (values[1:] + values[:-1]) / 2
    expected = np.where(np.arange(len(ties)) % 2 == 0, values[:-1], values[1:])
    assert element.round(torch.from_numpy(values)).numpy().tobytes() == values.tobytes()
    assert element.round(torch.from_numpy(-ties)).numpy().tobytes() == (-expected).tobytes()


def test_int8_is_a_multiple_of_a_sixty_fourth_and_symmetric():
    x = every_bfloat16().numpy()
    expected = np.clip(np.rint(x * 64), -127, 127) / 64 + 0.0
    assert INT8.round(torch.from_numpy(x)).numpy().tobytes() == expected.tobytes()
    assert not INT8.round(torch.tensor([-1e-9], dtype=torch.float64)).signbit().any()


@pytest.mark.parametrize(
    ("element", "dtype"), [(E4M3, torch.float8_e4m3fn), (E5M2, torch.float8_e5m2)]
)
def test_torch_casts_to_the_same_numbers(element, dtype: torch.dtype):
    x = every_bfloat16().float()
    x = x[x.abs() <= element.largest]
    assert torch.equal(element.round(x.double()).float(), x.to(dtype).float())


@pytest.mark.parametrize("name", ELEMENTS)
def test_gfloat_rounds_to_the_same_numbers(name: str):
    gfloat = pytest.importorskip(
        "gfloat", reason="gfloat is not installed: pip install '.[formats]'"
    )
    from gfloat import formats

    info = getattr(formats, f"format_info_ocp_{name}")
    x = every_bfloat16()
    expected = gfloat.round_ndarray(info, x.numpy(), gfloat.RoundMode.TiesToEven, sat=True)
    assert ELEMENTS[name].round(x).numpy().tobytes() == expected.tobytes()


def test_powers_and_exponents_are_exact_over_all_of_fp32():
    exponent = torch.arange(-149, 128)
    power = power_of_two(exponent)
    assert power.tolist() == [2.0**each for each in exponent.tolist()]
    assert torch.equal(floor_log2(power), exponent)
    assert torch.equal(floor_log2(power * (2 - 2.0**-23)), exponent)
