"""Tables of segments: every argument of every table, alone and where several share a circuit."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest

from golden.vector import tables
from golden.vector.interpolation import interpolate
from hw.vector.interpolation import Interpolation
from sim_tests import bench, drive
from sim_tests.vector.side_by_side import SideBySide, compare, results_of

GROUPS = {
    "exp2": (tables.EXP2,),
    "gelu": (tables.GELU_GATE,),
    "root": (tables.RECIPROCAL_ROOT,),
    "functions": (tables.EXP2, tables.GELU_GATE, tables.SILU_GATE),
    "reciprocals": (tables.RECIPROCAL, tables.RECIPROCAL_ROOT),
}


def parts(group):
    """Make interpolations side by side."""
    return SideBySide(lambda: Interpolation(GROUPS[group]), "interpolation")


@cocotb.test
async def gives_goldens_value_of_every_argument(dut):
    await drive.reset(dut)
    group = drive.parameters()["group"]
    made = parts(group)
    for which, table in enumerate(GROUPS[group]):
        argument = np.arange(1 << table.argument_bits)
        actual = await results_of(dut, made, argument=argument, which=which)
        value = actual["o"] >> np.uint64(made.make().result_bits - table.result_bits)
        compare(value, interpolate(table, argument), f"value of {table.name}", argument=argument)


@pytest.mark.parametrize("group", GROUPS)
def test_interpolation(group):
    bench.simulate(parts(group), __name__, f"interpolations_{group}", parameters={"group": group})


@pytest.mark.parametrize("group, sentence", [
    ((), "needs at least one table"),
    ((tables.EXP2, tables.RECIPROCAL), "all rise with falling steps.* unlike EXP2, RECIPROCAL"),
    ((tables.GELU_GATE, replace(tables.SILU_GATE, top_bits=8)), "have different units"),
    ((tables.GELU_GATE, replace(tables.EXP2, points=(17, 18, 14))), "may have a finer first one"),
    ((replace(tables.GELU_GATE, c2=(-60,) * 64),), "turns its segment around"),
])
def test_refuses_tables_that_cannot_share(group, sentence):
    with pytest.raises(ValueError, match=sentence):
        Interpolation(group)
