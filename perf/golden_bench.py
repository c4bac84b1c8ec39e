"""Time and memory of the golden model, of which `golden` itself has the measurements."""

import json
import os
import platform
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.outputs import check_file, write_text
from commands.running import sentences
from commands.terminal import make_console
from commands.tools import ToolError

REPORT = Path("build/bench/golden.json")

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def golden() -> Figures:
    """Time the golden model on one thread.

    Quantization is timed beside AMD Quark's (where the extra "oracle" is installed), the GEMM
    beside NumPy's own. The exit code is 1 if a target is missed.

    Example: mixdit bench golden --json
    """
    with sentences():
        check_file(REPORT)
    if any(os.environ.get(name) != "1" for name in THREADS):
        # Thread pools read these when they are loaded, which the commands' own imports may do.
        call = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, call, os.environ | dict.fromkeys(THREADS, "1"))
    from golden.bench import bench, table_of

    results = bench()
    console = make_console()
    console.print(table_of(results))
    machine = {"python": platform.python_version(), "numpy": version("numpy")}
    lines = [asdict(each) | {"ratio": each.ratio} for each in results]
    write_text(REPORT, json.dumps({"machine": machine, "results": lines}, indent=2) + "\n")
    console.print(f"Report: {REPORT}")
    missed = any(each.met is False for each in results)
    return Figures(REPORT, ExitCode.DIFFERENT if missed else ExitCode.DONE)


def torch() -> Figures:
    """Time a small DiT's forward pass with quantized GEMMs beside FP32.

    On one thread; the exit code is 1 if a policy takes more than three times FP32's time.

    Example: mixdit bench torch --json
    """
    with sentences():
        from golden.torch.bench import TARGET, bench, table_of

        times = bench()
    make_console().print(table_of(times))
    missed = max(times.values()) > TARGET * times["FP32"]
    return Figures({"seconds": times}, ExitCode.DIFFERENT if missed else ExitCode.DONE)


def memory() -> Figures:
    """Measure the memory that quantized layers and attention take.

    Each figure is of a process of its own; only Linux says what a process takes.

    Example: mixdit bench memory --json
    """
    with sentences():
        from golden.torch.memory import bench_attention, bench_weights, can_measure, tables_of

        if not can_measure():
            raise ToolError("what a process takes is read from /proc, which only Linux has")
        weights, attention = bench_weights(), bench_attention()
    make_console().print(*tables_of(weights, attention))
    return Figures({"weights": weights, "attention": attention})
