"""Waits of tests: for something to happen, however busy the computer is."""

import time
from collections.abc import Callable

HANG_SECONDS = 1800
"""After so long nothing is slow any more, but hangs. No test depends on being faster."""


def wait_until(happened: Callable[[], object]) -> None:
    """Wait for something that is sure to happen."""
    latest = time.monotonic() + HANG_SECONDS
    while not happened():
        assert time.monotonic() < latest, "this hangs"
        time.sleep(0.05)
