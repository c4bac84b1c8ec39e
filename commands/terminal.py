"""What commands print on: terminals of any encoding, pipes that end early, no terminal at all."""

import codecs
import os
import sys
from typing import IO, Any

from rich.console import Console

APPROXIMATE = "approximate"
"""The error handler of our streams: what an encoding lacks is written nearly, or as ``?``."""

_NEARLY = str.maketrans({
    "…": "...", "×": "x", "·": "*", "±": "+-", "µ": "u", "²": "^2", "≤": "<=", "≥": ">=",
    "→": "->", "–": "-", "—": "-", "−": "-", "“": '"', "”": '"', "‘": "'", "’": "'",
    "√": "sqrt", "ᵀ": "^T"})


def _nearly(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    given = error.object[error.start : error.end].translate(_NEARLY)
    return "".join(each if each.isascii() else "?" for each in given), error.end


codecs.register_error(APPROXIMATE, _nearly)


class PatientStream:
    """A text stream whose reader may leave: what is written after that is dropped.

    The work goes on, and the exit code says how it ended, whether or not somebody still reads.

    Parameters
    ----------
    stream : text stream
        Standard output or standard error.
    """

    def __init__(self, stream: IO[str]):
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self.drop()
            return len(text)

    def flush(self) -> None:
        """Write what is buffered, or drop it."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self.drop()

    def drop(self) -> None:
        """Let all that is buffered, and all that comes, go nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        self._stream.flush()


def prepare_streams() -> None:
    """Make standard output and error such that writing text to them cannot fail.

    A full disk aside. A stream that is closed drops what is written.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
            stream = getattr(sys, name)
        if not isinstance(stream, PatientStream):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors=APPROXIMATE)
            setattr(sys, name, PatientStream(stream))


def make_console(*, stderr: bool = False, width: int = 100, **options: Any) -> Console:
    """Make a console; where there is no terminal, lines have `width` columns.

    Square brackets are text, unless ``markup=True`` is among the options of `rich`.
    """
    stream = sys.stderr if stderr else sys.stdout
    is_terminal = stream is not None and stream.isatty()
    options = {"highlight": False, "markup": False} | options
    return Console(stderr=stderr, width=None if is_terminal else width, **options)


def complain(sentence: str) -> None:
    """Say on standard error what was wrong."""
    make_console(stderr=True).print(sentence, style="red", soft_wrap=True)
