"""The C driver as Python calls it: a process on this or an emulated host, its bus two pipes."""

import functools
import os
import shutil
import struct
import subprocess
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import pytest

from hw.host.driver import PARAMETERS, BusError, Job
from hw.registers.map import COUNTERS
from sim_tests.bench import BUILD, ROOT

COMPILER, CPLUSPLUS = os.environ.get("CC", "cc"), os.environ.get("CXX", "c++")
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion",
            "-Wshadow", "-Werror")
SOURCES, EXAMPLE = ROOT / "hw" / "host" / "c", ROOT / "examples" / "c"

Result = IntEnum(
    "Result", ("OK", "BUS_ERROR", "NO_MACHINE", "OTHER_VERSION", "REFUSED", "FAULTED", "TIMED_OUT",
               "BAD_ORDER", "BAD_TABLE", "NO_RING", "BAD_COMMAND", "NOT_EARLIER", "BAD_RING",
               "BAD_WINDOW", "LOCKED", "BUSY", "FULL", "STOPPED", "NOT_STOPPED", "BAD_MATRIX",
               "BAD_PRECISION", "BAD_STRIDE", "NO_SPACE"), start=0)
"""enum mixdit_result."""

CALLS = ("open", "start", "jobs_ended", "wait", "check", "read_counters", "abort", "resume",
         "load_order", "load_tags", "read_maximum", "resident_tiles", "weight_passes",
         "result_text", "refusal_text", "fault_text", "run_jobs",
         "output_pending")
"""In the order of c_driver.c."""

Message = IntEnum(
    "Message", ("READ", "WRITE", "SLEEP", "RESULT", "CLEAN", "INVALIDATE", "BARRIER"), start=0)
"""What the process says: what it needs while a call lasts, and that it has ended."""


@dataclass(frozen=True)
class Host:
    """A machine that C is compiled for, and what runs its programs here."""

    compiler: str
    emulator: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Name the tools that are not installed."""
        return [tool for tool in (self.compiler, *self.emulator) if shutil.which(tool) is None]

    @functools.cached_property
    def program(self) -> Path:
        """Compile the driver, the example and the process around them."""
        return self.compile("c_driver", SOURCES / "mixdit.c", EXAMPLE / "interrupts.c",
                            Path(__file__).with_suffix(".c"))

    def compile(self, name: str, *sources: Path) -> Path:
        """Compile a program, every warning an error, and return where it is."""
        folder = BUILD / "c"
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / f"{name}.{self.compiler.replace('/', '_')}"
        partial = program.with_suffix(f".{os.getpid()}")
        folders = (SOURCES, EXAMPLE, Path(__file__).parent)
        subprocess.run([
            self.compiler, *WARNINGS, "-O2", *(("-static",) if self.emulator else ()),
            *(f"-I{folder}" for folder in folders), *map(str, sources), "-o", str(partial)],
            check=True)
        partial.replace(program)
        return program


HOSTS = {"native": Host(COMPILER), "big_endian": Host("powerpc64-linux-gnu-gcc", ("qemu-ppc64",))}


def require(host: Host) -> None:
    """Skip the test without a host's tools, or fail it where MIXDIT_REQUIRE_CROSS is set."""
    if host.missing:
        words = f"{' and '.join(host.missing)} not installed"
        if os.environ.get("MIXDIT_REQUIRE_CROSS", "0") not in ("", "0"):
            pytest.fail(words)
        pytest.skip(words)


class CDriver:
    """Call the C driver; every method returns a `Result` and, where there is one, a value.

    Parameters
    ----------
    read, write : callable
        ``read(address)`` returns a register, ``write(address, value)`` sets one; both raise
        `BusError` if that is refused. They run in the thread that called the driver.
    sleep : callable, optional
        ``sleep()`` returns whether irq has risen.
    host : Host
    """

    calls = CALLS

    def __init__(self, read: Callable[[int], int], write: Callable[[int, int], None],
                 sleep: Callable[[], bool] | None = None, host: Host = HOSTS["native"]):
        self._read, self._write, self._sleep = read, write, sleep
        self._process = subprocess.Popen([*host.emulator, str(self.program(host))],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        weakref.finalize(self, self._process.communicate)  # it ends with its input

    @staticmethod
    def program(host: Host) -> Path:
        """Return the process's program."""
        return host.program

    def _call(self, name: str, *words: int) -> tuple[int, list[int]]:
        """Call a function; give its result, and its values."""
        self._send(self.calls.index(name), len(words), *words)
        while (message := Message(self._receive()[0])) is not Message.RESULT:
            self._serve(message)
        result, count = self._receive(2)
        return result, list(self._receive(count))

    def _serve(self, message: Message) -> None:
        """Do what the process needs."""
        if message is Message.READ:
            self._answer(self._read, *self._receive())
        elif message is Message.WRITE:
            self._answer(self._write, *self._receive(2))
        else:
            self._send(self._sleep())

    def _answer(self, access: Callable, *arguments: int) -> None:
        try:
            value = access(*arguments)
        except BusError:
            self._send(False)
        else:
            self._send(True, *([] if value is None else [value]))

    def _send(self, *words: int) -> None:
        self._process.stdin.write(struct.pack(f"<{len(words)}I", *words))
        self._process.stdin.flush()

    def _receive(self, count: int = 1) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self._process.stdout.read(4 * count))

    def open(self) -> tuple[Result, dict[str, int]]:
        """Open the machine; give its build parameters by register name."""
        result, values = self._call("open")
        return Result(result), dict(zip(PARAMETERS, values, strict=True))

    def start(self, job: Job) -> tuple[Result, int]:
        """Start a job; give the refusal."""
        return self._fetch("start", *job.registers().values())

    def jobs_ended(self) -> tuple[Result, int]:
        """Count the jobs that have ended."""
        return self._fetch("jobs_ended")

    def wait(self, ended: int, polls: int) -> Result:
        """Wait for the end of a job."""
        return Result(self._call("wait", ended, polls)[0])

    def check(self) -> tuple[Result, int]:
        """Take the stream faults."""
        return self._fetch("check")

    def counters(self) -> tuple[Result, dict[str, int]]:
        """Read the counters, by lower-case name."""
        result, words = self._call("read_counters")
        values = [low | high << 32 for low, high in zip(words[::2], words[1::2], strict=True)]
        names = [name.lower() for name, _ in COUNTERS]
        return Result(result), dict(zip(names, values, strict=True))

    def abort(self) -> Result:
        """Drop every job."""
        return Result(self._call("abort")[0])

    def output_pending(self) -> tuple[Result, int]:
        """Tell whether results are left."""
        return self._fetch("output_pending")

    def resume(self) -> Result:
        """Let jobs in again."""
        return Result(self._call("resume")[0])

    def load_order(self, table: int, order: Sequence[int]) -> Result:
        """Load a channel order."""
        return Result(self._call("load_order", table, *order)[0])

    def load_tags(self, table: int, tags: Sequence[bool]) -> Result:
        """Load static tags."""
        return Result(self._call("load_tags", table, *tags)[0])

    def maximum(self, channel: int) -> tuple[Result, int]:
        """Read a channel's largest magnitude."""
        return self._fetch("read_maximum", channel)

    def resident_tiles(self, m: int, k: int) -> int:
        """Choose the token tiles that stay on chip."""
        return self._call("resident_tiles", m, k)[0]

    def weight_passes(self, job: Job) -> int:
        """Count how often B streams by."""
        return self._call("weight_passes", *job.registers().values())[0]

    def text(self, kind: str, code: int) -> str:
        """Say what a "result" or a "refusal" means."""
        return bytes(self._call(f"{kind}_text", code)[1]).decode()

    def fault_text(self, faults: int, size: int = 256) -> tuple[int, str]:
        """Name faults in so many bytes; give the length of the whole text, and what fits."""
        length, memory = self._call("fault_text", faults, size)
        assert memory[0] == memory[1 + size] == ord("#"), "written beside its place"
        return length, bytes(memory[1 : 1 + size]).partition(b"\0")[0].decode()

    def run_jobs(self, jobs: Sequence[Job]) -> tuple[Result, tuple[int, int, int], list[int]]:
        """Run the example; give how many ended and were refused, the faults, and the refusals."""
        words = [word for job in jobs for word in job.registers().values()]
        result, (ended, refused, faults, *refusals) = self._call("run_jobs", *words)
        return Result(result), (ended, refused, faults), refusals

    def _fetch(self, name: str, *words: int) -> tuple[Result, int]:
        result, (value,) = self._call(name, *words)
        return Result(result), value
