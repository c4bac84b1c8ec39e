"""How the programs that simulate start and end: exit codes, a sentence for each failure."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from commands import builds, tools
from commands.outputs import check_folder
from commands.running import sentences
from commands.terminal import make_console
from simulation.build import BUILD, NEEDS


def run_program(
    body: Callable[[Console], int], width: int, folder: Path
) -> int:
    """Run a program.

    Parameters
    ----------
    body : callable
        Gets the console, returns the exit code.
    width : int
        Of the console in characters, where it is no terminal.
    folder : pathlib.Path
        For reports, which is tried first.

    Returns
    -------
    int
        The exit code of `body`.

    Raises
    ------
    SystemExit
        With another of `commands.exit_codes.ExitCode`.
    """
    with sentences("Interrupted: the simulator was stopped, and no report written."):
        builds.check_place(BUILD)
        tools.require(NEEDS)
        check_folder(folder)
        return body(make_console(width=width))
