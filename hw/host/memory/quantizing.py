"""How a command quantizes numbers: which K-blocks are MX9, and in what order channels come."""

from dataclasses import dataclass

from golden.arguments import is_bool
from golden.formats import BLOCK_SIZE
from golden.memory.descriptor import JobFlag
from golden.memory.jobs import FORMAT_CODES

from .job_fields import check_choice, check_operand
from .matrix import Matrix
from .memory import Memory
from .selection import STATIC, Choice, every
from .side import Order, Tags

ALL_MX6 = every(False)
"""What is chosen where nobody chooses."""


@dataclass(frozen=True, kw_only=True)
class Quantizing:
    """What a call says of it; None is what it does not say."""

    selection: Choice | None = None
    order: Order | None = None
    tags: Tags | None = None
    measure: bool = False

    @property
    def side(self) -> dict[str, Order | Tags]:
        """What a table is loaded with, by its name in sentences."""
        parts = {"the order": self.order, "the tags": self.tags}
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def is_all_mx6(self) -> bool:
        """Whether no K-block can be MX9."""
        return self.tags is None and (self.selection or ALL_MX6).is_all_mx6

    def check_absent(self) -> None:
        """Refuse what is said of packed activations.

        Raises
        ------
        ValueError
        """
        for name, part in {"a selection": self.selection, "measure": self.measure or None,
                           **self.side}.items():
            if part is not None:
                raise ValueError(f"A is packed already: {name} would change nothing")

    def fields(self, memory: Memory, x: Matrix, k: int, table: int) -> dict[str, int]:
        """Return the fields of a descriptor, checked.

        Whoever uses a table loads it: commands that are tried again after a fault find in it
        whatever those behind them had loaded.

        Parameters
        ----------
        memory : Memory
        x : Matrix
            The numbers.
        k : int
        table : int
            The one that is loaded, if any is.

        Raises
        ------
        TypeError, ValueError
            If something does not fit the numbers or the machine.
        """
        formats, blocks = memory.config.float_formats, -(-k // BLOCK_SIZE)
        if x.float_format not in formats:
            raise ValueError(f"the machine reads {', '.join(formats)}, but the numbers are "
                             f"{x.float_format}")
        if self.selection is not None and self.tags is not None:
            raise ValueError("tags are a selection by themselves: give one of both")
        choice = STATIC
        if self.tags is None:
            choice = ALL_MX6 if self.selection is None else self.selection
            check_choice(choice, k)
        if not is_bool(self.measure):
            raise TypeError(f"measure must be True or False, not {self.measure!r}")
        loads = {}
        for name, part, kind, length in (("order", self.order, Order, k),
                                         ("tags", self.tags, Tags, blocks)):
            if part is None:
                continue
            check_operand(memory, f"the {name}", part, kind)
            if part.shape != (length,):
                raise ValueError(f"the {name} must have {length} entries for K = {k}, not "
                                 f"{part.shape[0]}")
            loads |= {name: part.address, f"loads_{name}": 1, "table": table}
        flags = JobFlag.REORDER * (self.order is not None) | JobFlag.MEASURE * bool(self.measure)
        return loads | {
            "flags": flags, "format": FORMAT_CODES[x.float_format],
            "selection": choice.selection.value, "units": choice.units,
            "threshold": choice.threshold}
