"""The command ``mixdit verilog``."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.figures import Figures
from commands.outputs import check_file, write_if_changed
from commands.running import sentences
from commands.terminal import make_console

from .contract.config import Config
from .machine_options import machine_options


@machine_options()
def verilog(
    machine: Mapping[str, Any],
    name: Annotated[str | None, typer.Option(help="Name of the top module.",
                                             show_default="mixdit_ROWSxCOLS")] = None,
    one_file: Annotated[bool, typer.Option(
        "--one-file", help="Put the memory module behind the machine, not beside it.")] = False,
    output: Annotated[Path | None, typer.Option(
        "-o", "--output", help="File (.v, .sv) or folder.", show_default="build/verilog")] = None,
) -> Figures:
    """Emit the accelerator as Verilog.

    Two files, of the machine and of its memory module; the first line of each is the configuration.

    Example: mixdit verilog --rows 16 --cols 16 --k-max 4608 -o build/verilog
    """
    name = name or f"mixdit_{machine['rows']}x{machine['cols']}"
    output = output or Path("build/verilog")
    started = time.perf_counter()
    with sentences("Interrupted: nothing was written."):
        config = Config.sized(**machine)
        # Amaranth is imported when something is emitted, and not for the help.
        from .parts.emit import emit_files
        from .parts.sram import MODULE
        from .parts.verilog_names import check_name
        from .top import top_of

        check_name(name)
        path = output if output.suffix in (".v", ".sv") else output / f"{name}.v"
        memory_path = path.with_name(f"{name}_{MODULE}.v")
        if path.name == memory_path.name:
            raise ValueError(f"{path.name} is the memory's file: give the machine another one")
        for file in (path, *[memory_path] * (not one_file)):
            check_file(file)
        own, *memory = emit_files(top_of(config), name, header=config.describe()).items()
        files = {path: own[1]} | {path.with_name(file): text for file, text in memory}
        if one_file:
            files = {path: "\n".join(files.values())}
        for file, text in files.items():
            write_if_changed(file, text)
    size, seconds = sum(map(len, files.values())), time.perf_counter() - started
    make_console().print(f"{' and '.join(map(str, files))}: {size / 1e6:.2f} MB "
                         f"in {seconds:.1f} s\n{config.describe()}", soft_wrap=True)
    return Figures({"machine": config.describe(), "files": list(map(str, files)), "bytes": size,
                    "seconds": round(seconds, 2)})
