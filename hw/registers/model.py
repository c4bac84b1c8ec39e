"""What a register map is made of: accesses, fields, registers, and named values with a sentence."""

from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag

REGISTER_BITS = 32


class Access(Enum):
    """What software may do with a register, and who changes it."""

    CONSTANT = "read-only, fixed when the machine is built"
    STATE = "read-only, changed by the machine"
    SETTING = "read-write"
    LOCKABLE = "read-write until it is locked; then a write answers SLVERR and does nothing"
    COMMAND = "write-only; writing 1 to a bit does something once"
    EVENT = "read; writing 1 to a bit clears it"
    ENTRY = ("write-only; every whole-word write hands its value over; SLVERR, and nothing "
             "happens, while the machine cannot take it or when not all byte strobes are set")

    @property
    def is_readable(self):
        """Whether a read answers with a value."""
        return self not in (Access.COMMAND, Access.ENTRY)


class Code(IntEnum):
    """A number that stands for something; `doc` says for what. Members are ``value, doc``."""

    def __new__(cls, value, doc):
        member = int.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        return member


class Flag(IntFlag):
    """A bit that stands for something; `doc` says for what. Members are ``value, doc``."""

    def __new__(cls, value, doc):
        member = int.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        return member


@dataclass(frozen=True)
class Field:
    """Some bits of a register.

    Attributes
    ----------
    name : str
        Upper case; "VALUE" where a register is nothing but this field.
    low, width : int
        Bits low + width - 1 to low.
    doc : str
        One sentence.
    values : type of enum.Enum, optional
        Names of the values that the field may have.
    """

    name: str
    low: int
    width: int
    doc: str
    values: type[Enum] | None = None

    @property
    def mask(self):
        """The field's bits, in place."""
        return (1 << self.width) - 1 << self.low


@dataclass(frozen=True)
class Register:
    """One 32-bit register.

    Attributes
    ----------
    name : str
        Upper case.
    address : int
        In bytes; a multiple of 4.
    access : Access
    fields : tuple of Field
        From the lowest bit up; bits between and above them are zero.
    doc : str
        One sentence.
    reset : int or None
        What it holds after reset; None where that depends on how the machine was built.
    """

    name: str
    address: int
    access: Access
    fields: tuple[Field, ...]
    doc: str
    reset: int | None = 0

    @property
    def width(self):
        """Bits up to the highest in use."""
        last = self.fields[-1]
        return last.low + last.width

    @property
    def is_whole(self):
        """Whether the register is a single field without a name of its own."""
        return self.fields[0].name == WHOLE

    def pack(self, **values):
        """Put values into their fields.

        Parameters
        ----------
        **values : int
            By the fields' names in lower case; the other fields are zero.

        Raises
        ------
        ValueError
            If there is no such field, or a value does not fit.
        """
        fields = {field.name.lower(): field for field in self.fields}
        word = 0
        for name, value in values.items():
            if name not in fields:
                raise ValueError(f"{self.name} has the fields {', '.join(fields)}, not {name!r}")
            if not 0 <= value < 1 << fields[name].width:
                raise ValueError(f"{self.name}.{fields[name].name} has {fields[name].width} bits: "
                                 f"{value} does not fit")
            word |= int(value) << fields[name].low
        return word

    def unpack(self, word):
        """Return the fields of a word by their names in lower case."""
        return {field.name.lower(): (word & field.mask) >> field.low for field in self.fields}


WHOLE = "VALUE"
"""Name of the field of a register that has only one."""


@dataclass(frozen=True)
class Group:
    """Registers that belong together, by rising address; `title` heads them on paper."""

    title: str
    doc: str
    registers: tuple[Register, ...]


def whole(name, doc, *, width=REGISTER_BITS, values=None, reset=0):
    """Describe a register of one field; `consecutive` gives it its address."""
    return name, (Field(WHOLE, 0, width, doc, values),), doc, reset


def flag_fields(flags, low=0):
    """Make a one-bit field of every member of a `Flag`; bit 0 of the flags comes to bit `low`."""
    return tuple(
        Field(flag.name, low + flag.bit_length() - 1, 1, f"{flag.doc[0].upper()}{flag.doc[1:]}.")
        for flag in flags)


def consecutive(first, access, *rows):
    """Make registers at consecutive addresses.

    Parameters
    ----------
    first : int
        Address of the first, in bytes.
    access : Access
    *rows : tuple
        Name, fields, doc and, optionally, reset of each; see `whole`.
    """
    return tuple(Register(name, first + 4 * index, access, *rest)
                 for index, (name, *rest) in enumerate(rows))
