"""A generator for FuseSoC: writes what the memory and the sequencer of the system hold at first."""

import sys
from pathlib import Path

import yaml  # FuseSoC's own

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # examples are in no wheel

from examples.soc.system import make_system
from hw.fusesoc.generate import machine_of, write_core


def main() -> None:
    """Do what a file of FuseSoC asks for."""
    asked = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    system = make_system(machine_of(asked.get("parameters") or {}), seed=1)
    write_core(asked["vlnv"], {"memory.hex": "\n".join(system.memory) + "\n",
                               "program.hex": "\n".join(system.program) + "\n"})


if __name__ == "__main__":
    main()
