"""Outputs: tried before the work, and written whole."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_WRITABLE = 0o222


def check_file(path: Path, *, makes_folder: bool = True) -> None:
    """See that a file can be written, before anything is computed for it.

    Parameters
    ----------
    path : pathlib.Path
    makes_folder : bool
        Its folder is made if it is missing; else that is a mistake.

    Raises
    ------
    ValueError
        With a sentence, if it cannot.
    """
    try:
        if path.is_dir():
            raise ValueError(f"{path} is a folder, and a file is to be written: give its name too")
        if not makes_folder and not path.absolute().parent.is_dir():
            raise ValueError(f"there is no folder {path.absolute().parent} for the output")
        if path.exists():
            if not path.stat().st_mode & _WRITABLE or not os.access(path, os.W_OK):
                raise ValueError(f"{path} is there and may not be written")
            if _is_special(path):
                return
        path = path.resolve()
        check_folder(path.parent)
        if len(os.fsencode(path.name)) > os.pathconf(path.absolute().parent, "PC_NAME_MAX"):
            raise ValueError(f"{path} cannot be written: the name is too long")
    except (OSError, RuntimeError) as error:  # the latter for links in a circle
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{path} cannot be written: {reason}") from None


def check_folder(path: Path) -> None:
    """Make a folder unless it is there, and see that files can be written in it.

    Raises
    ------
    ValueError
        With a sentence, if they cannot.
    """
    try:
        for each in (path, *path.parents):
            if each.exists() and not each.is_dir():
                raise ValueError(f"{each} is a file, and a folder is needed there")
        path.mkdir(parents=True, exist_ok=True)
        if not path.stat().st_mode & _WRITABLE:
            raise ValueError(f"the folder {path} may not be written")
        trial = path / f".{secrets.token_hex(8)}.partial"
        trial.touch(exist_ok=False)
        trial.unlink()
    except OSError as error:
        raise ValueError(f"nothing can be written in {path}: {error.strerror}") from None


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that is there as a whole or not at all; gives it, open for bytes.

    It takes the place of an older one at the end, and keeps its permissions; where the work is
    interrupted, the older one stays. A device or a pipe is written directly.
    """
    if path.exists() and _is_special(path):
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f".{secrets.token_hex(8)}.partial"
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            partial.chmod(path.stat().st_mode)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file as a whole, in UTF-8."""
    with whole(path) as file:
        file.write(text.encode("utf-8"))


def write_if_changed(path: Path, text: str) -> bool:
    """Write a text file unless it says that already; tell whether it was written."""
    encoded = text.encode("utf-8")
    if path.is_file() and path.read_bytes() == encoded:
        return False
    write_text(path, text)
    return True


def _is_special(path: Path) -> bool:
    """Tell whether a path is a device or a pipe, which no file may take the place of."""
    place = path.absolute()
    is_stream = place.is_relative_to("/dev") and not place.is_relative_to("/dev/shm")
    return is_stream or not path.is_file()
