"""Calls of ``mixdit`` in tests."""

import sys

from typer.testing import CliRunner, Result

from commands.mixdit import app

MIXDIT = (sys.executable, "-c", "from commands.mixdit import main; main()")
"""The program, wherever it is installed; to be run in the project's folder."""


def call(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(each) for each in arguments])
