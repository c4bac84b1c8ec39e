"""Which blocks are MX9, and in which order channels come: by loops over lists."""

import itertools
from fractions import Fraction

import numpy as np

from golden import calibrate, lanes, metrics, policy, precision
from golden.formats import MX6, MX9
from golden.policy import Policy
from golden.tests.proof.blocks import Definition
from golden.tests.proof.sweep import Sweep, assert_equal

LEVELS = (0, 1, 0x3F800000, 0x7F800001)
"""Magnitudes as patterns: zero, a subnormal, one, a NaN."""


def largest(magnitudes: list[int], count: int) -> list[bool]:
    """Choose so many, the largest first, of equal ones the first."""
    order = sorted(range(len(magnitudes)), key=lambda place: (-magnitudes[place], place))
    return [place in order[:count] for place in range(len(magnitudes))]


def top_and_threshold(chunk: int) -> int:
    """Every list of so many units, every count, every threshold."""
    units, found = chunk + 1, 0
    for magnitudes in itertools.product(LEVELS, repeat=units):
        given = np.array([magnitudes], np.uint32)
        for count in range(units + 1):
            chosen = policy.select_units(given, Policy(Fraction(count, units)))
            if chosen[0].tolist() != largest(list(magnitudes), count):
                raise AssertionError(f"{chosen[0]} of {magnitudes}, of which {count} are to be")
            found += 1
        for level in LEVELS[:3]:
            value = float(np.uint32(level).view(np.float32))
            rule = Policy(1, selection="threshold", threshold=value)
            chosen = policy.select_units(given, rule)[0].tolist()
            if chosen != [magnitude > level for magnitude in magnitudes]:
                raise AssertionError(f"{chosen} of {magnitudes} above {level:#x}")
            found += 1
    return found


def counts(chunk: int) -> int:
    """Shares as decimals: rounded down to whole units."""
    found = 0
    for hundredths in range(101):
        for units in range(64 * chunk, 64 * chunk + 64):
            ours = Policy(hundredths / 100).count(units)
            if ours != hundredths * units // 100:
                raise AssertionError(f"{ours} of {units} units are {hundredths} %")
            found += 1
    return found


def draw(rng: np.random.Generator) -> tuple[np.ndarray, Policy]:
    """Draw heads of activations and a policy for them."""
    heads, rows, k = int(rng.integers(1, 4)), int(rng.integers(1, 8)), int(rng.integers(1, 70))
    x = rng.standard_normal((heads, rows, k)) * 2.0 ** rng.integers(-3, 4, (heads, rows, k))
    x[rng.random(x.shape) < 0.1] = 0
    x[rng.random(x.shape) < 0.01] = np.nan
    granularity = str(rng.choice(["channel_block", "block", "head"]))
    in_heads = granularity == "head"
    choices = {
        "granularity": granularity,
        "scope": "tensor" if in_heads else str(rng.choice(["tensor", "tile"])),
        "tile_rows": None if in_heads or rng.random() < 0.3 else int(rng.integers(1, 5)),
    }
    if rng.random() < 0.5:
        choices |= {"order": "calibrated", "permutation": rng.permutation(k)}
    if rng.random() < 0.3:
        choices |= {"selection": "threshold", "threshold": float(rng.random() * 4)}
    return x.astype(np.float32), Policy(Fraction(int(rng.integers(0, 11)), 10), **choices)


def tags_of(x: np.ndarray, rule: Policy) -> np.ndarray:
    """Say of every block, (heads, rows, K-blocks), whether it is MX9: by lists of lists."""
    heads, rows, k = x.shape
    order = range(k) if rule.order == "natural" else rule.permutation.tolist()
    patterns = (x.view(np.uint32) & 0x7FFFFFFF).tolist()
    units: dict[tuple[int, ...], list[int]] = {}  # magnitudes by unit
    members: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
    tile = rule.tile_rows or rows
    for head, row, place in itertools.product(range(heads), range(rows), range(k)):
        block = place // 16
        unit = {"head": (head,), "block": (head, row, block),
                "channel_block": (head, row // tile, block)}[rule.granularity]  # fmt: skip
        units.setdefault(unit, []).append(patterns[head][row][order[place]])
        members.setdefault(unit, []).append((head, row, block))
    magnitude = {unit: max(all_of_it) for unit, all_of_it in units.items()}
    groups: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for unit in sorted(magnitude):
        in_tile = (unit[0], unit[1] // tile if rule.granularity == "block" else unit[1]) \
            if rule.scope == "tile" else ()  # fmt: skip
        groups.setdefault(in_tile, []).append(unit)
    chosen: set[tuple[int, ...]] = set()
    for group in groups.values():
        if rule.selection == "threshold":
            limit = int(np.float32(rule.threshold).view(np.uint32))
            chosen |= {unit for unit in group if magnitude[unit] > limit}
            continue
        count = len(group) * rule.fraction.numerator // rule.fraction.denominator
        taken = largest([magnitude[unit] for unit in group], count)
        chosen |= {unit for unit, is_taken in zip(group, taken, strict=True) if is_taken}
    tags = np.zeros((heads, rows, -(-k // 16)), np.bool_)
    for unit in chosen:
        for place in members[unit]:
            tags[place] = True
    return tags


def policies(chunk: int) -> int:
    """Tensors of heads under any policy: tags, and the codes of both formats where they belong."""
    rng, found = np.random.default_rng(chunk), 0
    for _ in range(12):
        x, rule = draw(rng)
        tags = tags_of(x, rule)
        assert_equal(policy.outlier_blocks(x, rule), tags)
        ours = precision.apply_policy(x, rule)
        assert_equal(ours.is_mx9, tags)
        ordered = x if rule.order == "natural" else x[..., rule.permutation]
        padded = np.zeros((*x.shape[:2], 16 * tags.shape[-1]), np.float32)
        padded[..., : x.shape[-1]] = ordered
        blocks = padded.reshape(-1, 16)
        nine, six = (Definition.of(blocks, fmt).mantissas(fmt, "half_even") for fmt in (MX9, MX6))
        nan = Definition.of(blocks, MX6).is_nan[:, None]
        mantissa = np.where(nan, 0, np.where(tags.reshape(-1, 1), nine, six)).astype(np.uint8)
        found += assert_equal(ours.mantissa.reshape(-1, 16), mantissa)
        matrix, straight = x[0], Policy(Fraction(1, 3), scope="tile", tile_rows=3)
        weight = precision.convert(matrix, straight)
        assert_equal(weight.is_mx9[None], tags_of(x[:1], straight))
        other = precision.convert(np.ascontiguousarray(matrix.T), straight, transposed=True)
        found += assert_equal(other.mantissa, weight.mantissa)
        if (other.shape, weight.shape) != ((matrix.shape[::-1],) * 2):
            raise AssertionError(f"shapes {other.shape} and {weight.shape}")
    return found


def weights(chunk: int) -> int:
    """Weights with outlier K-blocks, and what a calibration set says of them."""
    rng, found = np.random.default_rng(chunk), 0
    for _ in range(10):
        k, n = int(rng.integers(1, 90)), int(rng.integers(1, 9))
        samples = [rng.standard_normal((int(rng.integers(1, 5)), k)).astype(np.float32)
                   for _ in range(3)]  # fmt: skip
        maxima = [max(float(abs(row[channel])) for x in samples for row in x)
                  for channel in range(k)]  # fmt: skip
        order = sorted(range(k), key=lambda channel: (-maxima[channel], channel))
        if calibrate.channel_order(samples).tolist() != order:
            raise AssertionError("channels come in another order")
        patterns = np.array(maxima, np.float32).view(np.uint32)
        if calibrate.channel_order_from_maxima(patterns).tolist() != order:
            raise AssertionError("recorded maxima give another order")
        share = Fraction(int(rng.integers(0, 11)), 10)
        rule = Policy(share, order="calibrated", permutation=order)
        of_blocks = [max(maxima[channel] for channel in order[first : first + 16])
                     for first in range(0, k, 16)]  # fmt: skip
        tags = largest([int(np.float32(each).view(np.uint32)) for each in of_blocks],
                       int(share * len(of_blocks)))  # fmt: skip
        if calibrate.static_tags(samples, rule).tolist() != tags:
            raise AssertionError("K-blocks have other tags")
        if calibrate.static_tags_from_maxima(patterns, rule).tolist() != tags:
            raise AssertionError("recorded maxima give other tags")
        seen = sorted((float(max(abs(x[:, order[at : at + 16]]).max() for x in [sample]))
                       for sample in samples for at in range(0, k, 16)), reverse=True)  # fmt: skip
        allowed = int(share * len(seen))
        limit = seen[allowed] if allowed < len(seen) else 0.0
        if calibrate.calibrate_threshold(samples, rule) != limit:
            raise AssertionError("another threshold")
        w = rng.standard_normal((k, n)).astype(np.float32)
        ours = precision.quantize_weight(w, np.array(tags), rule)
        lines = np.zeros((n, 16 * len(tags)), np.float32)
        lines[:, :k] = w[order].T
        blocks = lines.reshape(-1, 16)
        nine, six = (Definition.of(blocks, fmt).mantissas(fmt, "half_even") for fmt in (MX9, MX6))
        wanted = np.where(np.tile(tags, n)[:, None], nine, six).astype(np.uint8)
        found += assert_equal(ours.mantissa.reshape(-1, 16), wanted)
    return found


def orders(chunk: int) -> int:
    """Channel orders of any length: places, lost cycles, and spreading without any."""
    rng, found = np.random.default_rng(chunk), 0
    for _ in range(12):
        k = int(rng.integers(1, 200))
        order = rng.permutation(k)
        if rng.random() < 0.3:
            order = np.argsort(np.arange(k) % int(rng.integers(1, 40)), kind="stable")
        places = [0] * k
        for place, channel in enumerate(order.tolist()):
            places[channel] = place
        if lanes.destinations(order).tolist() != places:
            raise AssertionError("channels go to other places")
        lost = sum(
            max(
                [places[channel] % 16 for channel in range(first, min(first + 16, k))].count(lane)
                for lane in range(16)
            )
            - 1
            for first in range(0, k, 16)
        )
        if lanes.conflicts(order) != lost:
            raise AssertionError(f"{lanes.conflicts(order)} lost cycles, not {lost}")
        spread = lanes.spread_lanes(order).tolist()
        where = {channel: place for place, channel in enumerate(spread)}
        for first in range(0, k, 16):
            if set(spread[first : first + 16]) != set(order[first : first + 16].tolist()):
                raise AssertionError("a channel has left its block")
            arriving = [where[channel] % 16 for channel in range(first, min(first + 16, k))]
            if len(set(arriving)) < len(arriving):
                raise AssertionError("two channels that arrive together share a lane")
        found += k
    return found


def errors(chunk: int) -> int:
    """Measures of error, over rationals and by counting numbers in between."""
    rng = np.random.default_rng(chunk)
    x = rng.integers(-50, 51, 40).astype(np.float32)
    y = x + rng.integers(-4, 5, 40).astype(np.float32) / np.float32(8)
    pairs = [(Fraction(float(a)), Fraction(float(b))) for a, b in zip(x, y, strict=True)]
    noise = sum((a - b) ** 2 for a, b in pairs)
    if metrics.mse(x, y) != float(noise / len(pairs)):
        raise AssertionError("another mean squared error")
    ratio = 10 ** (metrics.qsnr(x, y) / 10)
    wanted = float(sum(a * a for a, _ in pairs) / noise)
    if not abs(ratio / wanted - 1) < 1e-12:
        raise AssertionError(f"QSNR is {metrics.qsnr(x, y)} dB")
    start = np.float32(rng.standard_normal() * 1e-40 if chunk % 2 else rng.standard_normal())
    steps, there = int(rng.integers(1, 50)), start
    for _ in range(steps):
        there = np.nextafter(there, np.float32(np.inf))
    if metrics.max_ulp(np.array([start]), np.array([there])) != steps:
        raise AssertionError("numbers are miscounted")
    return len(pairs) + 1


SWEEPS = (
    Sweep("top and threshold", ("policy.select_units", "policy.Policy.threshold_pattern"),
          "a sorted list; a comparison",
          "up to five units of four magnitudes, all counts and thresholds", 5, top_and_threshold),
    Sweep("counts", ("policy.Policy.count",), "whole hundredths, in integers",
          "every per cent of up to 4,095 units", 64, counts),
    Sweep("policies",
          ("policy.outlier_blocks", "policy.permute", "units.unit_magnitudes", "units.gather",
           "units.spread", "precision.apply_policy", "precision.mix", "precision.convert",
           "mx.to_blocks"),
          "dictionaries of units, element by element; codes by the definition in float64",
          "random tensors of heads, granularities, scopes, tiles, orders, selections",
          100, policies),
    Sweep("weights and calibration",
          ("precision.quantize_weight", "calibrate.channel_order", "calibrate.static_tags",
           "calibrate.channel_order_from_maxima", "calibrate.static_tags_from_maxima",
           "calibrate.calibrate_threshold"),
          "sorted lists; codes by the definition in float64", "random sets and weights",
          100, weights),
    Sweep("channel orders", ("lanes.destinations", "lanes.conflicts", "lanes.spread_lanes"),
          "places one by one; what a spread order must be", "random and regular orders", 100,
          orders),
    Sweep("measures of error", ("metrics.mse", "metrics.qsnr", "metrics.max_ulp"),
          "rationals; steps from number to number", "random arrays", 50, errors),
)  # fmt: skip
