"""The register map, as data: what the RTL, the drivers and the documentation are made from."""

from hw.contract.config import PARAMETERS
from hw.contract.job_codes import JobKind, Output, Selection

from .codes import (
    ActivationFormat,
    Command,
    JobFlag,
    Refusal,
    Rounding,
    StreamFault,
    TablePart,
)
from .model import Access, Field, Group, Register, consecutive, flag_fields, whole
from .ring_map import RING

IDENTIFICATION = 0x4D584454
"""What ID reads: "MXDT"."""

VERSION = 0x00030001
"""Of the register map: major in the upper half, minor in the lower."""

ADDRESS_BITS = 12

ENDED, REFUSED, FAULTS = 0, 1, 2
"""Bits of IRQ_PENDING and IRQ_ENABLE; the faults take four, in the order of `StreamFault`."""

DERIVED = {
    "RESULT_BYTES": "Bytes per beat of m_axis_out.",
    "FORMATS": "Bit f is set when JOB_FORMAT may be f.",
    "JOB_SLOTS": "Most jobs under way at a time.",
    "FRACTION_BITS": "Bits of the accumulator below a block product's unit.",
    "WEIGHT_SLOTS": "Most column tiles on chip at a time.",
    "RESULT_DEPTH": "Groups of results, DRAIN_LANES each, that wait for m_axis_out.",
}
"""Registers of what follows from the build parameters."""

BUILD = consecutive(
    0x000, Access.CONSTANT,
    whole("ID", "The letters MXDT, M in the highest byte: 0x4D584454.", reset=IDENTIFICATION),
    ("VERSION", (
        Field("MINOR", 0, 16, "Counts what software may ignore."),
        Field("MAJOR", 16, 16, "Counts what it may not."),
    ), "Version of this register map.", VERSION),
    *(("OUTPUTS", (
        Field("FORMATS", 0, 16, "Bit o is set when JOB_OUTPUT may be o."),
        Field("VECTOR_LANES", 16, 16, PARAMETERS["vector_lanes"].doc),
    ), "How results may leave.", None) if name == "OUTPUTS" else
      whole(name, DERIVED.get(name) or PARAMETERS[name.lower()].doc, reset=None,
            values=Rounding if name == "ROUNDING" else None)
      for name in (
        "ROWS", "COLS", "ACC_WIDTH", "K_MAX", "ACT_BYTES", "WEIGHT_BYTES", "RESULT_BYTES",
        "ACT_DEPTH", "WEIGHT_DEPTH", "TILE_SLOTS", "FORMATS", "JOB_SLOTS", "STAGE_DEPTH",
        "DRAIN_LANES", "TABLES", "FRACTION_BITS", "ROUNDING", "OUTPUTS", "CELL_STAGES",
        "WEIGHT_SLOTS", "RESULT_DEPTH", "BUS_BYTES", "ADDRESS_BITS", "BURST_BEATS", "READ_DEPTH",
        "OUTSTANDING", "BUS_CLOCK", "BLOCKS_PER_CYCLE")),
)
"""By address: build parameters, under their own names, and what follows from them."""

JOB = consecutive(
    0x080, Access.SETTING,
    whole("JOB_KIND", "What the job does.", values=JobKind),
    whole("JOB_M", "Rows of A and of C."),
    whole("JOB_N", "Columns of B and of C; for a conversion, of what it makes."),
    whole("JOB_K", "Columns of A, rows of B."),
    whole("JOB_TILES", "Token tiles of A that stay on chip while B streams by once."),
    whole("JOB_FORMAT", "Format of the activations' elements.", values=ActivationFormat),
    whole("JOB_OUTPUT", "Format of a GEMM's results.", values=Output),
    ("JOB_FLAGS", (*flag_fields(JobFlag), Field("UNKNOWN", 3, 29, "Refused unless zero.")),
     "What else the job does."),
    whole("JOB_TABLE", "Calibration table that the job uses."),
    whole("JOB_SELECTION", "How outlier K-blocks are chosen.", values=Selection),
    whole("JOB_UNITS", "Top: outlier K-blocks per tile. Head: 1 if every K-block is one, else 0."),
    whole("JOB_THRESHOLD", "Threshold: FP32 pattern that an outlier's magnitude exceeds."),
)
# Settings are as wide as a word, so that nothing that software writes is cut off unseen.

_FAULT_FIELDS = flag_fields(StreamFault)
_INTERRUPT_FIELDS = (
    Field("ENDED", ENDED, 1, "A job ended."), Field("REFUSED", REFUSED, 1, "A job was refused."),
    *flag_fields(StreamFault, low=FAULTS),
)

CONTROL = (
    Register("CONTROL", 0x0C0, Access.COMMAND, flag_fields(Command),
             "Commands. In one write with ABORT a RESUME does nothing. A START is refused beside "
             "an ABORT, and beside the RESUME that ends a drain."),
    Register("STATUS", 0x0C4, Access.STATE, (
        Field("UNDER_WAY", 0, 8, "Jobs under way."),
        Field("FREE", 8, 8, "Jobs that may be started now."),
        Field("DRAINING", 16, 1, "From ABORT to RESUME: input is swallowed, starts are refused."),
        Field("OUTPUT_PENDING", 17, 1, "A result waits to be taken, or its packet has not ended."),
    ), "What the machine is doing.", reset=None),
    *consecutive(
        0x0C8, Access.STATE,
        whole("JOBS_ENDED", "Jobs that ran to their end since reset."),
        whole("REFUSAL", "Why the job started last was refused.", width=8, values=Refusal),
        ("JOB_FAULTS", _FAULT_FIELDS, "What was wrong with the packets of the job that ended last.")
    ),
    Register("IRQ_ENABLE", 0x0D4, Access.SETTING, _INTERRUPT_FIELDS,
             "Which bits of IRQ_PENDING raise irq."),
    Register("IRQ_PENDING", 0x0D8, Access.EVENT, _INTERRUPT_FIELDS,
             "What happened; faults show at once, before their job ends."),
)

CALIBRATION = (
    *consecutive(0x0E0, Access.SETTING,
                 whole("TABLE_SELECT", "Calibration table that entries are written to.")),
    *consecutive(
        0x0E4, Access.ENTRY,
        ("ORDER_ENTRY", (
            Field("PLACE", 0, 16, "Place that the channel goes to: the next one."),
            Field("CHANNEL", 16, 16, "Channel, as it arrives."),
        ), "The channel at the next place of the order, from place 0; taken while no job under way "
           "uses the table."),
        ("TAG_ENTRY", (
            Field("MX9", 0, 1, "The K-block is MX9."),
            Field("K_BLOCK", 16, 16, "K-block, in the new order: the next one."),
        ), "The static tag of the next K-block, from 0; taken while no job under way uses the "
           "table."),
        ("TABLE_CLEAR", flag_fields(TablePart),
         "Begins a table anew; taken while no job under way uses it."),
    ),
    *consecutive(0x0F0, Access.SETTING,
                 whole("MAXIMUM_CHANNEL", "Channel that MAXIMUM shows.", width=16)),
    *consecutive(0x0F4, Access.STATE,
                 whole("MAXIMUM", "That channel's largest magnitude in the last job that measured: "
                       "an FP32 pattern.")),
)

COUNTERS = (
    ("CYCLES", "Cycles from the later of its start and the end of the job before it, to its end."),
    ("BEATS", "Beats that entered the array."),
    ("SKIPPED", "Residual beats left out, since the residuals of one operand were all zero."),
    ("ACT_STALLS", "Cycles without a beat, waiting for activations."),
    ("WEIGHT_STALLS", "Cycles without a beat, waiting for weights."),
    ("RESULT_STALLS", "Cycles without a beat, waiting for room for results."),
    ("MX9_UNITS", "K-blocks of tiles of activations, or of a conversion's tiles, that were MX9."),
    ("NAN_BLOCKS", "Blocks of activations with an infinity or a NaN."),
    ("SATURATED", "Elements of activations rounded past the largest mantissa; none where packed."),
)
"""Counters of the job that ended last, 48 bits in two words, the lower at the lower address."""

COUNTER_REGISTERS = consecutive(
    0x100, Access.STATE,
    *(whole(f"{name}_{half}", text) for name, doc in COUNTERS
      for half, text in (("LOW", doc), ("HIGH", "Its upper word, of 16 bits."))))

GROUPS = (
    Group("Build parameters", "What the machine was built for.", BUILD),
    Group("Job", "The next job; may be rewritten as soon as START has been answered.", JOB),
    Group("Control", "Starting and stopping, and what became of it.", CONTROL),
    Group("Calibration", "Channel orders and static tags, and what they are made from.",
          CALIBRATION),
    Group("Counters", "Of the job that ended last; 48 bits each, the lower word first.",
          COUNTER_REGISTERS),
    Group("Ring", "Of machines with a bus alone, whose BUS_BYTES is not 0: the command ring, see "
          "[commands.md](commands.md).", RING),
)

ALL_REGISTERS = tuple(register for group in GROUPS for register in group.registers)

REGISTER = {register.name: register for register in ALL_REGISTERS}

ADDRESSES = {name: register.address for name, register in REGISTER.items()}

REGISTERS = tuple(register for register in ALL_REGISTERS if register not in RING)
"""Every register of a machine between streams; addresses between them do not exist."""

OF_A_HOST = (
    *JOB, *(REGISTER[name] for name in (
        "CONTROL", "IRQ_ENABLE", "IRQ_PENDING", "TABLE_SELECT", "ORDER_ENTRY", "TAG_ENTRY",
        "TABLE_CLEAR")))
"""What a host has to say to a machine without a ring."""

RING_REGISTERS = tuple(
    register for register in ALL_REGISTERS if register not in OF_A_HOST)
"""Every register of a machine with a ring: commands say the rest."""
