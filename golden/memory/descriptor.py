"""The descriptor of a command: 192 bytes, its fields as data."""

from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import Any, Self

from golden.arguments import whole
from golden.memory.faults import CommandError, Fault
from golden.memory.jobs import FORMAT_CODES, JobKind, Output

WORD_BYTES = 4
WORDS = 48
BYTES = WORDS * WORD_BYTES
ALIGNMENT = 64
"""Of a ring, and of all that is packed."""

VERSION = 1
ADDRESS_WORDS = 2


class Operation(Enum):
    """What a command does. 0 is none: memory that nobody wrote is no command."""

    JOB = 1
    """A job of the machine, for every iteration of both batch levels."""
    WAIT = 2
    """Wait until a word in memory, which others write, has come to a sequence number."""
    VECTOR = 3
    """A pass of the vector unit over rows of numbers, for every iteration of both batch levels.
    Only machines that have one do it."""


class JobFlag(IntFlag):
    """Bits of FLAGS: those of the register JOB_FLAGS."""

    BIAS = 1
    REORDER = 2
    MEASURE = 4
    TAGGED = 8
    """Blocks of results are MX9 where the job's table says so."""
    CHANNEL = 16
    """There is a factor for each column."""
    RESIDUAL = 32
    """A residual, or a shift, is added."""
    SCALED = 64
    """SCALAR is the factor of all rows."""


@dataclass(frozen=True)
class Field:
    """Some bits of the descriptor.

    Attributes
    ----------
    name : str
    word : int
        The 32-bit word that they begin in, little-endian.
    low, width : int
        From bit ``low`` of it up; of an address two words, the lower first.
    operations : tuple of Operation
        That look at it; in the others it is zero.
    doc : str
        One sentence.
    of_vector : bool
        Only machines with a vector unit have it.
    """

    name: str
    word: int
    low: int
    width: int
    operations: tuple[Operation, ...]
    doc: str
    of_vector: bool = False

    @property
    def mask(self) -> int:
        """The field's bits in the descriptor, as one number."""
        return (1 << self.width) - 1 << self._at

    @property
    def _at(self) -> int:
        return 8 * WORD_BYTES * self.word + self.low

    def put(self, value: int) -> int:
        """Return the descriptor's bits for a value."""
        return value << self._at

    def take(self, bits: int) -> int:
        """Return the value in a descriptor's bits."""
        return (bits & self.mask) >> self._at


BASE_OPERATIONS = (Operation.JOB, Operation.WAIT)
"""Of machines without a vector unit."""

_ALL = tuple(Operation)
_JOB = (Operation.JOB,)
_ROWS = (Operation.JOB, Operation.VECTOR)
_WAIT = (Operation.WAIT,)
_STEPPED = ("A", "B", "C", "BIAS")


def _steps(operand: str, word: int, *, of_vector: bool = False) -> list[Field]:
    """Return the two steps of an operand."""
    return [Field(f"{operand}_STEP_{level}", word + level, 0, 32, _JOB if operand == "B" else _ROWS,
                  f"Bytes from {operand} of an iteration of level {level} to that of the next.",
                  of_vector) for level in (0, 1)]


FIELDS = (
    Field("VERSION", 0, 0, 8, _ALL, "Of the descriptor: 1."),
    Field("OPERATION", 0, 8, 8, _ALL, "1 JOB, 2 WAIT, 3 VECTOR."),
    Field("INTERRUPT", 0, 16, 1, _ALL, "Interrupts when the command has ended."),
    Field("NOTIFY", 0, 17, 1, _ALL, "Writes the count of ended commands to NOTIFY_ADDRESS when "
          "the command has ended."),
    Field("GOES_ON", 0, 18, 1, _ALL, "A fault of the command does not stop the ring: the command "
          "counts as ended, notifies nobody, and what it would have written may hold anything."),
    Field("LOADS_ORDER", 0, 19, 1, _JOB, "The order at ORDER goes into the table TABLE first."),
    Field("LOADS_TAGS", 0, 20, 1, _ROWS, "The static tags at TAGS go into the table TABLE first."),
    Field("WAIT_A", 1, 0, 8, _ROWS, "A is read when the command so many before this one has ended; "
          "0: at once."),
    Field("WAIT_B", 1, 8, 8, _JOB, "The same for B."),
    Field("WAIT_SIDE", 1, 16, 8, _ROWS, "The same for biases, order, tags and column factors."),
    Field("WAIT_RESIDUAL", 1, 24, 8, _ROWS, "The same for the residual.", True),
    Field("KIND", 2, 0, 8, _JOB, "As the register JOB_KIND."),
    Field("FORMAT", 2, 8, 8, _ROWS, "As the register JOB_FORMAT."),
    Field("OUTPUT", 2, 16, 8, _ROWS, "As the register JOB_OUTPUT."),
    Field("FLAGS", 2, 24, 8, _ROWS, "As the register JOB_FLAGS."),
    Field("TABLE", 3, 0, 8, _ROWS, "As the register JOB_TABLE."),
    Field("SELECTION", 3, 8, 8, _ROWS, "As the register JOB_SELECTION."),
    Field("FUNCTION", 3, 16, 8, _ROWS, "0 none, 1 exp2, 2 GELU, 3 SiLU.", True),
    Field("ROWS", 3, 24, 8, _ROWS, "What rows are measured for: 0 nothing, 1 LayerNorm, 2 RMSNorm, "
          "3 their maximum, 4 the sum of a packed A.", True),
    Field("M", 4, 0, 32, _ROWS, "As the register JOB_M."),
    Field("N", 5, 0, 32, _ROWS, "As the register JOB_N."),
    Field("K", 6, 0, 16, _JOB, "As the register JOB_K."),
    Field("TILES", 6, 16, 16, _JOB, "As the register JOB_TILES."),
    Field("UNITS", 7, 0, 16, _ROWS, "As the register JOB_UNITS."),
    Field("THRESHOLD", 8, 0, 32, _ROWS, "As the register JOB_THRESHOLD."),
    Field("SEQUENCE", 8, 0, 32, _WAIT, "The count that the word at A has to reach, modulo 2^32."),
    Field("COUNT_0", 9, 0, 16, _ROWS, "Iterations of the inner batch level."),
    Field("COUNT_1", 9, 16, 16, _ROWS, "Iterations of the outer batch level."),
    Field("A", 10, 0, 64, _ALL, "Address of the activations; of WAIT, of its word."),
    Field("B", 12, 0, 64, _JOB, "Address of the packed weights."),
    Field("C", 14, 0, 64, _ROWS, "Address of the results."),
    Field("BIAS", 16, 0, 64, _ROWS, "Address of the biases."),
    Field("ORDER", 18, 0, 64, _JOB, "Address of the order that is loaded."),
    Field("TAGS", 20, 0, 64, _ROWS, "Address of the static tags that are loaded."),
    Field("A_STRIDE", 22, 0, 32, _ROWS, "Bytes from a row of A, or a packed token tile, to the "
          "next."),
    Field("B_STRIDE", 23, 0, 32, _JOB, "Bytes from a column tile of B to the next."),
    Field("C_STRIDE", 24, 0, 32, _ROWS, "Bytes from a row of C, or a packed tile, to the next."),
    *(field for place, operand in enumerate(_STEPPED) for field in _steps(operand, 25 + 2 * place)),
    Field("SCALAR", 33, 0, 32, _ROWS, "FP32: the factor of SCALED; of LayerNorm and RMSNorm "
          "epsilon times the square of N.", True),
    Field("CHANNEL", 34, 0, 64, _ROWS, "Address of the column factors.", True),
    Field("RESIDUAL", 36, 0, 64, _ROWS, "Address of the residual.", True),
    Field("RESIDUAL_STRIDE", 38, 0, 32, _ROWS, "Bytes from a row of the residual to the next; 0 "
          "for a row that is added to all.", True),
    *_steps("CHANNEL", 39, of_vector=True), *_steps("RESIDUAL", 41, of_vector=True),
)
"""Every field, from the lowest word up. All other bits are zero; words 43 to 47 are kept for what
is to come."""

FIELD = {field.name: field for field in FIELDS}
BASE_FIELDS = tuple(field for field in FIELDS if not field.of_vector)
"""Of machines without a vector unit."""


def _reserved(operations: tuple[Operation, ...], fields: tuple[Field, ...]) -> dict[Operation, int]:
    return {operation: (1 << 8 * BYTES) - 1 - sum(
        field.mask for field in fields if operation in field.operations)
        for operation in operations}


RESERVED = _reserved(BASE_OPERATIONS, BASE_FIELDS)
"""Bits that are zero in a descriptor of each operation, on a machine without a vector unit."""

RESERVED_WITH_VECTOR = _reserved(_ALL, FIELDS)
"""The same, on a machine that has one."""


class Command:
    """One command; every field is an attribute in lower case, a whole number.

    Parameters
    ----------
    **values : int or Enum
        Fields; the others are zero, but for VERSION and OPERATION.

    Raises
    ------
    ValueError
        If there is no such field, or a value does not fit into its bits.
    """

    def __init__(self, **values: int | Enum) -> None:
        values = {"version": VERSION, "operation": Operation.JOB} | values
        self._values = dict.fromkeys(FIELD, 0)
        for name, value in values.items():
            field = FIELD.get(name.upper())
            if field is None:
                raise ValueError(f"a command has no field {name!r}; it has "
                                 f"{', '.join(each.lower() for each in FIELD)}")
            number = whole(value.value if isinstance(value, Enum) else value, name, least=0)
            if number >= 1 << field.width:
                raise ValueError(f"{name} has {field.width} bits: {number} does not fit")
            self._values[field.name] = number

    def __getattr__(self, name: str) -> int:
        try:
            return self.__dict__["_values"][name.upper()]
        except KeyError:
            raise AttributeError(f"a command has no field {name!r}") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Command) and self._values == other._values

    __hash__ = None

    def __repr__(self) -> str:
        return f"Command({', '.join(f'{name}={value}' for name, value in self.describe().items())})"

    def pack(self) -> bytes:
        """Return the descriptor.

        Raises
        ------
        ValueError
            If there is no such operation, or a field is not zero that it does not have.
        """
        operation = Operation(self.operation)
        bits = 0
        for name, value in self._values.items():
            if value and operation not in FIELD[name].operations:
                raise ValueError(f"{operation.name} has no {name}")
            bits |= FIELD[name].put(value)
        return bits.to_bytes(BYTES, "little")

    @classmethod
    def unpack(cls, descriptor: bytes, *, has_vector: bool = False) -> Self:
        """Read a descriptor, as a machine with or without a vector unit does.

        Raises
        ------
        CommandError
            If its version or operation is unknown, or a bit is set that has to be zero.
        """
        bits = int.from_bytes(descriptor, "little")
        version, code = (FIELD[name].take(bits) for name in ("VERSION", "OPERATION"))
        if version != VERSION:
            raise CommandError(Fault.UNKNOWN_VERSION, f"it is {version}")
        reserved = RESERVED_WITH_VECTOR if has_vector else RESERVED
        if code not in {operation.value for operation in reserved}:
            raise CommandError(Fault.UNKNOWN_OPERATION, f"it is {code}")
        operation = Operation(code)
        if wrong := bits & reserved[operation]:
            first = (wrong & -wrong).bit_length() - 1
            raise CommandError(Fault.RESERVED, f"bit {first % 32} of word {first // 32} is set")
        return cls(**{field.name.lower(): field.take(bits) for field in FIELDS
                      if operation in field.operations})

    @property
    def is_vector(self) -> bool:
        """Whether it is a pass over rows of numbers."""
        return self.operation == Operation.VECTOR.value

    @property
    def columns(self) -> int:
        """Numbers in a row of A: K, or N where a pass has no other."""
        return self.n if self.is_vector else self.k

    @property
    def converts(self) -> bool:
        """Whether the job makes packed weights."""
        return JobKind(self.kind).converts

    @property
    def is_packed(self) -> bool:
        """Whether results are MX blocks."""
        return not self.converts and Output(self.output) in (Output.MX6, Output.MX9)

    @property
    def float_format(self) -> str:
        """Name of the activations' format."""
        return {code: name for name, code in FORMAT_CODES.items()}[self.format]

    def describe(self) -> dict[str, Any]:
        """Give the fields that are not zero, for people."""
        return {name.lower(): value for name, value in self._values.items() if value}
