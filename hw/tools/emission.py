"""Time and size of emitted Verilog by size of the array: ``mixdit bench emission``."""

import re
import time

from rich.table import Table

from commands.figures import Figures
from commands.terminal import make_console
from hw.accelerator import Accelerator
from hw.contract.config import Config
from hw.parts.emit import emit

SIZES = (4, 16, 64)


def main() -> Figures:
    """Time the generator at 4x4, 16x16 and 64x64.

    Example: mixdit bench emission --json
    """
    figures = []
    table = Table("array", "seconds", "megabytes", "Verilog modules", "cells")
    emit(Accelerator(Config.sized(rows=1, cols=1)), "warm_up")  # Yosys compiles itself once
    for size in SIZES:
        start = time.perf_counter()
        text = emit(Accelerator(Config.sized(rows=size, cols=size)), f"mixdit_{size}x{size}")
        seconds = time.perf_counter() - start
        modules = len(re.findall(r"^module ", text, re.MULTILINE))
        table.add_row(f"{size}x{size}", f"{seconds:.1f}", f"{len(text) / 1e6:.2f}", str(modules),
                      str(size * size))
        figures.append({"rows": size, "cols": size, "seconds": round(seconds, 2),
                        "bytes": len(text), "modules": modules})
    make_console().print(table)
    return Figures({"arrays": figures})
