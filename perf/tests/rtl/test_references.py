"""The reference cells, each to the bit: a comparison with a wrong cell says nothing."""

import random
from functools import partial

import numpy as np
import pytest
from amaranth.sim import Simulator

import golden
from commands.environment import seed
from golden import MX6, MX9, block_product
from golden.accumulator import round_shift
from golden.formats import BLOCK_SIZE
from golden.precision import mix
from hw.contract.config import MOST_CELL_STAGES
from hw.parts.emit import emit
from perf.rtl.ppa.references import DEFAULT, REFERENCES
from perf.rtl.ppa.references import fp16_cell as fp16
from perf.rtl.ppa.references import fp32_cell as fp32
from perf.rtl.ppa.references.block_cell import mixed_cell, mx6_cell, mx9_cell
from perf.rtl.ppa.references.float_accumulator import FloatAccumulator
from perf.rtl.ppa.references.int8_cell import Int8Cell
from sim_tests.stimuli.operands import bits

STAGES = pytest.mark.parametrize("cell_stages", [0, 1])
ALL_STAGES = pytest.mark.parametrize("cell_stages", range(MOST_CELL_STAGES + 1))
BLOCK_CELLS = {"MX6": (mx6_cell, 4, 4), "MX9": (mx9_cell, 7, 7), "7x4": (mixed_cell, 4, 7)}


def sums_of(cell, beats, lasts, delay, integer=int):
    """Run beats through a cell; return its sums, having checked what is shifted out meanwhile.

    Parameters
    ----------
    cell : wiring.Component
    beats : list of dict
        What stands at the inputs in each cycle.
    lasts : sequence of bool
        Beats that end a sum.
    delay : int
        Cycles from a beat to its addition.
    integer : callable
        Makes of a result what is returned.
    """
    found = []

    async def drive(ctx):
        draw = random.Random(seed())
        for cycle in range(len(beats) + delay):
            for port, value in (beats[cycle] if cycle < len(beats) else {}).items():
                ctx.set(getattr(cell, port), value)
            adding = cycle - delay
            ctx.set(cell.first, adding <= 0 or bool(lasts[adding - 1]))
            ctx.set(cell.last, adding >= 0 and bool(lasts[adding]))
            passing = draw.randrange(-1 << 20, 1 << 20)
            ctx.set(word(cell.result_in), passing)
            await ctx.tick()
            if adding >= 0 and lasts[adding]:
                found.append(integer(ctx.get(cell.result)))
            else:
                mask = (1 << len(word(cell.result))) - 1
                assert ctx.get(word(cell.result)) & mask == passing & mask, f"cycle {cycle}"

    simulator = Simulator(cell)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return found


def word(port):
    """Return all bits of a port."""
    return port.as_value() if hasattr(port, "as_value") else port


def random_blocks(rng, n, mantissa_bits):
    """Draw n blocks, some of only the largest and some of only zeros."""
    magnitude = rng.integers(0, 1 << mantissa_bits, (n, BLOCK_SIZE))
    magnitude[rng.random(n) < 0.1] = (1 << mantissa_bits) - 1
    magnitude[rng.random(n) < 0.05] = 0
    sign = rng.integers(0, 2, (n, BLOCK_SIZE))
    sign[rng.random(n) < 0.2] = rng.integers(0, 2)
    return {"magnitude": magnitude, "sign": sign, "microexponent": rng.integers(0, 2, (n, 8)),
            "drop": np.where(rng.random(n) < 0.7, rng.integers(0, 6, n), rng.integers(0, 32, n))}


def block_beats(a, b):
    """Write blocks as what a cell's ports take."""
    def words(block):
        sign, micro = bits(block["sign"]), bits(block["microexponent"])
        rest = [key for key in block if key not in ("sign", "microexponent", "magnitude")]
        return [{"magnitude": block["magnitude"][i].tolist(), "sign": int(sign[i]),
                 "microexponent": int(micro[i])} | {key: int(block[key][i]) for key in rest}
                for i in range(len(block["magnitude"]))]
    return [{"a": left, "b": right} for left, right in zip(words(a), words(b), strict=True)]


def dot(a, b):
    """Multiply blocks as the machine would, whatever their mantissas."""
    return block_product(a["magnitude"], a["sign"], a["microexponent"],
                         b["magnitude"], b["sign"], b["microexponent"])


def totals(addends, lasts):
    """Add up integers between the marked ones."""
    ends = np.cumsum(addends)[lasts]
    return np.diff(ends, prepend=0).tolist()


@ALL_STAGES
@pytest.mark.parametrize("name", BLOCK_CELLS)
def test_anchored_cells_round_and_add_every_block(name, cell_stages):
    make, a_bits, b_bits = BLOCK_CELLS[name]
    rng, n = np.random.default_rng(seed()), 150
    a, b = random_blocks(rng, n, a_bits), random_blocks(rng, n, b_bits)
    lasts = rng.random(n) < 0.3
    lasts[-1] = True
    fraction = DEFAULT.fraction_bits + 8 - a_bits - b_bits
    addends = round_shift(dot(a, b), a["drop"] + b["drop"], fraction)
    found = sums_of(make(DEFAULT, cell_stages), block_beats(a, b), lasts, cell_stages)
    assert found == totals(addends, lasts)


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("name", BLOCK_CELLS)
def test_anchored_cells_hold_the_largest_sum(name, negative):
    make, a_bits, b_bits = BLOCK_CELLS[name]
    n = DEFAULT.k_blocks_max
    full = {bits_: {"magnitude": np.full((n, BLOCK_SIZE), (1 << bits_) - 1),
                    "sign": np.zeros((n, BLOCK_SIZE), int), "drop": np.zeros(n, int),
                    "microexponent": np.zeros((n, 8), int)} for bits_ in (a_bits, b_bits)}
    a, b = full[a_bits], full[b_bits] | {"sign": np.full((n, BLOCK_SIZE), int(negative))}
    beats = block_beats(a, b)
    total = int(dot(a, b).sum()) << DEFAULT.fraction_bits + 8 - a_bits - b_bits
    if name == "7x4":  # B is MX9 as well: its low three bits follow as a second beat
        low = b | {"magnitude": np.full((n, BLOCK_SIZE), 7), "drop": np.full(n, 3)}
        beats += block_beats(a, low)
        total += int(dot(a, low).sum()) << DEFAULT.fraction_bits + 8 - a_bits - b_bits - 3
    lasts = np.arange(len(beats)) == len(beats) - 1
    assert sums_of(make(DEFAULT, 0), beats, lasts, 0) == [total]


def test_mx9_in_one_beat_counts_what_four_beats_of_the_machine_count():
    rng, n = np.random.default_rng(seed()), 100
    a, b = (random_blocks(rng, n, 7) | {"drop": np.zeros(n, int)} for _ in "ab")
    parts = [block | {"magnitude": part, "residual": residual} for block in (a, b)
             for residual, part in enumerate((block["magnitude"] >> 3, block["magnitude"] & 7))]
    addends = sum(round_shift(dot(left, right), 3 * (left["residual"] + right["residual"]),
                              DEFAULT.fraction_bits) for left in parts[:2] for right in parts[2:])
    lasts = np.arange(n) % 3 == 0
    assert sums_of(mx9_cell(DEFAULT, 0), block_beats(a, b), lasts, 0) == totals(addends, lasts)


@STAGES
def test_int8_cell_adds_every_product(cell_stages):
    rng, n = np.random.default_rng(seed()), 150
    a, b = rng.integers(-128, 128, (2, n, BLOCK_SIZE))
    extremes = np.array([-128, 127, -1, 0, 1])
    a[:25], b[:25] = (each[:, None] for each in (np.repeat(extremes, 5), np.tile(extremes, 5)))
    lasts = rng.random(n) < 0.4
    lasts[:25] = lasts[-1] = True
    beats = [{"a": x.tolist(), "b": y.tolist()} for x, y in zip(a, b, strict=True)]
    assert sums_of(Int8Cell(cell_stages=cell_stages), beats, lasts, cell_stages) == totals(
        (a * b).sum(axis=1), lasts)


def real(point, result):
    """Give a float sum's value; its significand must be normal."""
    if result.significand == 0:
        return np.float32(0)
    assert 1 << 23 <= abs(result.significand) <= 1 << 24
    return np.float32(np.ldexp(float(result.significand), result.exponent - point))


def test_float_accumulator_rounds_as_fp32():
    rng, n = np.random.default_rng(seed()), 2_000
    addends = rng.integers(-14400, 14401, n)
    addends[rng.random(n) < 0.2] = 0
    powers = rng.random(n) < 0.4
    addends[powers] = rng.choice([-1, 1], n)[powers] << rng.integers(0, 14, n)[powers]
    exponents = np.where(rng.random(n) < 0.8, rng.integers(30, 45, n), rng.integers(14, 90, n))
    beats = [{"addend": int(d), "exponent": int(e)}
             for d, e in zip(addends, exponents, strict=True)]
    cell = FloatAccumulator(width=15, stages=0)
    # Every sum is looked at: `first` only now and then, `last` always.
    sums, total = [], np.float32(0)
    starts = rng.random(n) < 0.05
    for d, e, start in zip(addends, exponents, starts, strict=True):
        total = (np.float32(0) if start else total) + np.float32(np.ldexp(float(d), int(e) - 60))
        sums.append(total)
    found = []

    async def drive(ctx):
        ctx.set(cell.last, 1)
        for cycle, beat in enumerate(beats):
            ctx.set(cell.first, bool(starts[cycle] or cycle == 0))
            for port, value in beat.items():
                ctx.set(getattr(cell, port), value)
            await ctx.tick()
            found.append(real(70, ctx.get(cell.result)))

    simulator = Simulator(cell)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert np.array(found).tobytes() == (np.array(sums) + 0).tobytes()


def mixed_tensor(rng, lines, axis):
    """Quantize lines of 8 blocks that spread so widely that sums round, half of them to MX9."""
    x = rng.standard_normal((lines, 8, BLOCK_SIZE)) * np.exp2(rng.integers(-7, 8, (lines, 8, 1)))
    x = np.moveaxis(x.reshape(lines, -1), 1, axis).astype(np.float32)
    six, nine = (golden.quantize(x, each, axis=axis) for each in (MX6, MX9))
    return mix(six, nine, rng.random(six.exponent.shape) < 0.5)


@STAGES
def test_fp32_cell_is_goldens_fp32_accumulation(cell_stages):
    rng = np.random.default_rng(seed())
    a, b = mixed_tensor(rng, 4, 1), mixed_tensor(rng, 5, 0)
    beats, lasts = [], []
    for row in range(4):
        for column in range(5):
            for block in range(8):
                for low in range(4):
                    beats += fp32_beat((a, row, low >> 1), (b, column, low & 1), block)
                    lasts.append(block == 7 and low == 3)
    found = sums_of(fp32.FP32Cell(cell_stages=cell_stages), beats, lasts, cell_stages,
                    partial(real, fp32.POINT))
    expected = golden.gemm(a, b, accumulate="fp32")
    assert np.array(found, np.float32).tobytes() == expected.tobytes()


def fp32_beat(left, right, block):
    """Write one pair of bases or residuals as a beat."""
    sides = []
    for tensor, line, is_low in (left, right):
        part = (tensor.residual if is_low else tensor.base)[line, block]
        exponent = int(tensor.exponent[line, block]) + fp32.EXPONENT_OFFSET - 3 * is_low
        sides.append({"magnitude": part[None], "sign": tensor.sign[line, block][None],
                      "microexponent": tensor.microexponent[line, block][None],
                      "exponent": [exponent]})
    return block_beats(*sides)


def unpacked(x):
    """Write FP16 numbers as significand, exponent and sign."""
    pattern = x.view(np.uint16).astype(int)
    field, fraction = pattern >> 10 & 31, pattern & 1023
    significand = fraction | (field > 0) << 10
    return [{"significand": int(s), "exponent": int(e), "sign": int(n)} for s, e, n in zip(
        significand, np.where(significand == 0, 0, np.maximum(field, 1)), pattern >> 15,
        strict=True)]


def fp16_sum(a, b):
    """Add up one cycle's products as the cell's docstring says, in Python's integers."""
    lanes = [(x["significand"] * y["significand"], x["exponent"] + y["exponent"],
              -1 if x["sign"] ^ y["sign"] else 1) for x, y in zip(a, b, strict=True)]
    largest = max((e for product, e, _ in lanes if product), default=0)
    total = sum(sign * (product << 2 >> largest - e) for product, e, sign in lanes if product)
    excess = max((~total if total < 0 else total).bit_length() - 24, 0)
    return np.float32(np.ldexp(float(total >> excess << excess), largest - 52))


@STAGES
def test_fp16_cell_keeps_its_window(cell_stages):
    rng, n = np.random.default_rng(seed()), 60
    x = rng.standard_normal((2, n, BLOCK_SIZE)) * np.exp2(rng.integers(-12, 12, (2, n, 1)))
    x[:, :20] = rng.choice([0.0, 2.0**-24, -(2.0**-14), 65504.0, -65504.0, 1.0],
                           (2, 20, BLOCK_SIZE))
    x[rng.random(x.shape) < 0.1] = 0
    x[:, 20:30] = 2.0**-9 * rng.standard_normal((2, 10, BLOCK_SIZE))
    x[:, 20:30, 0] = [[0], [65504]]  # the exponent of a zero product must not count
    a, b = ([unpacked(line) for line in side] for side in x.astype(np.float16))
    lasts = rng.random(n) < 0.4
    lasts[19:30] = lasts[-1] = True
    expected, total = [], np.float32(0)
    for left, right, last in zip(a, b, lasts, strict=True):
        total += fp16_sum(left, right)
        if last:
            expected.append(total)
            total = np.float32(0)
    beats = [{"a": left, "b": right} for left, right in zip(a, b, strict=True)]
    found = sums_of(fp16.FP16Cell(cell_stages=cell_stages), beats, lasts, cell_stages,
                    partial(real, fp16.POINT))
    assert np.array(found).tobytes() == (np.array(expected) + 0).tobytes()


@pytest.mark.parametrize("unit", REFERENCES, ids=lambda unit: unit.name)
def test_every_reference_becomes_verilog(unit):
    text = emit(unit.make(), "top")
    assert unit.reference and unit.macs == BLOCK_SIZE
    assert "module top(" in text and "sram" not in text


def test_more_stages_are_refused():
    with pytest.raises(ValueError, match="0 or 1 stages, not 2"):
        Int8Cell(cell_stages=2)
    with pytest.raises(ValueError, match="0 to 3 pipeline stages, not 4"):
        mx9_cell(DEFAULT, 4)
