"""A generator for FuseSoC: writes a machine's Verilog, and a core of it.

FuseSoC calls it with one argument, a file that says where to write what.
"""

import sys
from pathlib import Path

import yaml  # FuseSoC's own

from commands.running import sentences
from hw.contract.config import Config
from hw.parts.emit import emit_files
from hw.tools.waivers import WAIVERS
from hw.top import top_of

TOP = "mixdit"


def machine_of(parameters: dict) -> Config:
    """Make the configuration that a core asks for: fields of `Config`, lists as lists.

    Raises
    ------
    ValueError
        If there is no such machine.
    """
    if not isinstance(parameters, dict):
        raise ValueError("parameters must be names and values, such as rows: 4")
    try:
        return Config.sized(**{str(name): tuple(value) if isinstance(value, list) else value
                               for name, value in parameters.items()})
    except TypeError as error:
        raise ValueError(str(error)) from error


def write_core(name: str, files: dict[str, str]) -> None:
    """Write files here, and the core that lists them for FuseSoC."""
    for file, text in files.items():
        Path(file).write_text(text, encoding="utf-8")
    kinds = {".v": "verilogSource", ".vlt": "vlt", ".hex": "user"}
    listed = [{file: {"file_type": kinds[Path(file).suffix],
                      **({"copyto": file} if file.endswith(".hex") else {})}} for file in files]
    core = {"name": name, "filesets": {"machine": {"files": listed}},
            "targets": {"default": {"filesets": ["machine"]}}}
    Path(name.replace(":", "_").strip("_") + ".core").write_text(
        "CAPI=2:\n" + yaml.safe_dump(core), encoding="utf-8")


def main() -> None:
    """Do what a file of FuseSoC asks for."""
    with sentences():
        if len(sys.argv) != 2:
            raise ValueError("give one file, as FuseSoC writes it")
        asked = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
        if not isinstance(asked, dict) or "vlnv" not in asked:
            raise ValueError(f"{sys.argv[1]} is no file for a generator of FuseSoC: it has no vlnv")
        config = machine_of(asked.get("parameters") or {})
        write_core(asked["vlnv"], emit_files(top_of(config), TOP, header=config.describe())
                   | {"waivers.vlt": WAIVERS})


if __name__ == "__main__":
    main()
