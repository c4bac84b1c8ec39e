"""Arrows go one way, and what software imports needs no Amaranth."""

import re
import subprocess
import sys

import pytest

from hw.tools import import_graph
from sim_tests.bench import ROOT

WITHOUT_AMARANTH = ("golden", "hw.host", "hw.host.memory", "hw.registers.map", "hw.contract.config")


def test_no_package_imports_what_imports_it():
    order = import_graph.in_order()
    assert {"hw.contract", "hw.array", "hw.host", "hw"} <= set(order)
    for package, others in import_graph.arrows().items():
        assert all(order.index(other) < order.index(package) for other in others)


def test_no_verilog_follows_from_software():
    software = {"hw.host", "hw.host.memory"}
    arrows = import_graph.arrows()
    assert software <= set(arrows)
    assert not [package for package, others in arrows.items()
                if package not in software and others & software]


def test_a_circle_is_named(tmp_path, monkeypatch):
    for name, text in (("a/x", "from hw.b import y\n"), ("b/y", "from hw.a.x import z\n")):
        path = tmp_path / "hw" / f"{name}.py"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    found = import_graph.modules(tmp_path)
    monkeypatch.setattr(import_graph, "modules", lambda: found)
    with pytest.raises(ValueError, match=r"hw\.a, hw\.b import each other in a circle"):
        import_graph.in_order()


def test_the_page_shows_the_packages_of_today():
    assert import_graph.PAGE.read_text(encoding="utf-8") == import_graph.page_text()


@pytest.mark.parametrize("package", WITHOUT_AMARANTH)
def test_software_needs_no_amaranth(package: str):
    code = (f"import sys, importlib, pkgutil; top = importlib.import_module({package!r})\n"
            "for each in pkgutil.iter_modules(getattr(top, '__path__', []), top.__name__ + '.'):\n"
            "    if not each.ispkg: importlib.import_module(each.name)\n"
            "sys.exit('amaranth' in sys.modules)\n")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def importers(folder: str, *imported: str) -> list[str]:
    """Return the files of a package, its tests left out, that import one of some packages."""
    pattern = re.compile(rf"^ *(from|import) ({'|'.join(imported)})\b", re.MULTILINE)
    return [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / folder).rglob("*.py"))
            if "tests" not in path.parts and pattern.search(path.read_text(encoding="utf-8"))]


def test_arrows_between_the_top_folders_go_one_way():
    assert importers("sim_tests", "hw"), "the search finds what is there"
    above_hw = ("formal", "simulation", "sim_tests", "perf", "quality", "reporting", "examples")
    assert not importers("golden", "hw", *above_hw)
    assert not importers("hw", *above_hw)
    assert not importers("simulation", *(set(above_hw) - {"simulation"}))
    for users in ("perf", "examples", "quality"):
        assert not importers(users, "sim_tests")
    assert not importers("commands", "golden", "hw", *above_hw)
    assert not importers("reporting", "golden", "hw", *(set(above_hw) - {"reporting"}))


def test_what_is_measured_knows_no_study_of_it():
    assert importers("perf/studies", r"perf\.rtl"), "the search finds what is there"
    assert not importers("perf/rtl", r"perf\.studies")
    assert not importers("perf/workloads", r"perf\.rtl", r"perf\.studies")
