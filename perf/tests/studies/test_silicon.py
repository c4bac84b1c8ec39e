"""Gates, memories and square millimetres against synthesis, Verilog and hand."""

from dataclasses import replace

import pytest

from hw.accelerator import Accelerator
from hw.contract.config import Config
from hw.parts.emit import emit
from hw.tools.memories import memories
from perf.studies.system import load_preset, silicon
from perf.studies.system.gates import ARRAY, NORMALIZER, WHOLE, core_gates, measured, speed_factor
from perf.studies.system.silicon import core_memories

SERVER = load_preset("server")


def test_gates_of_the_measured_accelerator_are_those_measured():
    config = Config.sized(rows=4, cols=4)
    units = {ARRAY: 64_000.0, NORMALIZER: 1_000.0, WHOLE: 300_000.0}
    assert sum(core_gates(config, units).values()) == pytest.approx(300_000)
    assert core_gates(config, units)["array"] == 16_000


def test_measured_gates_come_from_the_report(tmp_path):
    path = tmp_path / "figures.json"
    path.write_text('{"units": {"normalizer": {"gate_equivalents": 7.0}, "cell, cell_stages=1": '
                    '{"gate_equivalents": 4.0, "fastest": {"gate_equivalents": 5.0}}}}')
    assert measured(path)[NORMALIZER] == 7.0 and speed_factor(path) == 1.25


@pytest.mark.parametrize("config", [
    Config.sized(rows=4, cols=4, k_max=1152, float_formats=("fp16",)),
    Config.sized(rows=2, cols=16, k_max=512, float_formats=("fp16", "fp32"))])
def test_memories_are_those_of_the_verilog(config):
    listed = sum(each.bits for each in memories(emit(Accelerator(config), "mixdit")))
    assert 0.95 <= sum(core_memories(config).values()) / listed <= 1


def test_area_by_hand():
    bare = replace(SERVER, score_bytes=0, shared_bytes=0)
    extra = silicon(replace(bare, shared_bytes=10**6)).area - silicon(bare).area
    assert extra == pytest.approx(8e6 * 0.040 / 0.60 * 1e-6)
    assert silicon(SERVER).sram_bits["P"] == 8 * 128 * SERVER.score_bytes
    assert silicon(SERVER).sram_bits["shared"] == 8 * SERVER.shared_bytes
    lanes = silicon(replace(bare, vector_lanes=2 * bare.vector_lanes))
    assert lanes.sram_area == silicon(bare).sram_area
    more = lanes.gates["vector unit"] - silicon(bare).gates["vector unit"]
    assert more == pytest.approx(bare.cores * bare.vector_lanes * measured()["lane"])
    assert silicon(replace(bare, cores=64)).gates["array"] * 2 == silicon(bare).gates["array"]
