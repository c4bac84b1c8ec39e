"""Channel orders without lane conflicts."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import golden
from golden.lanes import conflicts, destinations, spread_lanes
from golden.tests.helpers import activations, assert_same_bits

SEARCH = settings(deadline=None, max_examples=100, derandomize=True)


def lost_cycles(order):
    """Count by the definition: block by block, lane by lane."""
    place = {channel: p for p, channel in enumerate(order)}
    lost = 0
    for first in range(0, len(order), 16):
        lanes = [place[c] % 16 for c in range(first, min(first + 16, len(order)))]
        lost += max(lanes.count(lane) for lane in lanes) - 1
    return lost


@SEARCH
@given(st.integers(1, 400), st.integers(0, 1 << 32))
def test_every_order_can_be_spread_inside_its_blocks(channels, seed):
    order = np.random.default_rng(seed).permutation(channels)
    spread = spread_lanes(order)
    assert lost_cycles(spread.tolist()) == conflicts(spread) == 0
    assert conflicts(order) == lost_cycles(order.tolist())
    for first in range(0, channels, 16):
        assert set(spread[first : first + 16]) == set(order[first : first + 16])


@pytest.mark.parametrize("channels", [16, 48, 100])
def test_an_order_without_conflicts_stays_as_it_is(channels):
    natural = np.arange(channels)
    assert_same_bits(spread_lanes(natural), natural)
    once = spread_lanes(np.random.default_rng(1).permutation(channels))
    assert_same_bits(spread_lanes(once), once)


def test_one_channel_of_each_block_to_each_block():
    """Where a transposition of 16 x 16 collides 15 times in every block, none is left."""
    order = np.arange(256).reshape(16, 16).T.flatten()
    assert conflicts(order) == 16 * 15
    assert conflicts(spread_lanes(order)) == 0


def test_the_largest_order_takes_no_time():
    order = np.random.default_rng(2).permutation(6144)
    start = time.process_time()
    assert conflicts(spread_lanes(order)) == 0
    assert time.process_time() - start < 1


def test_the_same_channels_are_mx9_in_a_spread_order():
    x = activations(rows=12)
    order = golden.channel_order([x])
    assert conflicts(order) > 0
    tensors = [
        golden.apply_policy(x, golden.Policy(0.2, order="calibrated", permutation=each))
        for each in (order, spread_lanes(order))
    ]
    assert_same_bits(tensors[0].is_mx9, tensors[1].is_mx9)
    assert_same_bits(tensors[0].exponent, tensors[1].exponent)


def test_destinations_are_the_inverse():
    order = np.array([2, 0, 3, 1])
    assert destinations(order).tolist() == [1, 3, 0, 2]
    x = np.array([10, 11, 12, 13])
    placed = np.empty(4, int)
    placed[destinations(order)] = x
    assert placed.tolist() == x[order].tolist()


@pytest.mark.parametrize("order", [[0, 0], [1, 2], [[0, 1]], [0, -1]])
def test_what_is_no_order_gets_a_sentence(order):
    for function in (destinations, conflicts, spread_lanes):
        with pytest.raises(ValueError, match="every channel number once"):
            function(order)
