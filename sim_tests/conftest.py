"""Settings that every simulation shares."""

import os

import pytest

from commands import builds, environment
from sim_tests.bench import BUILD
from sim_tests.host.c_driver import HOSTS, Host, require

os.environ["AMARANTH_USE_YOSYS"] = "builtin"


def pytest_report_header() -> str:
    """Print what a rerun needs."""
    full = int(environment.flag("MIXDIT_FULL"))
    return f"simulation: MIXDIT_SEED={environment.seed()} MIXDIT_FULL={full}"


def pytest_configure(config) -> None:
    """Refuse to run where benches would fail, or could not; silence Amaranth.

    It would remind of components built only to see them refused.
    """
    try:
        environment.check()
        builds.check_place(BUILD)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    if not __debug__:
        raise pytest.UsageError("benches are assertions, and PYTHONOPTIMIZE or -O takes them out")
    config.addinivalue_line("filterwarnings", "ignore::amaranth.hdl.UnusedElaboratable")


@pytest.fixture(params=HOSTS)
def host(request) -> Host:
    """Give every host that the C driver runs on; without its tools the test is skipped."""
    require(HOSTS[request.param])
    return HOSTS[request.param]
