"""A netlist mutant, and what became of it."""

import re
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

FATES = ("killed", "equivalent", "explained", "survived")


@dataclass(frozen=True)
class Mutant:
    """A small mistake at a cell of a netlist.

    Attributes
    ----------
    module : str
        File in ``hw/`` of the module whose cell it is, such as ``streams/skid_buffer``.
    source : str
        Lines that the cell comes from, such as ``streams/skid_buffer.py:41``; "" if Yosys made it.
    path : str
        Instances between the module and the cell's name, "" for the module's own.
    cell : str
        Name in the flat netlist.
    type : str
        Yosys' cell type, such as ``$mux``.
    occurrence : int
        Among the cells of the same source, path and type in one instance of the module.
    mode : str
        ``inv``, ``const0``, ``const1``, ``cnot0`` or ``cnot1``, as of Yosys' ``mutate``.
    port : str
        Port of the cell.
    bit : int
        Of the port.
    control : int or None
        Bit on which it depends: ``cnot0`` inverts while that is 0, ``cnot1`` while it is 1.
    fate : str
        One of `FATES`, or "" while it is not known.
    by : str
        The test that killed it, or the reason why none needs to.
    """

    module: str
    source: str
    path: str
    cell: str
    type: str
    occurrence: int
    mode: str
    port: str
    bit: int
    control: int | None = None
    fate: str = ""
    by: str = ""

    @property
    def place(self) -> str:
        """What it changes, in words that do not depend on the names in one netlist."""
        where = f"{self.source or self.module}#{self.occurrence}"
        bits = f"{self.port}[{self.bit}]" + ("" if self.control is None else f"/{self.control}")
        return f"{where} {self.type.lstrip('$')} {bits} {self.mode}"

    def command(self, top: str, *, number: int | None = None) -> str:
        """Write Yosys' command that makes it, at once or where the input ``mutant`` selects it."""
        control = "" if self.control is None else f" -ctrlbit {self.control}"
        select = "" if number is None else f"-ctrl {SELECT} {SELECT_BITS} {number} "
        return (f"mutate {select}-mode {self.mode} -module {top} -cell {self.cell} "
                f"-port {self.port} -portbit {self.bit}{control}")

    def end(self, fate: str, by: str) -> Self:
        """Say what became of it."""
        if fate not in FATES:
            raise ValueError(f"a mutant is {', '.join(FATES)}, not {fate!r}")
        return replace(self, fate=fate, by=by)

    def record(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return asdict(self)

    @classmethod
    def read(cls, record: dict[str, Any]) -> Self:
        """Undo `record`."""
        return cls(**record)


SELECT, SELECT_BITS = "mutant", 12
"""The input that selects a mutant by its number; 0 is the good netlist."""


def fields(line: str) -> dict[str, str]:
    """Read the options of a ``mutate`` command, as Yosys lists them."""
    return dict(re.findall(r"-(\S+) (\S+)", line))
