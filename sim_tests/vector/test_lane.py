"""A lane beside golden's pipe: every choice of stages, special values, the mask, saturation."""

from itertools import product

import cocotb
import numpy as np
import pytest

from golden.memory.jobs import Function
from golden.vector import exponential, pipe
from golden.vector.lane import to_lane
from hw.contract.factor import Factor
from hw.vector.lane import Addend, Lane, Residual
from sim_tests import bench, drive
from sim_tests.vector.side_by_side import (
    SPECIAL,
    SideBySide,
    compare,
    numbers,
    patterns,
    results_of,
)

BUILT = {
    "full": {"functions": ("exp2", "gelu", "silu")},
    "narrow": {"functions": ("exp2",), "is_full": False},
    "exp2": {"functions": ("exp2",)},
    "plain": {},
    "sums": {"is_full": False},
}

OPERANDS = ("addend", "row_factor", "channel_factor", "residual")


def made():
    """Make the lanes of this run."""
    return SideBySide(lambda: Lane(**BUILT[drive.parameters()["built"]]), "lane")


def choices(parts):
    """List every choice of stages that the lanes have, as golden's arguments are named."""
    names = (None, *BUILT[drive.parameters()["built"]].get("functions", ()))
    is_full = "residual" in parts.shapes
    flags = [(False, True) if is_full else (False,)] * 3
    return [(addend, row, function, channel, residual) for addend, row, function, channel, residual
            in product((None, "bias", "row_offset"), flags[0], names, *flags[1:])
            if not (channel and function in ("gelu", "silu"))]


async def check(dut, x, operands, what, is_valid=1):
    """Send numbers through all choices of stages, drawn for each number, and compare."""
    parts = made()
    chosen = choices(parts)
    x = np.asarray(x, np.uint32)
    choice = drive.rng(what).integers(0, len(chosen), len(x))
    is_valid = np.broadcast_to(is_valid, x.shape)
    words, wanted, saturated = ports(x, operands, choice, chosen, is_valid)
    actual = await results_of(dut, parts, i=x, **{
        name: word for name, word in words.items() if name in parts.shapes})
    compare(actual["o"], wanted, what, x=x, choice=choice, **operands)
    compare(actual["saturated"], saturated, f"{what}, saturated", x=x, choice=choice)


def ports(x, operands, choice, chosen, is_valid):
    """Return what the ports get, and what leaves by golden."""
    wanted, saturated = np.zeros(x.shape, np.uint32), np.zeros(x.shape, bool)
    enables = {name: np.zeros(x.shape, bool) for name in (*OPERANDS, "subtracts")}
    codes = np.zeros(x.shape, np.int64)
    for index, (addend, row, function, channel, residual) in enumerate(chosen):
        its = choice == index
        given = {name: numbers(word[its])[None] for name, word in operands.items()}
        before = {addend: given["addend"]} if addend else {}
        before |= {"row_factor": given["row_factor"]} if row else {}
        behind = {name: given[name] for name, is_there in (
            ("channel_factor", channel), ("residual", residual)) if is_there}
        value = numbers(x[its])[None]
        result = pipe(value, **before, function=function, **behind).result
        wanted[its] = result[0].view(np.uint32)
        if function == "exp2":
            saturated[its] = exponential.exp2_saturates(pipe(value, **before).result[0])
        enables["addend"][its], enables["subtracts"][its] = addend is not None, (
            addend == "row_offset")
        enables["row_factor"][its], enables["channel_factor"][its] = row, channel
        enables["residual"][its] = residual
        codes[its] = Function[(function or "none").upper()].value
    factors = {name: to_lane(numbers(operands[name])).view(np.uint32) >> 8
               for name in ("row_factor", "channel_factor")}
    words = {
        "addend": drive.pack(Addend, {"value": operands["addend"], "enable": enables["addend"],
                                      "subtracts": enables["subtracts"]}),
        "residual": drive.pack(Residual, {"value": operands["residual"],
                                          "enable": enables["residual"]}),
        **{name: drive.pack(Factor, {"value": factors[name], "enable": enables[name]})
           for name in factors},
        "chosen": codes, "is_valid": is_valid}
    return words, np.where(is_valid, wanted, 0), saturated & (is_valid != 0)


def draw(rng, count, least, most):
    """Draw an operand of each kind, of exponents that go together."""
    return {name: patterns(rng, count, least, most) for name in OPERANDS}


@cocotb.test
async def takes_special_values_through_every_stage(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(20_000, 400_000)
    await check(dut, rng.choice(SPECIAL, n), {
        name: rng.choice(SPECIAL, n) for name in OPERANDS}, "special values")


@cocotb.test
async def follows_the_pipe_on_numbers_of_a_model(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(40_000, 800_000)
    await check(dut, patterns(rng, n, 120, 132), draw(rng, n, 120, 130), "numbers of a model")


@cocotb.test
async def follows_the_pipe_on_any_numbers(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(30_000, 400_000)
    await check(dut, patterns(rng, n), draw(rng, n, 0, 255), "any numbers")
    await check(dut, rng.integers(0, 1 << 32, n, np.uint32), {
        name: rng.integers(0, 1 << 32, n, np.uint32) for name in OPERANDS}, "any patterns")


@cocotb.test
async def masks_what_is_no_column(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(10_000, 100_000)
    is_valid = rng.integers(0, 2, n)
    x = np.where(rng.random(n) < 0.5, rng.choice(SPECIAL, n), patterns(rng, n, 125, 140))
    await check(dut, x, draw(rng, n, 120, 136), "numbers, some of them padding", is_valid)


@pytest.mark.parametrize("built", BUILT)
def test_lane(built):
    bench.simulate(SideBySide(lambda: Lane(**BUILT[built]), "lane"), __name__, f"lanes_{built}",
                   parameters={"built": built})


def test_a_narrow_lane_has_no_gates():
    with pytest.raises(ValueError, match="it can have exp2 alone, not exp2, gelu"):
        Lane(functions=("gelu", "exp2"), is_full=False)
