"""D of one beat: every product in every lane, every shift, the extremes, random operands."""

import cocotb
import numpy as np
import pytest

from golden.accumulator import block_product
from hw.array.dot_product import DotProduct, largest_product
from hw.contract.config import PRODUCT_BITS
from hw.contract.operand_block import block_layout
from sim_tests import bench, drive


def operands(n, magnitude=0, sign=0, microexponent=0):
    """Broadcast fields to n operands as golden wants them: microexponents are spread to 8 bits."""
    return {
        "magnitude": np.broadcast_to(magnitude, (n, 16)),
        "sign": np.broadcast_to(sign, (n, 16)),
        "microexponent": np.broadcast_to(microexponent, (n, 8)),
    }


def random_operands(rng, n):
    """Draw operands; a third of them hold only extreme magnitudes."""
    magnitude = rng.integers(0, 16, (n, 16))
    magnitude[: n // 3] = rng.choice([0, 1, 15], (n // 3, 16))
    return operands(n, magnitude, rng.integers(0, 2, (n, 16)), rng.integers(0, 2, (n, 8)))


def pack(fields):
    """Pack operands for the port."""
    bits = {
        key: fields[key] @ (1 << np.arange(fields[key].shape[1]))
        for key in ("sign", "microexponent")
    }
    return drive.pack(block_layout(), {"magnitude": fields["magnitude"]} | bits)


async def check(dut, a, b, what):
    """Compare D with golden for a sequence of operands, one pair of them per cycle."""
    latency = drive.parameters()["latency"]
    words, outputs = list(zip(pack(a), pack(b), strict=True)), []
    for word_a, word_b in words + words[-1:] * latency:
        dut.a.value, dut.b.value = word_a, word_b
        await (drive.ticks(dut, 1) if latency else drive.settle(dut))
        outputs.append(int(dut.d.value))
    expected = block_product(
        a["magnitude"], a["sign"], a["microexponent"], b["magnitude"], b["sign"], b["microexponent"]
    )
    actual = drive.unpack(DotProduct().shape, outputs[latency:])
    drive.compare(actual, expected, what, latency=latency)


@cocotb.test
async def multiplies_every_pair_of_magnitudes_in_every_lane(dut):
    await drive.reset(dut)
    n = 16 * 256 * 4
    lane, product, sign = np.unravel_index(np.arange(n), (16, 256, 4))
    alone = np.arange(16) == lane[:, None]
    a = operands(n, alone * (product % 16)[:, None], (sign % 2)[:, None])
    b = operands(n, alone * (product // 16)[:, None], (sign // 2)[:, None])
    await check(dut, a, b, "D of one lane")


@cocotb.test
async def shifts_every_pair_by_both_microexponents(dut):
    await drive.reset(dut)
    n = 8 * 4 * 4
    pair, shift, sign = np.unravel_index(np.arange(n), (8, 4, 4))
    in_pair = np.arange(16) // 2 == pair[:, None]
    chosen = np.arange(8) == pair[:, None]
    a = operands(n, in_pair * 15, (sign % 2)[:, None], chosen * (shift % 2)[:, None])
    # The second lane's sign is b's, so the products of a pair agree or differ.
    signs = np.arange(16) % 2 * (sign // 2)[:, None]
    b = operands(n, in_pair * 13, signs, chosen * (shift // 2)[:, None])
    await check(dut, a, b, "D of one pair")


@cocotb.test
async def reaches_the_extremes(dut):
    await drive.reset(dut)
    alternating = np.arange(16) % 2
    signs = np.array([np.zeros(16), np.ones(16), alternating, 1 - alternating], np.int64)
    await check(dut, operands(4, 15, signs), operands(4, 15), "D of the largest magnitudes")
    await check(dut, operands(4, 0, signs), operands(4, 15, 1), "D of negative zeros")


@cocotb.test
async def matches_golden_on_random_operands(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(5_000, 100_000)
    await check(dut, random_operands(rng, n), random_operands(rng, n), "D")


@pytest.mark.parametrize("stages", [0, 1, 2])
def test_dot_product(stages):
    component = DotProduct(stages=stages)
    parameters = {"latency": component.latency}
    bench.simulate(component, __name__, f"dot_product_{stages}", parameters=parameters)


def test_d_is_as_wide_as_its_largest_value_needs():
    assert largest_product() == 16 * 15 * 15 * 4 == 14400
    assert DotProduct().shape.width == PRODUCT_BITS == 15
    assert DotProduct(a_bits=7, b_bits=4).shape.width == (16 * 127 * 15 * 4).bit_length() + 1


def test_refuses_a_fourth_stage():
    with pytest.raises(ValueError, match="0, 1 or 2 pipeline stages, not 3"):
        DotProduct(stages=3)
