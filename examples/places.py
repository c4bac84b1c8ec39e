"""Where commands build models and write reports."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from commands import builds, tools
from commands.checkout import ROOT
from commands.outputs import check_folder
from simulation.build import BUILD as MODELS
from simulation.build import NEEDS

BUILD = ROOT / "build"
INTERRUPTED = "Interrupted: the simulator was stopped, and no report written."


def prepare_folder(folder: Path) -> None:
    """See that models can be built here, and reports written into a folder."""
    builds.check_place(MODELS)
    tools.require(NEEDS)
    check_folder(MODELS)
    check_folder(folder)


def clear_reports(folder: Path) -> None:
    """Remove an earlier run's reports, which a failing run would leave standing."""
    for old in folder.glob("report.*"):
        old.unlink()


def show_places(console: Console, verilog: Path, folder: Path,
                seconds: Mapping[str, float]) -> None:
    """Say where things are, and how long it took."""
    console.print(f"Verilog: {_shown(verilog)}\n"
                  f"Report:  {', '.join(_shown(path) for path in sorted(folder.glob('report.*')))}",
                  soft_wrap=True)
    console.print(f"Built in {seconds['build']:.0f} s, simulated in "
                  f"{seconds['simulation']:.0f} s.")


def _shown(path: Path) -> Path | str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
