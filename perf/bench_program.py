"""How the programs that simulate start and end: help, exit codes, a sentence for each failure."""

import signal
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable

from rich.console import Console

from examples.simulation import SimulationError

FAILED, INTERRUPTED = 3, 130


def run_program(name: str, help_text: str, body: Callable[[Console], int], width: int) -> int:
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

    Returns
    -------
    int
        The exit code: that of `body`, `FAILED` after a `SimulationError`, `INTERRUPTED` after
        Ctrl-C or SIGTERM.
    """
    ArgumentParser(prog=f"python -m {name}", description=help_text,
                   formatter_class=RawDescriptionHelpFormatter).parse_args()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else width)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the simulator stops too
    try:
        return body(console)
    except SimulationError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return FAILED
    except KeyboardInterrupt:
        console.print("Interrupted: the simulator was stopped, and no report written.")
        return INTERRUPTED
