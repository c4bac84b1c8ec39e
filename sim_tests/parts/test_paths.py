"""No output of the machine with a bus follows an input within a cycle."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from hw.contract.config import Config
from hw.memory_accelerator import MemoryAccelerator
from hw.parts.emit import emit_files

pytestmark = [pytest.mark.skipif(find_spec("pyosys") is None, reason="pip install .[formal]"),
              pytest.mark.xdist_group("paths")]

REGISTERS = ("dff", "dffe", "sdff", "sdffe", "sdffce", "mem_v2", "memrd_v2", "memwr_v2")
"""Cells at which a path ends."""

_RUN_SCRIPT = ("import sys; from pyosys import libyosys; "
               "libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())")


@pytest.fixture(scope="module", params=[0, 1], ids=["one_clock", "two_clocks"])
def verilog(request) -> str:
    config = Config.sized(rows=1, cols=2, k_max=32, bus_bytes=8, burst_beats=4, read_depth=8,
                          bus_clock=request.param)
    return "\n".join(emit_files(MemoryAccelerator(config), "machine").values())


def reached(text: str, folder: Path) -> list[str]:
    """List the outputs that an input reaches, through what is no register."""
    (folder / "machine.v").write_text(text, encoding="utf-8")
    ends = ",".join(f"-${name}" for name in REGISTERS)
    (folder / "paths.ys").write_text("\n".join([
        "read_verilog machine.v", "hierarchy -top machine", "proc", "flatten", "memory_dff",
        "opt_clean", "cd machine", "select -set inputs i:* i:aclk i:m_axi_aclk %u %d",
        f"select -write reached @inputs %co*:{ends} o:* %i"]), encoding="utf-8")
    subprocess.run([sys.executable, "-c", _RUN_SCRIPT, "paths.ys"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)
    return (folder / "reached").read_text(encoding="utf-8").split()


def test_no_output_follows_an_input(verilog, tmp_path):
    assert reached(verilog, tmp_path) == []


@pytest.mark.parametrize("name", ["irq", "m_axi_awvalid", "s_axil_awready"])
def test_a_path_is_found(verilog, tmp_path, name):
    """An input is added to what drives an output, in the top module."""
    begin = verilog.index(f"  output {name};\n")
    end = verilog.index("endmodule", begin)
    body = re.sub(rf"\b{name}\b", f"{name}_inside", verilog[begin:end]).replace(
        f"  output {name}_inside;\n", f"  output {name};\n", 1)
    spoilt = f"{body}  assign {name} = {name}_inside ^ s_axil_wvalid;\n"
    assert reached(verilog[:begin] + spoilt + verilog[end:], tmp_path) == [f"machine/{name}"]
