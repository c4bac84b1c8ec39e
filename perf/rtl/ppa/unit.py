"""What is measured: one part of the machine, or one reference."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """One row of the table.

    Attributes
    ----------
    name : str
    make : callable
        Returns the component.
    macs : int or None
        MX6 multiply-accumulates per cycle, or those of the only format there is.
    mx9_beats : float or None
        Cycles per `macs` MX9 x MX9 multiply-accumulates; None where it cannot.
    repeated : tuple of str
        Modules that are mapped once and instantiated.
    left_out : tuple of str
        Modules below the top that are not part of it: neither their area nor their memories count.
    reference : bool
        Not part of the machine: built to be compared with.
    configuration : str
        The exact parameters.
    timed : bool
        Whether its clock is of interest.
    """

    name: str
    make: Callable
    macs: int | None = None
    mx9_beats: float | None = None
    repeated: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    reference: bool = False
    configuration: str = ""
    timed: bool = True
