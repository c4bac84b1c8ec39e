"""Command line of the generator: ``python -m hw --rows 8 --cols 8 --acc-width 40``."""

import time
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from commands.outputs import check_file, write_if_changed
from commands.running import sentences, start
from commands.terminal import make_console

from .accelerator import Accelerator
from .contract.config import Config
from .parts.emit import emit_files
from .parts.sram import MODULE
from .parts.verilog_names import check_name

DEFAULTS = {field.name: field.default for field in fields(Config)}


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    rows: Annotated[int, typer.Option(help="Rows of the array.")] = DEFAULTS["rows"],
    cols: Annotated[int, typer.Option(help="Columns of the array.")] = DEFAULTS["cols"],
    acc_width: Annotated[int, typer.Option(
        help="Bits of the accumulator.")] = DEFAULTS["acc_width"],
    k_max: Annotated[int, typer.Option(help="Largest K.")] = DEFAULTS["k_max"],
    float_formats: Annotated[str, typer.Option(
        help="Activation formats, of fp32, fp16, bf16.")] = ",".join(DEFAULTS["float_formats"]),
    act_bytes: Annotated[int | None, typer.Option(
        help="Bytes per beat of s_axis_act.", show_default=str(DEFAULTS["act_bytes"]))] = None,
    weight_bytes: Annotated[int | None, typer.Option(
        help="Bytes per beat of s_axis_wgt.", show_default="4 x cols, to a power of two")] = None,
    act_depth: Annotated[int | None, typer.Option(
        help="Blocks of A per array row on chip.", show_default="3 x k_max / 16")] = None,
    weight_depth: Annotated[int | None, typer.Option(
        help="Blocks of B per array column on chip.", show_default="2 x k_max / 16")] = None,
    stage_depth: Annotated[int | None, typer.Option(
        help="Blocks that wait for their precision.",
        show_default="the larger of rows and cols x k_max / 16, and some")] = None,
    tile_slots: Annotated[int, typer.Option(
        help="Most token tiles on chip.")] = DEFAULTS["tile_slots"],
    rounding: Annotated[str, typer.Option(
        help="half_even or truncate.")] = DEFAULTS["rounding"],
    cell_stages: Annotated[int, typer.Option(
        help="Pipeline registers of a cell, 0 to 3.")] = DEFAULTS["cell_stages"],
    drain_lanes: Annotated[int | None, typer.Option(
        help="Results that leave the array per cycle: cols x 1, 2, 4, …",
        show_default="cols")] = None,
    tables: Annotated[int, typer.Option(
        help="Tables of channel orders and static tags.")] = DEFAULTS["tables"],
    name: Annotated[str | None, typer.Option(help="Name of the top module.",
                                             show_default="mixdit_ROWSxCOLS")] = None,
    one_file: Annotated[bool, typer.Option(
        "--one-file", help="Put the memory module behind the machine, not beside it.")] = False,
    output: Annotated[Path | None, typer.Option(
        "-o", "--output", help="File or folder.", show_default="build/verilog")] = None,
):
    """Emit the accelerator as Verilog."""
    name = name or f"mixdit_{rows}x{cols}"
    output = output or Path("build/verilog")
    started = time.perf_counter()
    with sentences("Interrupted: nothing was written."):
        check_name(name)
        config = Config.sized(
            rows=rows, cols=cols, acc_width=acc_width, k_max=k_max,
            float_formats=tuple(float_formats.split(",")), act_bytes=act_bytes,
            weight_bytes=weight_bytes, act_depth=act_depth, weight_depth=weight_depth,
            stage_depth=stage_depth, tile_slots=tile_slots, rounding=rounding,
            cell_stages=cell_stages, drain_lanes=drain_lanes, tables=tables)
        path = output if output.suffix == ".v" else output / f"{name}.v"
        memory_path = path.with_name(f"{name}_{MODULE}.v")
        if path.name == memory_path.name:
            raise ValueError(f"{path.name} is the memory's file: give the machine another one")
        for file in (path, *[memory_path] * (not one_file)):
            check_file(file)
        machine, *memory = emit_files(Accelerator(config), name, header=config.describe()).items()
        files = {path: machine[1]} | {path.with_name(file): text for file, text in memory}
        if one_file:
            files = {path: "\n".join(files.values())}
        for file, text in files.items():
            write_if_changed(file, text)
    size = sum(map(len, files.values()))
    make_console().print(f"{' and '.join(map(str, files))}: {size / 1e6:.2f} MB "
                         f"in {time.perf_counter() - started:.1f} s\n"
                         f"{config.describe()}", soft_wrap=True)


if __name__ == "__main__":
    start(lambda: app(prog_name="python -m hw"))
