"""Time and size of emitted Verilog by size of the array: ``python -m hw.tools.emission``."""

import re
import time
from argparse import ArgumentParser

from rich.table import Table

from commands.running import start
from commands.terminal import make_console
from hw.accelerator import Accelerator
from hw.contract.config import Config
from hw.parts.emit import emit

SIZES = (4, 16, 64)


def main():
    """Emit the accelerator at several sizes and print a table."""
    ArgumentParser(prog="python -m hw.tools.emission", description=__doc__).parse_args()
    table = Table("array", "seconds", "megabytes", "Verilog modules", "cells")
    emit(Accelerator(Config.sized(rows=1, cols=1)), "warm_up")  # Yosys compiles itself once
    for size in SIZES:
        start = time.perf_counter()
        text = emit(Accelerator(Config.sized(rows=size, cols=size)), f"mixdit_{size}x{size}")
        seconds = time.perf_counter() - start
        modules = len(re.findall(r"^module ", text, re.MULTILINE))
        table.add_row(f"{size}x{size}", f"{seconds:.1f}", f"{len(text) / 1e6:.2f}", str(modules),
                      str(size * size))
    make_console().print(table)


if __name__ == "__main__":
    start(main)
