"""The mapped netlist computes what the RTL does: its area is the area of the right circuit."""

import re
from dataclasses import replace

import pytest

from commands.tools import ToolError
from sim_tests.gates import benches
from sim_tests.gates.benches import judge
from sim_tests.gates.mapping import cell_models, map_to_gates
from sim_tests.gates.subjects import SUBJECTS


@pytest.mark.parametrize("name", ["cell_area", "cell_speed"])
def test_netlist_of_the_cell_is_bit_exact(name, library, tmp_path):
    outcome = judge(SUBJECTS[name], library, tmp_path)
    assert not outcome.fault and sum(outcome.passed.values()) > 3
    assert outcome.registers > 50 and outcome.cells > 1_000


def test_a_wrong_gate_is_found(library, tmp_path, monkeypatch):
    def with_a_fault(*given):
        mapped = map_to_gates(*given)
        text, count = re.subn(r"^  NAND2X1 ", "  NOR2X1 ", mapped.files["gates.v"], count=1,
                              flags=re.MULTILINE)
        assert count == 1 and "module NOR2X1" in text
        return replace(mapped, files=mapped.files | {"gates.v": text})

    monkeypatch.setattr(benches, "map_to_gates", with_a_fault)
    outcome = judge(SUBJECTS["detector_area"], library, tmp_path)
    assert "failed in gates" in outcome.fault and not outcome.passed


def test_models_of_cells_are_what_the_library_says(library, tmp_path):
    text = cell_models(library, {"NAND2X1", "FAX1", "DFFPOSX1"}, tmp_path)
    assert re.findall(r"^module (\w+)", text, re.MULTILINE) == ["DFFPOSX1", "FAX1", "NAND2X1"]
    assert "specify" not in text and "#" not in text
    with pytest.raises(ToolError, match="does not say what GOLD1 does"):
        cell_models(library, {"GOLD1"}, tmp_path)
