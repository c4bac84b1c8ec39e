"""The tables of the vector unit: made again, and near what they are tables of."""

import math

import numpy as np
import pytest

from golden.vector import fit, tables
from golden.vector.interpolation import interpolate

BY_NAME = pytest.mark.parametrize("definition", fit.DEFINITIONS, ids=lambda each: each.name)

BOUNDS = {"EXP2": 5.56e-5, "GELU_GATE": 1.57e-5, "SILU_GATE": 1.99e-5, "RECIPROCAL": 2.63e-5,
          "RECIPROCAL_ROOT": 2.69e-5}  # fmt: skip
"""Largest errors of tables, which docs/vector.md gives as powers of two; relative ones but for the
gates."""


def test_the_file_is_what_the_definitions_give():
    assert fit.PAGE.read_text(encoding="utf-8") == fit.text(), "run: mixdit dev vector-tables"


@BY_NAME
def test_every_value_is_near_the_definition(definition):
    table = getattr(tables, definition.name)
    places = np.arange(1 << table.argument_bits)
    value = interpolate(table, places) / 2**table.result_bits
    width = (definition.stop - definition.start) / len(places)
    exact = definition.function(definition.start + width * places)
    scale = exact if definition.is_relative else 1
    worst = np.max(np.abs(value - exact) / scale)
    assert 0.99 * BOUNDS[definition.name] < worst < BOUNDS[definition.name]


@BY_NAME
def test_values_stay_within_a_significand_and_begin_exactly(definition):
    table = getattr(tables, definition.name)
    value = interpolate(table, np.arange(1 << table.argument_bits))
    unit = 1 << table.result_bits
    assert definition.least * unit <= value.min() and value.max() <= definition.most * unit
    start = definition.function(np.array([definition.start], float))[0]
    assert value[0] == start * unit


@BY_NAME
def test_sums_and_products_keep_to_the_widths_of_the_page(definition):
    """c0 up to 19 bits, c1 14 bits beside a sign, c2 6."""
    table = getattr(tables, definition.name)
    widths = [max(abs(each) for each in column).bit_length()
              for column in (table.c0, table.c1, table.c2)]  # fmt: skip
    assert widths == {
        "EXP2": [18, 10, 0],
        "GELU_GATE": [19, 13, 4],
        "SILU_GATE": [19, 14, 5],
        "RECIPROCAL": [19, 13, 6],
        "RECIPROCAL_ROOT": [19, 12, 5],
    }[definition.name]
    # Coefficients of one degree have one sign, so that none is stored.
    assert all(min(column) >= 0 or max(column) <= 0 for column in (table.c1, table.c2))


def test_definitions_are_those_of_pythons_mathematics():
    for x in np.linspace(0, 15.9, 400):
        tanh = math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
        given = np.array([x])
        assert fit.gelu_gate(given)[0] == pytest.approx((1 + tanh) / 2, rel=1e-14)
        assert fit.logistic(given)[0] == pytest.approx(1 / (1 + math.exp(-x)), rel=1e-14)
    for x in (0.0, 0.5, 0.999):
        given = np.array([x, 1 + x])
        exact = [1 / math.sqrt(1 + x), 1 / math.sqrt(2 * (1 + x))]
        assert fit.root_of_two_binades(given) == pytest.approx(exact, rel=1e-15)


@pytest.mark.parametrize("place", [-1, 1 << 15])
def test_arguments_out_of_range_are_refused(place):
    with pytest.raises(ValueError, match="arguments of EXP2 must be from 0 to 32767"):
        interpolate(tables.EXP2, [place])
