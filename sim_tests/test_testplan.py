"""The test plan claims only what a test carries, and leaves no bench out."""

import pytest

from sim_tests.bench import ROOT
from sim_tests.plan import page, plan


def test_the_page_is_made_of_todays_plan():
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.page(text) == text, "mixdit dev testplan writes it anew"


def test_every_bench_is_in_the_plan():
    claimed = {feature.file for section in plan.sections() for feature in section.features}
    benches = {path.relative_to(ROOT).as_posix()
               for path in (ROOT / "sim_tests").rglob("test_*.py")}
    assert benches - claimed - {"sim_tests/test_testplan.py"} == set()


@pytest.mark.parametrize("feature, sentence", [
    ("says = 'more'\nfile = 'test_testplan.py'\ntests = []", "'more' has no test"),
    ("says = 'more'\nfile = 'test_testplan.py'\ntests = ['test_gone']", "has no test_gone"),
    ("says = 'more'\nfile = 'test_gone.py'\ntests = ['test_a']", "there is no"),
])
def test_a_claim_that_no_test_carries_is_refused(feature, sentence, tmp_path, monkeypatch):
    file = tmp_path / "plan.toml"
    file.write_text(f"[[section]]\ntitle = 'A'\nfolder = 'sim_tests/'\n[[section.feature]]\n"
                    f"{feature}\n", encoding="utf-8")
    monkeypatch.setattr(plan, "PLAN", file)
    with pytest.raises(ValueError, match=sentence):
        plan.sections()


def test_a_module_is_open_until_its_goals_are_reached():
    reached = {"line": (10, 10), "branch": (98, 100), "toggle": (980, 1000)}
    fates = plan.Counter({"killed": 19, "survived": 1, "equivalent": 6})
    assert plan.Module("a", ["b"], [], fates, reached).lacks() == []
    assert plan.Module("a", ["b"], [], fates, {**reached, "line": (9, 10)}).lacks() == [
        "line coverage"]
    fates["survived"] = 2
    assert plan.Module("a", ["b"], [], fates, reached).lacks() == ["mutants"]
