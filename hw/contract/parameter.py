"""What a build parameter is: declared once, beside its field, with range, default and sentence."""

from dataclasses import dataclass, field, fields, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A build parameter.

    Attributes
    ----------
    name : str
    default : int, str or tuple of str
    doc : str
        One sentence.
    least, most : int, optional
        Bounds of an integer that hold for every machine; `Config` checks what depends on others.
    power_of_two : bool
        An integer must be a power of two.
    choices : tuple of str
        What a name must be, or names some of which a tuple holds.
    chosen : str
        What `Config.sized` takes where it is left out, in words; "" where that is the default.
    """

    name: str = ""
    default: Any
    doc: str
    least: int | None = None
    most: int | None = None
    power_of_two: bool = False
    choices: tuple[str, ...] = ()
    chosen: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it is an integer."""
        return isinstance(self.default, int)

    def check(self, value: Any) -> None:
        """Refuse what no machine can have.

        Raises
        ------
        TypeError
            If an integer, or a tuple, is something else.
        ValueError
            If it is out of range, or no such choice.
        """
        if self.is_number:
            self._check_number(value)
        elif isinstance(self.default, str):
            if value not in self.choices:
                raise ValueError(f"{self.name} must be {' or '.join(self.choices)}, not {value!r}")
        else:
            if not isinstance(value, tuple):
                raise TypeError(f"{self.name} must be a tuple of names, not {value!r}")
            unknown = [each for each in value if each not in self.choices]
            if unknown or not value:
                raise ValueError(f"{self.name} must be some of {', '.join(self.choices)}, "
                                 f"not {', '.join(unknown) or 'none'}")
            if len(set(value)) < len(value):
                raise ValueError(f"{self.name} names one twice: {', '.join(value)}")

    def _check_number(self, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{self.name} must be an integer, not {value!r}")
        too_small = self.least is not None and value < self.least
        too_large = self.most is not None and value > self.most
        odd = self.power_of_two and not is_power_of_two(value)
        if too_small or too_large or odd:
            raise ValueError(f"{self.name} must be {self.range_text()}, not {value}")

    def range_text(self) -> str:
        """Say what an integer may be, such as "a power of two from 2 to 256"."""
        kind = "a power of two" if self.power_of_two else ""
        match self.least, self.most:
            case None, None:
                return kind
            case None, most:
                return f"{kind} at most {most}".strip()
            case least, None:
                return f"{kind} at least {least}".strip()
            case least, most:
                return f"{kind} from {least} to {most}" if kind else f"{least} to {most}"


def is_power_of_two(value: int) -> bool:
    """Tell whether an integer is a positive power of two."""
    return value > 0 and value & (value - 1) == 0


def parameter(default: Any, doc: str, **others: Any) -> Any:
    """Declare a field of a dataclass that is a build parameter: see `Parameter`."""
    return field(default=default, metadata={
        "parameter": Parameter(default=default, doc=doc, **others)})


def parameters_of(owner: Any) -> dict[str, Parameter]:
    """Return the build parameters that a dataclass declares, by name, in order."""
    return {each.name: replace(each.metadata["parameter"], name=each.name)
            for each in fields(owner) if "parameter" in each.metadata}
