"""Area of a part: what is left out, module by module, and what is kept of some units."""

import json
from dataclasses import replace

import pytest

from perf.rtl.ppa.by_module import measure_modules
from perf.rtl.ppa.measure import measure
from perf.rtl.ppa.report import keep_json, write_json
from perf.rtl.ppa.unit import Unit
from perf.tests.rtl.small_units import ADDER_UNIT, TwoAdders


def test_what_is_left_out_has_neither_area_nor_bits(library, tmp_path):
    whole, part = measure([Unit("whole", TwoAdders),
                           Unit("part", TwoAdders, left_out=("second", "beside"))], library,
                          tmp_path, with_timing=False)
    assert (whole.area.registers, part.area.registers) == (17, 8), "one carry goes nowhere"
    assert part.area.area < 0.6 * whole.area.area
    assert (whole.memory_bits, part.memory_bits) == (64 * 32, 0)


def test_modules_are_measured_by_themselves(library, tmp_path):
    unit = Unit("part", TwoAdders, left_out=("beside",))
    found = {each.module: each for each in measure_modules(unit, library, tmp_path)}
    assert set(found) == {"first", "second"}
    assert all(each.registers == 9 for each in found.values())
    [together] = measure([unit], library, tmp_path, with_timing=False)
    assert sum(each.gate_equivalents for each in found.values()) >= together.others["gates"]


def test_what_is_kept_of_some_units_leaves_the_others(library, tmp_path):
    kept = tmp_path / "figures.json"
    small, large = (replace(ADDER_UNIT, name=name) for name in ("small", "large"))
    both = measure([small, large], library, tmp_path)
    write_json(kept, both, [], library)
    before = json.loads(kept.read_text())["units"]
    [again] = measure([replace(large, configuration="new")], library, tmp_path)
    keep_json(kept, ["large", "small", "missing"], [again], [], library)
    after = json.loads(kept.read_text())["units"]
    assert list(after) == ["large", "small"] and after["small"] == before["small"]
    assert after["large"] == before["large"] | {"configuration": "new"}
    kept.write_text(kept.read_text().replace(library.path.name, "another.lib"))
    with pytest.raises(ValueError, match=r"is of another\.lib: measure all units"):
        keep_json(kept, ["large"], [again], [], library)
