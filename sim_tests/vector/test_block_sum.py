"""D of one quantized block: every element, the extremes, blocks of one beat and of two."""

from dataclasses import replace

import cocotb
import numpy as np

from golden.vector.sums import block_sums
from hw.contract.operand_block import block_layout
from hw.vector.block_sum import BlockSum
from sim_tests import bench, drive
from sim_tests.stimuli.mx_rows import beats, extreme_blocks, random_blocks


async def check(dut, tensor, what, idle=0.0):
    """Send the beats of a tensor's first row and compare each block's sum with golden."""
    rng, layout = drive.rng("schedule"), block_layout()
    sent = beats(tensor, 0)
    words = drive.pack(layout, {
        name: np.array([beat["fields"][name] for beat in sent])
        for name in ("sign", "magnitude", "microexponent")})
    actual, adds = [], False
    for beat, word in [*zip(sent, words, strict=True), (None, 0)]:
        is_idle = True
        while is_idle:
            is_idle = beat is None or (idle and rng.random() < idle)
            dut.enable.value = int(not is_idle)
            dut.i.value = int(rng.integers(0, 1 << 62)) if is_idle else word
            dut.is_residual.value = int(rng.integers(0, 2)) if is_idle else beat["is_residual"]
            await drive.ticks(dut, 1)  # what is read now was there before this edge
            if adds:
                actual.append(dut.d.value.to_signed())
            adds = False
            if beat is None:
                break
        adds = beat is not None and beat["adds"]
    # The sum stays while nothing comes.
    await drive.ticks(dut, 3)
    actual.append(dut.d.value.to_signed())
    expected = block_sums(tensor)[0]
    drive.compare(actual, [*expected, expected[-1]], what)


@cocotb.test
async def adds_every_element_by_itself(dut):
    await drive.reset(dut)
    n = 16 * 32 * 4
    lane, magnitude, rest = np.unravel_index(np.arange(n), (16, 32, 4))
    # Each H and each L, and with them both.
    magnitude = np.where(magnitude < 16, 8 * magnitude, np.minimum(magnitude - 16, 7) + 64)
    tensor = random_blocks(drive.rng(), 1, n)
    alone = np.arange(16) == lane[:, None]
    await check(dut, replace(
        tensor, mantissa=(alone * magnitude[:, None]).astype(np.uint8)[None],
        sign=(alone * (rest % 2)[:, None]).astype(np.uint8)[None],
        microexponent=np.repeat(rest[:, None] // 2, 8, axis=1).astype(np.uint8)[None],
        is_mx9=np.ones((1, n), bool)), "D of one element")


@cocotb.test
async def reaches_the_extremes(dut):
    await drive.reset(dut)
    blocks = extreme_blocks(3, 1)
    flat = {name: getattr(blocks, name).reshape(1, 3, *getattr(blocks, name).shape[2:])
            for name in ("exponent", "microexponent", "mantissa", "sign", "is_mx9")}
    tensor = replace(blocks, shape=(1, 48), **flat)
    assert block_sums(tensor).tolist() == [[4064, -4064, 0]]
    await check(dut, tensor, "largest D")


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5])
async def adds_up_random_blocks(dut, idle):
    await drive.reset(dut)
    tensor = random_blocks(drive.rng(), 1, drive.amount(3_000, 50_000))
    await check(dut, tensor, "D", idle)


def test_block_sum():
    bench.simulate(BlockSum(), __name__, "block_sum")
