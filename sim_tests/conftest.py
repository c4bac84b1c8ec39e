"""Settings that every simulation shares."""

import os

import pytest

from sim_tests.c_driver import HOSTS, Host, require

os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")


def pytest_report_header() -> str:
    """Print what a rerun needs."""
    seed, full = os.environ.get("MIXDIT_SEED", "1"), os.environ.get("MIXDIT_FULL", "0")
    return f"simulation: MIXDIT_SEED={seed} MIXDIT_FULL={full}"


def pytest_configure(config) -> None:
    """Silence Amaranth's reminder of components built only to see them refused."""
    config.addinivalue_line("filterwarnings", "ignore::amaranth.hdl.UnusedElaboratable")


@pytest.fixture(params=HOSTS)
def host(request) -> Host:
    """Give every host that the C driver runs on; without its tools the test is skipped."""
    require(HOSTS[request.param])
    return HOSTS[request.param]
