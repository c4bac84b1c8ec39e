"""The cell library that netlists are made of, where there is one."""

import os

import pytest

from perf.rtl.ppa.library import Library, LibraryError, find_library


@pytest.fixture(scope="session")
def library() -> Library:
    """Find osu018; without it skip, or fail where MIXDIT_REQUIRE_LIBRARY is set."""
    try:
        return find_library()
    except LibraryError as error:
        if os.environ.get("MIXDIT_REQUIRE_LIBRARY", "0") not in ("", "0"):
            raise
        pytest.skip(str(error))
