"""The C driver as Python calls it: compiled to a shared library, its bus made of two functions."""

import ctypes
import functools
import os
import subprocess
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path

from hw.driver import PARAMETERS, BusError, Job
from hw.registers import COUNTERS
from sim_tests.bench import BUILD, ROOT

COMPILER = os.environ.get("CC", "cc")
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion",
            "-Wshadow", "-Werror")
SOURCES = ROOT / "hw" / "c"

_READ = ctypes.CFUNCTYPE(
    ctypes.c_bool, ctypes.c_void_p, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32))
_WRITE = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)

Result = IntEnum(
    "Result", ("OK", "BUS_ERROR", "NO_MACHINE", "OTHER_VERSION", "REFUSED", "FAULTED", "TIMED_OUT",
               "BAD_ORDER", "BAD_TABLE"), start=0)
"""enum mixdit_result."""


class _Bus(ctypes.Structure):
    _fields_ = (("read32", _READ), ("write32", _WRITE), ("context", ctypes.c_void_p))


class _Parameters(ctypes.Structure):
    _fields_ = tuple((name.lower(), ctypes.c_uint32) for name in PARAMETERS)


class _Counters(ctypes.Structure):
    _fields_ = tuple((name.lower(), ctypes.c_uint64) for name, _ in COUNTERS)


class _Machine(ctypes.Structure):
    _fields_ = (("bus", _Bus), ("parameters", _Parameters))


class _Job(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in (
        "kind", "m", "n", "k", "tiles", "format", "output", "flags", "table", "selection", "units",
        "threshold"))


@functools.cache
def compile_driver(folder: Path = BUILD / "c") -> Path:
    """Compile the driver as a shared library, every warning an error."""
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "libmixdit.so"
    partial = folder / f"libmixdit.{os.getpid()}.so"
    subprocess.run([COMPILER, *WARNINGS, "-O2", "-shared", "-fPIC", "-ffreestanding",
                    str(SOURCES / "mixdit.c"), "-o", str(partial)], check=True)
    partial.replace(library)
    return library


class CDriver:
    """Call the C driver; every method returns a `Result` and, where there is one, a value.

    Parameters
    ----------
    read, write : callable
        ``read(address)`` returns a register, ``write(address, value)`` sets one; both raise
        `BusError` if that is refused. They run in the thread that called the driver.
    """

    def __init__(self, read: Callable[[int], int], write: Callable[[int, int], None]):
        self._library = ctypes.CDLL(str(compile_driver()))
        for name in ("result", "refusal", "fault"):
            getattr(self._library, f"mixdit_{name}_text").restype = ctypes.c_char_p
        for name in ("resident_tiles", "weight_passes"):
            getattr(self._library, f"mixdit_{name}").restype = ctypes.c_uint32

        def read32(_context, address, value):
            try:
                value[0] = read(address)
            except BusError:
                return False
            return True

        def write32(_context, address, value):
            try:
                write(address, value)
            except BusError:
                return False
            return True

        self._bus = _Bus(_READ(read32), _WRITE(write32), None)
        self._machine = _Machine()

    def _call(self, name: str, *arguments) -> Result:
        function = getattr(self._library, f"mixdit_{name}")
        return Result(function(ctypes.byref(self._machine), *arguments))

    def open(self) -> tuple[Result, dict[str, int]]:
        """Open the machine; give its build parameters by register name."""
        result = self._call("open", ctypes.byref(self._bus))
        parameters = self._machine.parameters
        return result, {name: getattr(parameters, name.lower()) for name in PARAMETERS}

    def start(self, job: Job) -> tuple[Result, int]:
        """Start a job; give the refusal."""
        refusal = ctypes.c_int(-1)
        return self._call("start", ctypes.byref(_job(job)), ctypes.byref(refusal)), refusal.value

    def jobs_ended(self) -> tuple[Result, int]:
        """Count the jobs that have ended."""
        return self._fetch("jobs_ended", ctypes.c_uint32())

    def wait(self, ended: int, polls: int) -> Result:
        """Wait for the end of a job."""
        return self._call("wait", ctypes.c_uint32(ended), ctypes.c_uint32(polls))

    def check(self) -> tuple[Result, int]:
        """Take the stream faults."""
        return self._fetch("check", ctypes.c_uint32())

    def counters(self) -> tuple[Result, dict[str, int]]:
        """Read the counters, by lower-case name."""
        counters = _Counters()
        result = self._call("read_counters", ctypes.byref(counters))
        return result, {name: getattr(counters, name) for name, _ in _Counters._fields_}

    def abort(self) -> Result:
        """Drop every job."""
        return self._call("abort")

    def resume(self) -> Result:
        """Let jobs in again."""
        return self._call("resume")

    def load_order(self, table: int, order: list[int]) -> Result:
        """Load a channel order."""
        return self._call("load_order", ctypes.c_uint32(table),
                          (ctypes.c_uint16 * len(order))(*order), ctypes.c_uint32(len(order)))

    def load_tags(self, table: int, tags: list[bool]) -> Result:
        """Load static tags."""
        return self._call("load_tags", ctypes.c_uint32(table),
                          (ctypes.c_bool * len(tags))(*tags), ctypes.c_uint32(len(tags)))

    def maximum(self, channel: int) -> tuple[Result, int]:
        """Read a channel's largest magnitude."""
        pattern = ctypes.c_uint32()
        result = self._call("read_maximum", ctypes.c_uint16(channel), ctypes.byref(pattern))
        return result, pattern.value

    def resident_tiles(self, m: int, k: int) -> int:
        """Choose the token tiles that stay on chip."""
        return self._library.mixdit_resident_tiles(
            ctypes.byref(self._machine), ctypes.c_uint32(m), ctypes.c_uint32(k))

    def weight_passes(self, job: Job) -> int:
        """Count how often B streams by."""
        return self._library.mixdit_weight_passes(
            ctypes.byref(self._machine), ctypes.byref(_job(job)))

    def text(self, kind: str, code: int) -> str:
        """Say what a "result", "refusal" or "fault" means."""
        return getattr(self._library, f"mixdit_{kind}_text")(ctypes.c_uint32(code)).decode()

    def _fetch(self, name: str, value: ctypes.c_uint32) -> tuple[Result, int]:
        return self._call(name, ctypes.byref(value)), value.value


def _job(job: Job) -> _Job:
    values = {name.removeprefix("JOB_").lower(): value for name, value in job.registers().items()}
    return _Job(**values)
