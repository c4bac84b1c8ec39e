"""Student's t against tables and against its own density."""

import math

import pytest

from quality.report.student import quantile, two_sided


@pytest.mark.parametrize(
    ("freedom", "value"),
    [(1, 12.7062), (2, 4.302653), (3, 3.182446), (4, 2.776445), (5, 2.570582), (9, 2.262157),
     (10, 2.228139), (30, 2.042272), (120, 1.979930)],
)  # fmt: skip
def test_quantiles_are_those_of_tables(freedom: int, value: float):
    assert quantile(freedom) == pytest.approx(value, abs=1e-6 * value)
    assert two_sided(quantile(freedom), freedom) == pytest.approx(0.05, abs=1e-12)
    assert two_sided(-quantile(freedom), freedom) == two_sided(quantile(freedom), freedom)


@pytest.mark.parametrize("freedom", [1, 2, 3, 6, 7, 24, 25])
@pytest.mark.parametrize("t", [0.0, 0.3, 2.0, 5.0])
def test_probabilities_are_the_areas_below_the_density(freedom: int, t: float):
    factor = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    factor /= math.sqrt(freedom * math.pi)
    steps = 4000  # Simpson's rule
    exponent = -(freedom + 1) / 2
    heights = [(1 + (t * i / steps) ** 2 / freedom) ** exponent for i in range(steps + 1)]
    area = sum(h * (1 if i in (0, steps) else 4 if i % 2 else 2) for i, h in enumerate(heights))
    area *= factor * t / steps / 3
    assert two_sided(t, freedom) == pytest.approx(1 - 2 * area, abs=1e-10)


def test_another_confidence():
    assert quantile(9, 0.99) == pytest.approx(3.249836, abs=1e-6)


def test_no_degrees_of_freedom_are_refused():
    with pytest.raises(ValueError, match="at least 1 degree of freedom, not 0"):
        two_sided(1.0, 0)


@pytest.mark.parametrize(("t", "freedom"), [(30, 20), (979.6, 6), (1e9, 3), (1e300, 1)])
def test_no_probability_is_negative(t: float, freedom: int):
    assert 0 <= two_sided(t, freedom) < 1e-3


@pytest.mark.parametrize("confidence", [0, 1, 1.5, math.nan])
def test_what_is_no_confidence_is_refused(confidence: float):
    with pytest.raises(ValueError, match="a confidence lies between 0 and 1"):
        quantile(5, confidence)
