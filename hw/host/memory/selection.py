"""Which K-blocks of what a command quantizes are MX9: the choices, as values."""

from dataclasses import dataclass

from golden.arguments import is_bool, real, whole
from golden.floats import nearest_magnitude
from golden.memory.jobs import Selection


@dataclass(frozen=True)
class Choice:
    """A selection with its number, as a descriptor has them.

    Attributes
    ----------
    selection : Selection
    units : int
    threshold : int
        An FP32 pattern.
    """

    selection: Selection
    units: int = 0
    threshold: int = 0

    @property
    def is_all_mx6(self) -> bool:
        """Whether no K-block can be MX9."""
        return self.selection in (Selection.TOP, Selection.HEAD) and not self.units


def top(units: int) -> Choice:
    """Choose the K-blocks of each tile with the largest magnitudes, so many of them."""
    return Choice(Selection.TOP, units=whole(units, "units", least=0))


def above(threshold: float) -> Choice:
    """Choose the K-blocks of each tile whose magnitude is above a number.

    Raises
    ------
    TypeError, ValueError
        If it is no magnitude.
    """
    number = real(threshold, "threshold", as_decimal=False)
    if not number >= 0:
        raise ValueError(f"threshold must be a magnitude, not {threshold}")
    return Choice(Selection.THRESHOLD, threshold=nearest_magnitude(number))


def every(is_mx9: bool) -> Choice:
    """Choose every K-block, or none."""
    if not is_bool(is_mx9):
        raise TypeError(f"is_mx9 must be True or False, not {is_mx9!r}")
    return Choice(Selection.HEAD, units=int(is_mx9))


STATIC = Choice(Selection.STATIC)
"""What static tags stand for: a command that is given tags chooses this by itself."""
