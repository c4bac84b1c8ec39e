"""How the programs that simulate start and end: help, exit codes, a sentence for each failure."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from commands import builds, tools
from commands.outputs import check_folder
from commands.running import sentences
from commands.terminal import make_console
from simulation.build import BUILD, NEEDS


def run_program(
    name: str, help_text: str, body: Callable[[Console], int], width: int, folder: Path
) -> int:
    """Run a program that has no options.

    Parameters
    ----------
    name : str
        Of its module.
    help_text : str
        What ``--help`` prints.
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
    ArgumentParser(prog=f"python -m {name}", description=help_text,
                   formatter_class=RawDescriptionHelpFormatter).parse_args()
    with sentences("Interrupted: the simulator was stopped, and no report written."):
        builds.check_place(BUILD)
        tools.require(NEEDS)
        check_folder(folder)
        return body(make_console(width=width))
