"""The functions side by side: corners of docs/vector.md, what is built in, what is passed on."""

import cocotb
import numpy as np
import pytest

from golden.memory.jobs import Function
from golden.vector import exponential, gate, lane
from hw.vector.functions import Functions
from sim_tests import bench, drive
from sim_tests.vector.side_by_side import (
    SPECIAL,
    SideBySide,
    compare,
    numbers,
    patterns,
    results_of,
)

BUILT = {"all": ("exp2", "gelu", "silu"), "exp2": ("exp2",), "gates": ("gelu", "silu"),
         "silu": ("silu",)}

GATES = {Function.GELU: gate.gelu_gate, Function.SILU: gate.silu_gate}


def parts(built):
    """Make functions side by side."""
    return SideBySide(lambda: Functions(BUILT[built]), "functions")


async def check(dut, x, function):
    """Compare everything that leaves with golden."""
    built = drive.parameters()["built"]
    function = np.broadcast_to(function, np.shape(x))
    value = lane.canonical(numbers(x))
    actual = await results_of(dut, parts(built), i=value.view(np.uint32), chosen=function)
    is_exp2 = (function == Function.EXP2.value) & ("exp2" in BUILT[built])
    context = {"x": x, "function": function}
    expected = np.where(is_exp2, exponential.exp2(value), value)
    compare(actual["o"], expected, "exp2, or the number", **context)
    saturated = is_exp2 & exponential.exp2_saturates(value)
    compare(actual["saturated"], saturated, "saturated", **context)
    for name, of in GATES.items():
        if name.name.lower() in BUILT[built]:
            chosen = (function == name.value) & ~np.isnan(value)
            wanted = of(value[chosen]).view(np.uint32) >> 8
            compare(actual["gate"][chosen], wanted, f"gate of {name.name}", x=x[chosen])
    if "gate" in actual:
        uses = np.isin(function, [each.value for each in GATES
                                  if each.name.lower() in BUILT[built]])
        compare(actual["uses_gate"], uses, "uses_gate", **context)


@cocotb.test
async def takes_every_function_of_special_values(dut):
    await drive.reset(dut)
    function, x = np.meshgrid(np.arange(4), SPECIAL)
    await check(dut, x.ravel(), function.ravel())


@cocotb.test
async def takes_any_function_of_any_number(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(20_000, 400_000)
    x = np.concatenate([rng.integers(0, 1 << 32, n, np.uint32), patterns(rng, 3 * n, 105, 136)])
    await check(dut, x, rng.integers(0, 4, len(x)))


@pytest.mark.parametrize("built", BUILT)
def test_functions(built):
    bench.simulate(parts(built), __name__, f"functions_of_{built}",
                   parameters={"built": built})


@pytest.mark.parametrize("names, found", [((), "none"), (("exp2", "relu"), "'relu'")])
def test_refuses_functions_that_there_are_none_of(names, found):
    with pytest.raises(ValueError, match=f"must be some of exp2, gelu, silu, not {found}"):
        Functions(names)
