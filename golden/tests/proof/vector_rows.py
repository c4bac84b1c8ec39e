"""What the vector unit does with rows, beside rationals and float64: statistics to softmax."""

import itertools
from fractions import Fraction
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from golden.formats import FP16, FP32, MX4, MX6, MX9
from golden.mx import MXTensor, quantize
from golden.precision import mix
from golden.tests.helpers import as_fraction, element_values, round_to_float
from golden.tests.proof import floats as narrowing
from golden.tests.proof import reals
from golden.tests.proof.drawn import draw_floats
from golden.tests.proof.sweep import Sweep, assert_equal
from golden.vector import combination, norms, statistics, sums

# The functions of the same names hide these two modules.
pipes, softmaxing = (import_module(f"golden.vector.{name}") for name in ("pipe", "softmax"))


def rational(pattern: int) -> Fraction:
    """Return the value of a finite FP32 pattern, zero for a subnormal."""
    return as_fraction(pattern) if pattern & 0x7F800000 else Fraction(0)


def nearest_units(value: Fraction, unit: Fraction) -> int:
    """Count units, halves away from zero."""
    count = int(abs(value) / unit + Fraction(1, 2))
    return -count if value < 0 else count


def rows(chunk: int) -> int:
    """Take the statistics of rows, in rationals."""
    rng, found = np.random.default_rng(chunk), 0
    for _ in range(40):
        x = draw_floats(rng, (3, int(rng.integers(1, 40))))
        if rng.random() < 0.3:
            x = x[:, :1].repeat(x.shape[1], 1)
        epsilon = Fraction(float(rng.choice([1e-6, 1e-5, 1.0, 1e-12])))
        given = statistics.row_statistics(x)
        ours = [statistics.row_mean(given), statistics.row_scale(given, epsilon),
                statistics.row_scale(given, epsilon, is_centred=False),
                statistics.row_maximum(x)]  # fmt: skip
        theirs = [row_of(line, epsilon) for line in x.view(np.uint32).tolist()]
        for one, other in zip(ours, np.array(theirs, np.uint32).T, strict=True):
            found += assert_equal(one.view(np.uint32), other)
    return found


def row_of(line: list[int], epsilon: Fraction) -> list[int]:
    """Return the patterns of mean, both scales and maximum of one row of patterns."""
    largest = max(pattern >> 23 & 0xFF for pattern in line)
    if any(pattern & 0x7FFFFFFF > 0x7F800000 for pattern in line):
        return [0x7FC00000] * 4
    # The order of signed magnitudes; subnormals are zeros.
    clean = [p if p & 0x7F800000 else p & 1 << 31 for p in line]
    top = max(clean, key=lambda p: (p >> 31 == 0, -(p & 0x7FFFFFFF) if p >> 31 else p))
    if largest == 255:
        return [0x7FC00000] * 3 + [top]
    n, values = len(line), [rational(pattern) for pattern in line]
    fine, coarse = (Fraction(2) ** (largest - place) for place in (150, 139))
    mean = sum(nearest_units(value, fine) for value in values) * fine / n
    parts = [nearest_units(value, coarse) * coarse for value in values]
    squares, part = n * sum(each * each for each in parts), sum(parts)
    offset = as_fraction(round_to_float(epsilon * n * n, FP32))
    scales = [scale_of(squares - part * part, offset, n), scale_of(squares, offset, n)]
    return [round_to_float(mean, FP32), *scales, top]


def scale_of(spread: Fraction, offset: Fraction, n: int) -> int:
    """Return the pattern of N over the root of a rounded sum."""
    pattern = round_to_float(spread, FP32)
    if pattern == 0x7F800000:
        return 0x7FC00000
    under = round_to_float(as_fraction(pattern) + offset, FP32)
    if under == 0x7F800000:
        return 0x7FC00000
    root = reals.reciprocal_root(np.float64(as_fraction(under)))
    return int(reals.patterns(reals.product(root, n)))


def quantized_rows(chunk: int) -> int:
    """Add up quantized rows, in rationals."""
    rng, found = np.random.default_rng(chunk), 0
    for _ in range(20):
        x = draw_floats(rng, (4, int(rng.integers(1, 70))))
        if rng.random() < 0.8:
            x = np.where(np.isfinite(x), x, np.float32(1))
        six, nine = quantize(x, MX6), quantize(x, MX9)
        mixed = mix(six, nine, rng.random(six.exponent.shape) < 0.5)
        for tensor in (six, nine, mixed, quantize(x, MX4)):
            # D by element_values, over its unit; NaN blocks have no elements.
            blocks = sums.block_sums(tensor)
            theirs = [row_sum(tensor, line, blocks[line].tolist()) for line in range(4)]
            ours = sums.row_sums(tensor).view(np.uint32)
            found += assert_equal(ours, np.array(theirs, np.uint32))
    return found


def row_sum(tensor: MXTensor, line: int, blocks: list[int]) -> int:
    """Return the pattern of a row's sum, and see that those of its blocks are right."""
    exponents = tensor.exponent[line].astype(int).tolist()
    if 255 in exponents:
        return 0x7FC00000
    values, top, units = element_values(tensor, line), max(exponents), 0
    for number, exponent in enumerate(exponents):
        count = sum(values[16 * number : 16 * number + 16]) / Fraction(2) ** (exponent - 134)
        if count != blocks[number]:
            raise AssertionError(f"block {number} sums up to {count}, not {blocks[number]}")
        units += (count * 2**16 / 2 ** (top - exponent) + Fraction(1, 2)).__floor__()
    return round_to_float(units * Fraction(2) ** (top - 134 - 16), FP32)


def passes(chunk: int) -> int:
    """Send rows through the pipe, all combinations of stages, and its outputs."""
    rng, found = np.random.default_rng(chunk), 0
    choices = itertools.product((None, "bias", "offset"), (False, True),
                                (None, "exp2", "gelu", "silu"), (False, True),
                                (False, True))  # fmt: skip
    for first, is_scaled, function, has_channel, has_residual in choices:
        if has_channel and function in ("gelu", "silu"):
            continue
        shape = (3, int(rng.integers(1, 40)))
        x = draw_floats(rng, shape)
        given = {
            "bias": draw_floats(rng, (1, shape[1])) if first == "bias" else None,
            "row_offset": draw_floats(rng, (3, 1)) if first == "offset" else None,
            "row_factor": draw_floats(rng, (3, 1)) if is_scaled else None,
            "channel_factor": draw_floats(rng, (shape[1],)) if has_channel else None,
            "residual": draw_floats(rng, shape) if has_residual else None,
        }
        valid = None if rng.random() < 0.5 else rng.integers(0, shape[1] + 1, 3)
        value, saturated = passed(x, given, function, valid)
        given |= {"function": function, "valid_columns": valid}
        ours = pipes.pipe(x, **given)
        found += assert_equal(ours.result.view(np.uint32), reals.patterns(value), x.view(np.uint32))
        if ours.saturated != saturated:
            raise AssertionError(f"{ours.saturated} saturated, not {saturated}")
        found += outputs(rng, ours.result, x, given)
    return found


def passed(
    x: NDArray[np.float32],
    given: dict[str, NDArray | None],
    function: str | None,
    valid: NDArray | None,
) -> tuple[NDArray[np.float64], int]:
    """Send rows through the stages, in float64."""
    value = reals.taken(x)
    operands = {name: None if each is None else reals.taken(each) for name, each in given.items()}
    if operands["bias"] is not None:
        value = reals.total(value, operands["bias"])
    if operands["row_offset"] is not None:
        value = reals.total(value, -operands["row_offset"])
    if operands["row_factor"] is not None:
        value = reals.product(value, operands["row_factor"])
    beyond = np.zeros(value.shape, bool)
    if function == "exp2":
        beyond = ~np.isnan(value) & (np.nan_to_num(value, posinf=1e9) >= 96 - 2.0**-16)
    if function is not None:
        value = getattr(reals, function)(value)
    if operands["channel_factor"] is not None:
        value = reals.product(value, operands["channel_factor"])
    if operands["residual"] is not None:
        value = reals.total(value, operands["residual"])
    if valid is not None:
        for line, count in enumerate(valid):
            value[line, count:], beyond[line, count:] = 0, False
    return value, int(beyond.sum())


def outputs(
    rng: np.random.Generator, values: NDArray[np.float32], x: NDArray[np.float32],
    given: dict[str, object],
) -> int:  # fmt: skip
    """See that what leaves in another format is what leaves in FP32, rounded."""
    bits = values.view(np.uint32)
    found = assert_equal(pipes.pipe(x, output=FP16, **given).result, narrowing.as_fp16(bits))
    found += assert_equal(pipes.pipe(x, output="BF16", **given).result, narrowing.as_bf16(bits))
    six, nine = quantize(values, MX6), quantize(values, MX9)
    tags = rng.random(six.exponent.shape) < 0.5
    ours = pipes.pipe(x, output="MX6", mx9_blocks=tags, **given).result
    for name in ("exponent", "microexponent", "sign"):
        found += assert_equal(getattr(ours, name), getattr(six, name))
    found += assert_equal(ours.mantissa, np.where(tags[..., None], nine.mantissa, six.mantissa))
    found += assert_equal(pipes.pipe(x, output=MX9, **given).result.mantissa, nine.mantissa)
    return found


def normalized(chunk: int) -> int:
    """Normalize and modulate rows, the statistics in rationals and the rest in float64."""
    rng, found = np.random.default_rng(chunk), 0
    for _ in range(40):
        shape = (3, int(rng.integers(1, 40)))
        x, factor, shift = draw_floats(rng, shape), *draw_floats(rng, (2, 1, shape[1]))
        count = int(rng.integers(1, shape[1] + 1))
        epsilon = Fraction(1, 10**6)
        stats = np.array([row_of(line[:count], epsilon) for line in x.view(np.uint32).tolist()],
                         np.uint32).view(np.float32)  # fmt: skip
        value = reals.taken(x)
        for norm, column, offset in ((norms.layer_norm, 1, stats[:, :1]),
                                     (norms.rms_norm, 2, None)):  # fmt: skip
            ours = norm(x, epsilon, factor=factor, shift=shift, valid_columns=count).result
            theirs = value if offset is None else reals.total(value, -reals.taken(offset))
            theirs = reals.product(theirs, reals.taken(stats[:, column : column + 1]))
            theirs = reals.product(theirs, reals.taken(factor))
            theirs = reals.total(theirs, reals.taken(shift))
            theirs[:, count:] = 0
            found += assert_equal(ours.view(np.uint32), reals.patterns(theirs), x.view(np.uint32))
    return found


def softmaxes(chunk: int) -> int:
    """Exponentiate scores; sums in rationals."""
    rng, found = np.random.default_rng(chunk), 0
    for _ in range(20):
        shape = (4, int(rng.integers(1, 70)))
        x = draw_floats(rng, shape)
        count = rng.integers(0, shape[1] + 1, 4)
        for is_shifted in (False, True):
            ours = softmaxing.softmax(x, MX9, subtract_maximum=is_shifted, valid_columns=count)
            value = np.zeros(shape)
            for line, valid in enumerate(count):
                scores = reals.taken(x[line, :valid])
                if is_shifted and valid:
                    with np.errstate(all="ignore"):
                        scores = reals.total(scores, -scores.max())
                value[line, :valid] = reals.exp2(scores)
            p = quantize(reals.patterns(value).view(np.float32), MX9)
            for name in ("exponent", "microexponent", "mantissa", "sign"):
                found += assert_equal(getattr(ours.p, name), getattr(p, name))
            blocks = sums.block_sums(p).tolist()
            theirs = [row_sum(p, line, blocks[line]) for line in range(4)]
            found += assert_equal(ours.sums.view(np.uint32), np.array(theirs, np.uint32))
            whole = reals.taken(ours.sums)
            factor = np.where(whole == 0, 0, reals.reciprocal(whole))
            found += assert_equal(ours.row_factor.view(np.uint32), reals.patterns(factor))
            found += assert_equal(np.array(ours.zero_rows), np.array((whole == 0).sum()))
    return found


def combinations(chunk: int) -> int:
    """Add up tensors times coefficients, in float64."""
    rng, found = np.random.default_rng(chunk), 0
    for terms in range(1, 5):
        coefficients = draw_floats(rng, (terms,))
        tensors = draw_floats(rng, (terms, 5, 30))
        for start in (None, draw_floats(rng, (5, 30))):
            ours = combination.linear_combination(
                list(zip(coefficients, tensors, strict=True)), start
            )
            theirs = None if start is None else reals.taken(start)
            for coefficient, tensor in zip(coefficients, tensors, strict=True):
                term = reals.product(reals.taken(tensor), reals.taken(coefficient))
                theirs = term if theirs is None else reals.total(term, theirs)
            found += assert_equal(ours.view(np.uint32), reals.patterns(theirs))
    return found


SWEEPS = (
    Sweep("statistics of rows",
          ("vector.statistics.row_mean", "vector.statistics.row_scale",
           "vector.statistics.row_scale_of",
           "vector.statistics.row_statistics", "vector.statistics.row_maximum",
           "vector.statistics.scaled_epsilon"),
          "rationals, row by row", "random and constant rows, corners", 50, rows),
    Sweep("sums of quantized rows", ("vector.sums.row_sums", "vector.sums.block_sums"),
          "rationals, element by element", "random rows in every format", 50, quantized_rows),
    Sweep("passes of the pipe",
          ("vector.pipe.pipe", "vector.pipe.columns_that_count", "vector.pipe.check_stages",
           "vector.pipe.output_format"),
          "float64; midpoints for FP16, ml_dtypes for BF16",
          "every combination of stages and outputs, random numbers and corners", 50, passes),
    Sweep("norms", ("vector.norms.layer_norm", "vector.norms.rms_norm"),
          "rationals for the statistics, float64 behind them", "random rows, corners", 50,
          normalized),
    Sweep("softmax", ("vector.softmax.softmax", "vector.softmax.row_factors"),
          "float64, and rationals for sums", "random scores, corners, padding", 50, softmaxes),
    Sweep("linear combinations", ("vector.combination.linear_combination",), "float64",
          "random tensors and coefficients, corners", 50, combinations),
)  # fmt: skip
