"""The register map, as data: what the RTL, the driver and the documentation are made from."""

from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag

IDENTIFICATION = 0x4D584454
"""What ID reads: "MXDT"."""

VERSION = 0x00010000
"""Of the register map: major in the upper half, minor in the lower."""

ADDRESS_BITS = 12


class Access(Enum):
    """What software may do with a register, and who changes it."""

    CONSTANT = "read-only, fixed when the machine is built"
    STATE = "read-only, changed by the machine"
    SETTING = "read-write"
    COMMAND = "write-only; writing 1 to a bit does something once"
    EVENT = "read; writing 1 to a bit clears it"


class Refusal(IntEnum):
    """What REFUSAL reads: why the job started last was not taken."""

    NONE = 0
    ZERO_SIZE = 1
    K_TOO_LARGE = 2
    TILES_OUT_OF_RANGE = 3
    UNKNOWN_FORMAT = 4
    UNKNOWN_SELECTION = 5
    TOO_MANY_UNITS = 6
    NEGATIVE_THRESHOLD = 7
    QUEUE_FULL = 8


class StreamFault(IntFlag):
    """What can be wrong with a job's packets: JOB_FAULTS, and IRQ_PENDING from bit 2."""

    ACT_LENGTH = 1
    ACT_KEEP = 2
    WEIGHT_LENGTH = 4
    WEIGHT_KEEP = 8


ENDED, REFUSED, FAULTS = 0, 1, 2
"""Bits of IRQ_PENDING and IRQ_ENABLE; the faults take four, in the order of `StreamFault`."""


@dataclass(frozen=True)
class Register:
    """One 32-bit register.

    Attributes
    ----------
    name : str
        Upper case, as in the documentation.
    address : int
        In bytes; a multiple of 4.
    access : Access
    width : int
        Bits in use, from bit 0; the others read as zero.
    doc : str
        One sentence.
    """

    name: str
    address: int
    access: Access
    width: int
    doc: str


def _consecutive(first, access, *rows):
    return tuple(Register(name, first + 4 * index, access, width, doc)
                 for index, (name, width, doc) in enumerate(rows))


BUILD = _consecutive(
    0x000, Access.CONSTANT,
    ("ID", 32, "The letters MXDT."),
    ("VERSION", 32, "Version of this register map."),
    ("ROWS", 32, "Rows of the array."),
    ("COLS", 32, "Columns of the array."),
    ("ACC_WIDTH", 32, "Bits of the accumulator."),
    ("K_MAX", 32, "Largest K."),
    ("ACT_BYTES", 32, "Bytes per beat of s_axis_act."),
    ("WEIGHT_BYTES", 32, "Bytes per beat of s_axis_wgt."),
    ("RESULT_BYTES", 32, "Bytes per beat of m_axis_out."),
    ("ACT_DEPTH", 32, "Blocks of A per array row that fit on chip."),
    ("WEIGHT_DEPTH", 32, "Blocks of B per array column that fit on chip."),
    ("TILE_SLOTS", 32, "Most token tiles on chip at a time."),
    ("FORMATS", 32, "Bit f is set when JOB_FORMAT may be f."),
    ("JOB_SLOTS", 32, "Most jobs under way at a time."),
)

JOB = _consecutive(
    0x080, Access.SETTING,
    ("JOB_M", 32, "Rows of A and of C."),
    ("JOB_N", 32, "Columns of B and of C."),
    ("JOB_K", 32, "Columns of A, rows of B."),
    ("JOB_TILES", 32, "Token tiles of A that stay on chip while B streams by once."),
    ("JOB_FORMAT", 32, "Format of A's elements: 0 FP32, 1 FP16, 2 BF16."),
    ("JOB_SELECTION", 32, "How outlier K-blocks are chosen: 0 top, 1 threshold."),
    ("JOB_UNITS", 32, "Top: outlier K-blocks per token tile."),
    ("JOB_THRESHOLD", 32, "Threshold: FP32 pattern that an outlier's magnitude exceeds."),
)

CONTROL = (
    Register("CONTROL", 0x0C0, Access.COMMAND, 1, "Bit 0 starts the job that the registers hold."),
    Register("STATUS", 0x0C4, Access.STATE, 16,
             "Bits 7:0 jobs under way, bits 15:8 jobs that may be started now."),
    Register("JOBS_ENDED", 0x0C8, Access.STATE, 32, "Jobs ended since reset."),
    Register("REFUSAL", 0x0CC, Access.STATE, 8,
             "Why the job started last was refused; 0 if it was taken."),
    Register("JOB_FAULTS", 0x0D0, Access.STATE, len(StreamFault),
             "Of the job that ended last: bit 0 length of an activation packet, bit 1 its tkeep, "
             "bit 2 length of a weight packet, bit 3 its tkeep."),
    Register("IRQ_ENABLE", 0x0D4, Access.SETTING, FAULTS + len(StreamFault),
             "Which bits of IRQ_PENDING raise irq."),
    Register("IRQ_PENDING", 0x0D8, Access.EVENT, FAULTS + len(StreamFault),
             "Bit 0 job ended, bit 1 job refused, bits 5:2 as in JOB_FAULTS, at once."),
)

COUNTERS = (
    ("CYCLES", "Cycles from the later of its start and the end of the job before it, to its end."),
    ("BEATS", "Beats that entered the array."),
    ("SKIPPED", "Residual beats left out, since every residual was zero."),
    ("ACT_STALLS", "Cycles without a beat, waiting for activations."),
    ("WEIGHT_STALLS", "Cycles without a beat, waiting for weights."),
    ("RESULT_STALLS", "Cycles without a beat, waiting for room for results."),
    ("MX9_UNITS", "K-blocks of token tiles that were MX9."),
    ("NAN_BLOCKS", "Blocks of A with an infinity or a NaN."),
    ("SATURATED", "Elements of A that stopped at the largest mantissa."),
)
"""64-bit counters of the job that ended last, the lower half at the lower address."""

COUNTER_REGISTERS = tuple(
    Register(f"{name}_{half}", 0x100 + 8 * index + 4 * (half == "HIGH"), Access.STATE, 32, doc)
    for index, (name, doc) in enumerate(COUNTERS) for half in ("LOW", "HIGH"))

REGISTERS = BUILD + JOB + CONTROL + COUNTER_REGISTERS
"""Every register; addresses between them do not exist."""

ADDRESSES = {register.name: register.address for register in REGISTERS}
