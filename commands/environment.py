"""The environment: variables of other projects are cleared, our own are checked.

cocotb, make and Verilator's rules take much from the environment, which a shell that another
project was set up in has full of that project's settings.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

FOREIGN = re.compile(r"""
    (COCOTB|GPI|PYGPI|VERILATOR|IVERILOG|VM|CFG|SYSTEMC)_\w*
  | LIBPYTHON_LOC | MODULE | TOPLEVEL | TOPLEVEL_LANG | TESTCASE | RANDOM_SEED | PLUSARGS
  | SIM | SIM_CMD_PREFIX | SIM_CMD_SUFFIX | GUI | MEMCHECK                         # cocotb
  | MAKEFLAGS | MFLAGS | GNUMAKEFLAGS | MAKEFILES | MAKELEVEL | MAKEOVERRIDES | VPATH
  | CPPFLAGS | CXXFLAGS | CFLAGS | LDFLAGS | LDLIBS | LOADLIBES | ARFLAGS | TARGET_ARCH
  | OPT | OPT_FAST | OPT_SLOW | OPT_GLOBAL | M32 | USER_\w*FLAGS | USER_LDLIBS     # make
  | PYTHONOPTIMIZE | PYTHONWARNINGS | PYTHONINSPECT | PYTHONIOENCODING             # Python
  | MPLBACKEND                                                                     # matplotlib
""", re.VERBOSE)
"""Names that are cleared. Where a compiler looks for its own parts (PATH, CPATH, LIBRARY_PATH,
CCACHE_DIR), and PYTHONPATH, belong to the computer and stay. PYTHONOPTIMIZE would take the benches'
assertions out."""

WAVES = "WAVES"
"""Asks for waveforms of benches; commands write none."""

_FLAGS = ("MIXDIT_FULL", "MIXDIT_MATRIX", "MIXDIT_ICARUS", "MIXDIT_REQUIRE_ICARUS",
          "MIXDIT_REQUIRE_CROSS", "MIXDIT_REQUIRE_LIBRARY")
_SEED, _SIMULATOR, _LIBERTY = "MIXDIT_SEED", "MIXDIT_SIMULATOR", "MIXDIT_LIBERTY"
_HANDOVER = "MIXDIT_BENCH"
"""Between the halves of a bench."""

SEED_LIMIT = 1 << 31
SIMULATORS = ("verilator", "random", "icarus")


def is_foreign(name: str) -> bool:
    """Tell whether a variable belongs to another project."""
    return FOREIGN.fullmatch(name) is not None


def clear() -> None:
    """Clear the variables of other projects in this process."""
    for name in filter(is_foreign, list(os.environ)):
        del os.environ[name]


def of_simulator(**more: str) -> dict[str, str]:
    """Return the environment of a process that simulates for a command."""
    kept = {name: value for name, value in os.environ.items()
            if not is_foreign(name) and name != WAVES}
    return kept | {"PYTHONUTF8": "1"} | more


@contextmanager
def cleared() -> Iterator[None]:
    """Clear the variables of other projects, and WAVES, for a while."""
    before = dict(os.environ)
    clear()
    os.environ.pop(WAVES, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def flag(name: str) -> bool:
    """Read a variable that is 0 or 1; 0 where it is missing or empty.

    Raises
    ------
    ValueError
        If it is something else.
    """
    value = os.environ.get(name, "")
    if value not in ("", "0", "1"):
        raise ValueError(f"the environment's {name} is 0 or 1, not {value!r}")
    return value == "1"


def seed() -> int:
    """Read MIXDIT_SEED, the seed of every random choice; 1 where it is missing.

    Raises
    ------
    ValueError
        If it is no number from 0 to 2^31 - 1.
    """
    value = os.environ.get(_SEED, "1")
    if not (value.isascii() and value.isdecimal() and len(value) <= 10 and int(value) < SEED_LIMIT):
        raise ValueError(f"the environment's {_SEED} is a number from 0 to {SEED_LIMIT - 1}, "
                         f"not {value!r}")
    return int(value)


def simulator() -> str:
    """Read MIXDIT_SIMULATOR, where benches run.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    value = os.environ.get(_SIMULATOR) or SIMULATORS[0]
    if value not in SIMULATORS:
        raise ValueError(f"the environment's {_SIMULATOR} is one of {', '.join(SIMULATORS)}, "
                         f"not {value!r}")
    return value


_READERS: Mapping[str, Callable[[], object]] = {
    _SEED: seed, _SIMULATOR: simulator,
    **{name: lambda name=name: flag(name) for name in (*_FLAGS, WAVES)}}

KNOWN = (*_READERS, _LIBERTY, _HANDOVER)


def check() -> None:
    """Refuse wrong values of our own variables, and misspelt ones.

    Raises
    ------
    ValueError
        With a sentence that names the variable.
    """
    for read in _READERS.values():
        read()
    for name in os.environ:
        if name.startswith("MIXDIT_") and name not in KNOWN:
            known = ", ".join(each for each in sorted(KNOWN) if each not in (_HANDOVER, WAVES))
            raise ValueError(f"{name} in the environment means nothing; there are {known}")
