"""From a configuration to a compiled model with its harness, in a cache by content.

A library stands in a folder named for all that it was made from: the Verilog, the harness, the
flags, the versions of Verilator and of the compiler. It is moved there when it is whole; so a
killed build leaves nothing that is used, and of several processes one builds while others wait.
"""

import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from commands import builds, children, environment, tools
from commands.outputs import whole, write_text
from commands.tools import ToolError
from hw.contract.config import Config
from hw.tools.waivers import WAIVERS
from simulation import emission
from simulation.runtime import Optimise, prepare, verilator, versions

BUILD = emission.BUILD / "simulation"

HARNESS = Path(__file__).resolve().parent / "harness"

TOP = "machine"
"""The name of the Verilog module, the same for all machines: each is alone in its library."""

STREAMS, MEMORY = "harness.cpp", "memory_harness.cpp"
"""Of a machine between streams, and of one with a command ring."""

PROBES = "".join(
    f'public_flat_rd -module "{TOP}_machine_{module}" -var "{name}"\n'
    for module, names in (
        ("engines_issuer", ("issue", "i__valid", "walker_waits_for_act",
                            "walker_waits_for_weight")),
        ("engines", ("job_ended",)), ("ledger", ("completed",)))
    for name in names)
"""What ``probe.h`` looks at."""

NEEDS = ("c++", "make", "perl")
LIBRARY = "machine.so"
LOG = "build.log"

Show = Callable[[str, float | None], None]
"""``show(stage, share)``: what is done, and how much of it has been, 0 to 1, if that is known."""

CFLAGS = "-std=c++20 -fPIC -fvisibility=hidden -fno-gnu-unique -DVL_USER_FATAL -I.."

_LOOK_SECONDS = 0.3


@dataclass(frozen=True)
class Flags:
    """How a model is made.

    Attributes
    ----------
    verilate : tuple of str
        Of Verilator. Memories return garbage for the word that is being written, and what has no
        value before the reset is zero, as in the benches.
    optimise : str
        Of the compiler, for what runs in every cycle.
    waves : bool
        Whether waveforms can be written, which takes speed.
    """

    verilate: tuple[str, ...] = (
        "-O3", "--x-assign", "fast", "--x-initial", "fast", "-DSRAM_POISON",
        "--output-split", "20000", "--output-split-cfuncs", "500")
    optimise: str = "-O2"
    waves: bool = False


def build(
    config: Config, *, waves: bool = False, place: Path = BUILD,
    show: Show = lambda stage, share: None,
) -> Path:
    """Make a machine's library, unless it is there; emission and compilation are cached apart.

    Parameters
    ----------
    config : Config
    waves : bool
        Whether it can write waveforms.
    place : pathlib.Path
        The cache.
    show : callable
        Told of progress, if there is anything to do; in part from another thread.

    Returns
    -------
    pathlib.Path
        For `simulation.machine.SimulatedMachine`, or, with a bus,
        `simulation.memory_machine.SimulatedMemoryMachine`.

    Raises
    ------
    commands.tools.ToolError
        If a tool is missing, or the build fails; the sentence names the log.
    ValueError
        If make cannot build in this place, or the bus has a clock of its own.
    """
    if config.bus_clock:
        raise ValueError("bus_clock=1 cannot be simulated here, where a machine and its memory "
                         "have one clock: use bus_clock=0, whose bytes are the same")
    builds.check_place(place)
    tools.require(NEEDS)
    verilog = emitted(config, show)
    return compile_verilog(verilog, flags=Flags(waves=waves), place=place, show=show,
                           harness=MEMORY if config.bus_bytes else STREAMS)


def emitted(config: Config, show: Show = lambda stage, share: None) -> str:
    """Emit a machine with its memories as one Verilog text, unless that is kept."""
    if not emission.is_kept(config, TOP):
        show("Emitting the Verilog", None)
    return "\n".join(emission.machine(config, TOP).values())


def compile_verilog(
    verilog: str, *, flags: Flags = Flags(), place: Path = BUILD,
    show: Show = lambda stage, share: None, harness: str = STREAMS,
) -> Path:
    """Compile a top that has an accelerator's ports, with the harness, unless that is done.

    Parameters
    ----------
    verilog : str
        Of a module named `TOP` and all below it.
    flags : Flags
    place : pathlib.Path
        The cache.
    show : callable
        As for `build`.
    harness : str
        `STREAMS` or `MEMORY`.

    Returns
    -------
    pathlib.Path
        The library.

    Raises
    ------
    commands.tools.ToolError, ValueError
        As `build` does.
    """
    builds.check_place(place)
    tools.require(NEEDS)
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(HARNESS.iterdir())}
    key = _digest(verilog, WAIVERS, PROBES, harness, repr(flags), *sources,
                  *sources.values(), versions())
    folder = place / key
    library = folder / LIBRARY
    if library.is_file():
        return library
    with builds.locked(place / f"{key}.lock") as lock:
        if not library.is_file():
            _compile(verilog, sources, harness, flags, folder, lock, show)
    return library


def _compile(
    verilog: str, sources: Mapping[str, str], harness: str, flags: Flags, folder: Path, lock: int,
    show: Show,
) -> None:
    """Build in a folder beside the results, from nothing, and move the library out of it."""
    unfinished = folder / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    write_text(folder / f"{TOP}.v", verilog)
    waivers = WAIVERS + (PROBES if harness == MEMORY else "")
    for name, text in {**sources, "waivers.vlt": waivers}.items():
        write_text(unfinished / name, text)
    trace = ["--trace"] if flags.waves else []
    runtime = prepare([*trace, "-CFLAGS", CFLAGS], Optimise(flags.optimise, "-O1", "-O2"))
    steps = [
        [verilator() / "verilator", "--cc", "--exe",
         "--prefix", "Vmachine", "--top-module", TOP, "--Mdir", "model", "-o", LIBRARY,
         *flags.verilate, *trace, "-CFLAGS", CFLAGS, "-LDFLAGS", "-shared -Wl,-Bsymbolic",
         "waivers.vlt", folder / f"{TOP}.v", unfinished / harness],
        ["cp", *runtime.objects, "model"],
        ["make", f"-j{_jobs()}", "-C", "model", "-f", "Vmachine.mk", *runtime.variables],
    ]
    log = folder / LOG
    with log.open("w", encoding="utf-8") as output, _watched(unfinished / "model", show):
        for step in steps:
            done = children.run(step, cwd=unfinished, env=environment.of_simulator(),
                                stdout=output, stderr=subprocess.STDOUT, pass_fds=[lock])
            if done.returncode:
                break
    if done.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        causes = [line for line in last if "rror" in line] or last[-1:] or ["it says nothing"]
        raise ToolError(f"The model could not be built: {causes[0]}\nThe log is {log}.")
    with whole(folder / LIBRARY) as file:
        file.write((unfinished / "model" / LIBRARY).read_bytes())
    shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _watched(model: Path, show: Show) -> Iterator[None]:
    """Tell now and then how many of the sources that Verilator writes have been compiled."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_SECONDS):
            names = [path.suffix for path in model.glob("*")] if model.is_dir() else []
            sources, objects = names.count(".cpp"), names.count(".o")
            share = min(1.0, objects / sources) if objects else None
            show("Building the Verilator model", share)

    show("Building the Verilator model", None)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _jobs() -> int:
    return min(len(os.sched_getaffinity(0)), 8)


def _digest(*texts: str) -> str:
    """Digest texts so that no two lists of them agree."""
    parts = [hashlib.sha256(text.encode()).digest() for text in texts]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:24]
