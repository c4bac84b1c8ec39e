"""The mapped netlist computes what the RTL does: its area is the area of the right circuit."""

import subprocess
import sys

import pytest
from amaranth import ClockSignal, Instance, Module, ResetSignal
from amaranth.lib import wiring

from golden.accumulator import fraction_bits
from hw.array.mac_cell import MACCell
from hw.contract.config import PRODUCT_BITS
from hw.parts.emit import emit, flat_ports
from perf.rtl.ppa.recipes import AREA_RECIPES, SPEED_RECIPES
from perf.rtl.ppa.synthesis import synthesize
from sim_tests import bench
from sim_tests.array import test_mac_cell

WIDTHS = "default"
MAPPED = "mapped_cell"


class MappedCell(wiring.Component):
    """A cell whose inside is a netlist of library cells."""

    def __init__(self, cell):
        self.cell = cell
        super().__init__(cell.signature)

    def elaborate(self, platform):
        m = Module()
        ports = {f"{'i' if flow is wiring.In else 'o'}_{name}": value
                 for name, flow, value in flat_ports(self.cell.signature, self)}
        m.submodules.mapped = Instance(
            MAPPED, i_clk=ClockSignal(), i_rst=ResetSignal(), **ports)
        return m


@pytest.mark.parametrize("recipe", [AREA_RECIPES[2], SPEED_RECIPES[0]], ids=lambda r: r.name)
def test_netlist_of_the_cell_is_bit_exact(recipe, library):
    acc_width, k_max, stages = test_mac_cell.WIDTHS[WIDTHS]
    fraction = fraction_bits(acc_width, k_max)
    cell = MACCell(acc_width=acc_width, fraction_bits=fraction, cell_stages=stages,
                   drop_width=(fraction + PRODUCT_BITS).bit_length())
    name = f"netlist_{recipe.point}"
    folder = bench.BUILD / name / "synthesis"
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "cell.v"
    source.write_text(emit(cell, MAPPED))
    netlist = synthesize(source, library, recipe, folder, top=MAPPED)
    assert recipe.point == "speed" or netlist.cells["FAX1"] > 250
    # The library's own functions turn the cells into Verilog that can be simulated.
    (folder / "cells.ys").write_text(
        f"read_liberty -ignore_miss_func {library.path}\n"
        f"read_verilog {netlist.verilog.name}\nhierarchy -top {MAPPED}\nflatten\n"
        "opt_clean\nwrite_verilog -noattr simulated.v\n")
    subprocess.run([sys.executable, "-c", "from pyosys import libyosys as y; "
                    "y.run_pass('script cells.ys', y.Design())"],
                   cwd=folder, check=True, capture_output=True)
    built = bench.build(MappedCell(cell), name, sources=[folder / "simulated.v"])
    bench.run(built, test_mac_cell.__name__, only=r"\.cell_", parameters={"widths": WIDTHS})
