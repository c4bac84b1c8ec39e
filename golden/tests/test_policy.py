"""Which blocks the MixDiT policy makes MX9."""

import numpy as np
import pytest

import golden
from golden.formats import BF16, MX4, MX6, MX9
from golden.policy import Policy, outlier_blocks, select_units, unit_magnitudes
from golden.tests.helpers import activations, assert_same_bits


def test_chosen_blocks_are_mx9_and_the_others_mx6():
    x = activations()
    policy = Policy(0.25, scope="tile", tile_rows=8)
    mixed = golden.apply_policy(x, policy)
    chosen = outlier_blocks(x, policy)
    assert mixed.format == "mixed" and np.array_equal(mixed.is_mx9, chosen)
    for fmt, blocks in ((MX9, chosen), (MX6, ~chosen)):
        q = golden.quantize(x, fmt)
        for name in ("exponent", "microexponent", "mantissa", "sign"):
            assert_same_bits(getattr(mixed, name)[blocks], getattr(q, name)[blocks], name)
    values = mixed.dequantize().reshape(20, -1)
    expected = np.where(
        np.repeat(chosen, 16, axis=1)[:, :200],
        golden.quantize(x, MX9).dequantize(),
        golden.quantize(x, MX6).dequantize(),
    )
    assert_same_bits(values, expected)


def test_magnitudes_are_patterns_of_the_largest_element():
    x = np.zeros((5, 40), np.float32)
    x[0, 3], x[1, 2], x[4, 39] = -2.0, 1e-40, np.nan
    magnitude = unit_magnitudes(x, tile_rows=2)
    subnormal = int(np.float32(1e-40).view(np.uint32))
    nan = int(x.view(np.uint32)[4, 39])
    assert magnitude.tolist() == [[0x40000000, 0, 0], [0, 0, 0], [0, 0, nan]]
    assert unit_magnitudes(x[1:], tile_rows=2)[0, 0] == subnormal
    assert unit_magnitudes(x, "block").shape == (5, 3)
    assert unit_magnitudes(x.reshape(1, 5, 40), "head").tolist() == [nan]


def test_magnitudes_order_fp16_and_bf16_as_their_own_patterns_do():
    patterns = np.arange(1 << 15, dtype=np.uint16)
    for x, fmt in ((patterns.view(np.float16), None), (patterns, BF16)):
        blocks = np.zeros((1 << 15, 16), x.dtype)
        blocks[:, 9] = x
        magnitude = unit_magnitudes(blocks, "block", float_format=fmt)[:, 0].astype(np.int64)
        assert np.all(np.diff(magnitude) > 0)


def test_top_takes_the_largest_and_the_lower_index_where_equal():
    magnitude = np.array([[5, 9, 9, 1], [9, 0, 5, 5]], np.uint32)
    tagged = select_units(magnitude, Policy(0.5)).tolist()
    assert tagged == [[True, True, True, False], [True, False, False, False]]
    tagged = select_units(magnitude, Policy(0.5, scope="tile")).tolist()
    assert tagged == [[False, True, True, False], [True, False, True, False]]


def test_nan_ranks_above_infinity():
    magnitude = np.array([[0x7F800000, 0x7F800001, 0x7F7FFFFF]], np.uint32)
    assert select_units(magnitude, Policy(0.34)).tolist() == [[False, True, False]]


@pytest.mark.parametrize(
    ("fraction", "units", "expected"),
    [(0.05, 19, 0), (0.05, 20, 1), (0.29, 100, 29), (0.07, 100, 7), (1, 7, 7), (0, 7, 0)],
)
def test_the_fraction_rounds_down_to_whole_units(fraction, units, expected):
    assert Policy(fraction).count(units) == expected
    magnitude = np.arange(units, dtype=np.uint32)[None]
    assert np.count_nonzero(select_units(magnitude, Policy(fraction))) == expected


@pytest.mark.parametrize("scope", ["tensor", "tile"])
@pytest.mark.parametrize("granularity", ["channel_block", "block"])
def test_the_share_never_exceeds_the_fraction(scope, granularity):
    x = activations(rows=21)
    policy = Policy(0.2, granularity=granularity, scope=scope, tile_rows=4)
    mixed = golden.apply_policy(x, policy)
    units = select_units(unit_magnitudes(x, granularity, 4), policy)
    assert 0 < np.mean(units) <= 0.2
    if scope == "tile":
        tiles = [mixed.is_mx9[i : i + 4] for i in range(0, 21, 4)]
        assert all(0 < tile.mean() <= 0.2 for tile in tiles)


def test_channel_blocks_have_one_tag_per_tile():
    x = activations(rows=10)
    tags = golden.apply_policy(x, Policy(0.3, tile_rows=4)).is_mx9
    for first in (0, 4, 8):
        tile = tags[first : first + 4]
        assert np.all(tile == tile[0])
    assert np.any(tags[0] != tags[4])


def test_block_tiles_choose_among_all_their_rows():
    x = activations(rows=6)
    policy = Policy(0.1, granularity="block", scope="tile", tile_rows=4)
    tags = golden.apply_policy(x, policy).is_mx9
    magnitude = unit_magnitudes(x, "block")
    for rows in (slice(0, 4), slice(4, 6)):
        part = magnitude[rows]
        count = int(part.size * 0.1)
        assert np.count_nonzero(tags[rows]) == count
        assert part[tags[rows]].min() >= part[~tags[rows]].max()


def test_heads_are_tagged_whole():
    x = np.random.default_rng(1).standard_normal((2, 5, 6, 40)).astype(np.float32)
    x[1, 3] *= 10
    tags = golden.apply_policy(x, Policy(0.2, granularity="head")).is_mx9
    assert tags[1, 3].all()
    assert [int(head.sum()) for head in tags.reshape(10, -1)].count(18) == 2
    assert tags.sum() == 36


def test_threshold_is_exceeded_strictly():
    x = np.zeros((4, 64), np.float32)
    x[0, 0], x[0, 16], x[0, 32] = 2, -2.0000002, np.nan
    policy = Policy(selection="threshold", threshold=2.0)
    assert golden.apply_policy(x, policy).is_mx9[0].tolist() == [False, True, True, False]


def test_a_threshold_of_minus_zero_is_zero():
    x = np.zeros((4, 32), np.float32)
    x[0, 0] = 1
    tags = [
        golden.apply_policy(x, Policy(selection="threshold", threshold=zero)).is_mx9[0].tolist()
        for zero in (0.0, -0.0)
    ]
    assert tags[0] == tags[1] == [True, False]


def test_weight_formats():
    w = np.random.default_rng(4).standard_normal((40, 6)).astype(np.float32)
    tags = [True, False, True]
    assert golden.quantize_weight(w, tags, Policy(weights=(MX9, MX9))).format == MX9
    assert golden.quantize_weight(w, tags, Policy(weights=("MX4", "MX4"))).format == MX4
    b = golden.quantize_weight(w, tags, Policy(weights=(MX4, MX9)))
    values, rows = b.dequantize(), np.repeat(tags, 16)[:40]
    for fmt, part in ((MX9, rows), (MX4, ~rows)):
        assert_same_bits(values[part], golden.quantize(w, fmt, axis=0).dequantize()[part])


def test_static_tags_are_taken_as_they_are():
    x = activations(k=64)
    tags = [False, True, False, False]
    policy = Policy(0.25, selection="static", static_tags=tags, tile_rows=3)
    assert np.all(golden.apply_policy(x, policy).is_mx9 == tags)


def test_static_tags_mark_blocks_of_the_new_order_in_every_tile():
    """What a machine does with a table: channels to their places, then its tags."""
    x = activations(rows=10, k=40)
    order = np.random.default_rng(5).permutation(40)
    tags = [False, True, True]
    policy = Policy(
        1, tile_rows=4, selection="static", static_tags=tags, order="calibrated", permutation=order
    )
    a = golden.apply_policy(x, policy)
    placed = np.zeros((10, 48), np.float32)
    placed[:, golden.destinations(order)] = x
    for block, is_mx9 in enumerate(tags):
        part = golden.quantize(placed[:, 16 * block : 16 * block + 16], MX9 if is_mx9 else MX6)
        assert np.all(a.is_mx9[:, block] == is_mx9)
        assert_same_bits(a.mantissa[:, block], part.mantissa[:, 0])


@pytest.mark.parametrize(("fraction", "share"), [(0, 0.0), (1, 1.0)])
@pytest.mark.parametrize("scope", ["tensor", "tile"])
def test_all_or_no_blocks_of_a_head_of_its_own(fraction, share, scope):
    """What a machine does with a job per head: the head's tag is the job's."""
    assert golden.apply_policy(activations(), Policy(fraction, scope=scope)).mx9_share == share


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("fraction must be", lambda: Policy(1.5)),
        ("granularity must be", lambda: Policy(granularity="row")),
        ("scope must be", lambda: Policy(scope="head")),
        ("order must be", lambda: Policy(order="sorted")),
        ("selection must be", lambda: Policy(selection="best")),
        ("tile_rows must be", lambda: Policy(tile_rows=0)),
        ("a head is tagged as a whole", lambda: Policy(granularity="head", scope="tile")),
        ("needs threshold", lambda: Policy(selection="threshold")),
        ("needs static_tags", lambda: Policy(selection="static")),
        ("needs permutation", lambda: Policy(order="calibrated")),
        ("threshold must be", lambda: Policy(selection="threshold", threshold=-1.0)),
        ("threshold must be", lambda: Policy(selection="threshold", threshold=float("nan"))),
        ("every channel number once", lambda: Policy(order="calibrated", permutation=[0, 0])),
        ("no MX format", lambda: Policy(weights=("MX6", "MX8"))),
        ("must be two formats", lambda: Policy(weights=(MX6,))),
        (
            "orders 2 channels, but there are 200",
            lambda: golden.apply_policy(
                activations(), Policy(order="calibrated", permutation=[1, 0])
            ),
        ),
        (
            "do not fit units of shape",
            lambda: golden.apply_policy(
                activations(), Policy(1, selection="static", static_tags=[True] * 5)
            ),
        ),
        (
            "mark 13 of 13 units",
            lambda: golden.apply_policy(
                activations(), Policy(0.5, selection="static", static_tags=[True])
            ),
        ),
        (
            "heads need a tensor",
            lambda: golden.apply_policy(activations(), Policy(granularity="head")),
        ),
        (
            "has 13 K-blocks, but outliers",
            lambda: golden.quantize_weight(activations().T, [True], Policy()),
        ),
        (
            r"must be a matrix \(K, N\)",
            lambda: golden.quantize_weight(np.ones(16, np.float32), [True], Policy()),
        ),
    ],
)
def test_bad_input_gets_a_sentence(message, call):
    with pytest.raises(ValueError, match=message):
        call()
