"""The exit codes of all commands, as data."""

from collections.abc import Mapping
from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    DIFFERENT = 1
    MISTAKE = 2
    FAILED = 3
    INTERRUPTED = 130


MEANINGS: Mapping[ExitCode, str] = {
    ExitCode.DONE: "done, and what was to be checked is right",
    ExitCode.DIFFERENT: "what was to be checked is wrong: a bit differs, a target is missed",
    ExitCode.MISTAKE: "a mistake in the call, its files or its environment: nothing was done",
    ExitCode.FAILED: "a tool is missing or failed, a simulation died, or the disk is full",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C or SIGTERM: what was started has been stopped",
}
"""One line each, as the README has them."""
