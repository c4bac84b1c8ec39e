"""The project's folder: what of it an installed package holds, and where the rest is found."""

import sys
from pathlib import Path

from commands.tools import ToolError

FOLDERS = {"examples": "sim", "formal": "formal", "golden.tests": "sim", "perf": "sim",
           "quality": "quality", "reporting": "sim", "sim_tests": "sim"}
"""Folders that wheels do not hold, and the extra with the packages that each needs."""

ROOT = Path(__file__).resolve().parents[1]
"""Where this package lies: the project's folder, or what pip installs into."""


def find_folders() -> None:
    """Let what wheels do not hold be imported from the project's folder, where this is run from it.

    An editable installation finds only the packages that a wheel would hold.
    """
    if is_checkout() and str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))


def is_checkout() -> bool:
    """Tell whether this package lies in the project's folder."""
    return (ROOT / "pyproject.toml").is_file()


def absence(folder: str) -> str:
    """Say what to do for want of one of `FOLDERS`."""
    return (f"the folder {folder} is part of the project, but not of the package that is "
            f"installed: in a clone of the project, run `pip install -e '.[{FOLDERS[folder]}]'`, "
            "and give the command again")


def require_checkout() -> None:
    """Insist on the project's folder, for what reads or writes its sources.

    Raises
    ------
    commands.tools.ToolError
        If this package is installed elsewhere.
    """
    if not is_checkout():
        raise ToolError("this command works on the project's sources: in a clone of the project, "
                        "run `pip install -e .`, and give the command again")
