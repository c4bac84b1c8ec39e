"""The test plan names tests that exist."""

import re

from sim_tests.bench import ROOT

PLAN = (ROOT / "docs" / "testplan.md").read_text()


def claims() -> list[tuple[str, str]]:
    """List the plan's claims: a file, by its path in the repository, and a test in it."""
    found, section = [], ""
    for line in PLAN.splitlines():
        if line.startswith("## "):
            section = (re.findall(r"`([^`]+)`", line) or [""])[0]
        names = re.findall(r"`([^`]+)`", line) if line.startswith("| ") else []
        files = [name for name in names if name.endswith(".py")]
        path = f"{section}{files[0]}" if files else section
        found += [(path, name) for name in names if not name.endswith(".py")]
    return found


def test_every_test_in_the_plan_exists():
    assert len(claims()) > 60
    missing = [
        (path, name) for path, name in claims()
        if not re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.M)
    ]
    assert not missing


def test_every_bench_is_in_the_plan():
    benches = {path.name for path in (ROOT / "sim_tests").rglob("test_*.py")}
    assert not {name for name in benches - {"test_testplan.py"} if name not in PLAN}
