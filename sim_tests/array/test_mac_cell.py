"""The anchored accumulator: rounding of each addend, sums of many beats, results that shift out."""

import cocotb
import numpy as np
import pytest

from golden.accumulator import block_product, fraction_bits, round_shift
from hw.array.mac_cell import AlignedAddend, MACCell
from hw.contract.config import PRODUCT_BITS
from hw.contract.operand_block import operand_layout
from sim_tests import bench, drive
from sim_tests.stimuli.operands import bits

LARGEST_PRODUCT = 14400
WIDTHS = {"default": (40, 6144, 1), "tight": (23, 1024, 0), "pipelined": (33, 1024, 2),
          "deep": (40, 6144, 3)}
"""Accumulator width, k_max and stages; the tight one has F = 0, so each sum fills it."""


def sizes(name):
    """Return F, the width of a drop, the most beats of a sum, and the accumulator's width."""
    acc_width, k_max, _ = WIDTHS[name]
    fraction = fraction_bits(acc_width, k_max)
    return fraction, (fraction + PRODUCT_BITS).bit_length(), 4 * -(-k_max // 16), acc_width


@cocotb.test
async def addend_rounds_half_up_at_every_shift(dut):
    await drive.reset(dut)
    parameters = drive.parameters()
    powers = 1 << np.arange(14)
    products = np.concatenate([
        [0, LARGEST_PRODUCT, LARGEST_PRODUCT - 1], powers, powers - 1, powers + 1,
        3 * powers[:-1], drive.rng().integers(0, LARGEST_PRODUCT, drive.amount(30, 3_000))])
    products = products[products <= LARGEST_PRODUCT]
    products = np.concatenate([products, -products])  # ties of either sign among them
    shifts = np.arange(1 << parameters["shift_width"])
    actual = []
    for shift in shifts:
        dut.shift.value = int(shift)
        for product in products:
            dut.product.value = int(product)
            await drive.settle(dut)
            actual.append(dut.addend.value.to_signed() + int(dut.carry.value))
    expected = round_shift(products, shifts[:, None], parameters["fraction_bits"])
    drive.compare(np.reshape(actual, expected.shape), expected, "addend[shift, product]")


def random_beats(rng, n, largest_drop):
    """Draw n beats, most of them near the anchor."""
    beats = {}
    for side in "ab":
        near = rng.integers(0, 6, n)
        beats[side] = {
            "magnitude": rng.integers(0, 16, (n, 16)), "sign": rng.integers(0, 2, (n, 16)),
            "microexponent": rng.integers(0, 2, (n, 8)),
            "drop": np.where(rng.random(n) < 0.7, near, rng.integers(0, largest_drop + 1, n)),
        }
    return beats


def largest_beats(n, negative):
    """Make n beats of the largest product at the anchor."""
    full = {"magnitude": np.full((n, 16), 15), "sign": np.zeros((n, 16), int),
            "microexponent": np.zeros((n, 8), int), "drop": np.zeros(n, int)}
    return {"a": full, "b": full | {"sign": np.full((n, 16), int(negative))}}


async def accumulate(dut, beats, lasts, idle):
    """Run beats, the marked ones ending a sum, and check the result in each cycle."""
    name = drive.parameters()["widths"]
    fraction, drop_width, _, acc_width = sizes(name)
    layout, delay = operand_layout(drop_width), WIDTHS[name][2]
    a, b = beats["a"], beats["b"]
    d = block_product(a["magnitude"], a["sign"], a["microexponent"],
                      b["magnitude"], b["sign"], b["microexponent"])
    addends = round_shift(d, a["drop"] + b["drop"], fraction)
    words = {side: drive.pack(layout, beats[side] | {
        key: bits(beats[side][key]) for key in ("sign", "microexponent")}) for side in "ab"}
    rng = drive.rng("schedule")
    at = np.arange(len(d)) + np.cumsum(rng.random(len(d)) < idle)  # cycle of each beat
    beat_at = {int(cycle): beat for beat, cycle in enumerate(at)}
    starts = np.concatenate([[True], lasts[:-1]])
    total, result = 0, None
    for cycle in range(int(at[-1]) + delay + 2):
        entering, adding = beat_at.get(cycle), beat_at.get(cycle - delay)
        for side in "ab":
            word = idle_operand(rng, layout, side) if entering is None else words[side][entering]
            getattr(dut, side).value = word
        result_in = int(rng.integers(-99, 99))
        dut.result_in.value = result_in
        dut.first.value = 0 if adding is None else int(starts[adding])
        dut.last.value = 0 if adding is None else int(lasts[adding])
        await drive.ticks(dut, 1)  # what is read now was there before this edge
        if result is not None:
            drive.compare([dut.result.value.to_signed()], [result], "result", cycle=cycle)
        if adding is not None:
            total = int(addends[adding]) + (0 if starts[adding] else total)
            assert -(1 << acc_width - 1) <= total < 1 << acc_width - 1
        result = total if adding is not None and lasts[adding] else result_in


def idle_operand(rng, layout, side):
    """Draw what may stand at a port without a beat: anything, but of A no magnitudes."""
    magnitude = np.zeros((1, 16), int) if side == "a" else rng.integers(0, 16, (1, 16))
    fields = {key: rng.integers(0, 1 << layout[key].width, 1)
              for key in ("sign", "microexponent", "drop")}
    return drive.pack(layout, fields | {"magnitude": magnitude})[0]


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5])
async def cell_sums_random_beats(dut, idle):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(1_500, 50_000)
    _, drop_width, _, _ = sizes(drive.parameters()["widths"])
    lasts = rng.random(n) < 0.2
    lasts[50:300] = False
    lasts[-1] = True
    await accumulate(dut, random_beats(rng, n, (1 << drop_width) - 1), lasts, idle)


@cocotb.test
@cocotb.parametrize(negative=[False, True])
async def cell_holds_the_largest_sum(dut, negative):
    await drive.reset(dut)
    _, _, most_beats, _ = sizes(drive.parameters()["widths"])
    lasts = np.arange(most_beats) == most_beats - 1
    await accumulate(dut, largest_beats(most_beats, negative), lasts, 0.0)


@pytest.mark.parametrize("fraction, shift_width", [(0, 5), (14, 6)])
def test_aligned_addend(fraction, shift_width):
    sizes = {"fraction_bits": fraction, "shift_width": shift_width}
    bench.simulate(AlignedAddend(product_width=PRODUCT_BITS, **sizes), __name__,
                   f"aligned_addend_{fraction}", only=r"\.addend_", parameters=sizes)


@pytest.mark.parametrize("widths", WIDTHS)
def test_mac_cell(widths):
    acc_width, _, stages = WIDTHS[widths]
    fraction, drop_width, _, _ = sizes(widths)
    cell = MACCell(acc_width=acc_width, fraction_bits=fraction, drop_width=drop_width,
                   cell_stages=stages)
    bench.simulate(cell, __name__, f"mac_cell_{widths}", only=r"\.cell_",
                   parameters={"widths": widths})
