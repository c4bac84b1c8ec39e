"""The project's folder: what of it an installed package holds, and where the rest is found."""

import sys
from pathlib import Path

FOLDERS = {"examples": "sim", "perf": "sim", "quality": "quality", "sim_tests": "sim"}
"""Folders that wheels do not hold, and the extra with the packages that each needs."""

ROOT = Path(__file__).resolve().parents[1]
"""Where this package lies: the project's folder, or what pip installs into."""


def find_folders() -> None:
    """Let what wheels do not hold be imported from the project's folder, where this is run from it.

    An editable installation finds only the packages that a wheel would hold.
    """
    if (ROOT / "pyproject.toml").is_file() and str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
