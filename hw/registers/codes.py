"""The values that registers show and take, by name, each with the sentence that explains it."""

from enum import IntEnum

from hw.contract.job_codes import FORMAT_CODES, ROUNDINGS

from .model import Code, Flag

ActivationFormat = IntEnum(
    "ActivationFormat", {name.upper(): code for name, code in FORMAT_CODES.items()})
"""Values of the register JOB_FORMAT, and numbers of the bits of FORMATS."""

Rounding = IntEnum("Rounding", {name.upper(): code for code, name in enumerate(ROUNDINGS)})
"""Values of the register ROUNDING."""


class Command(Flag):
    """Bits of the register CONTROL."""

    START = 1, "start the job that the JOB registers hold, or refuse it"
    ABORT = 2, "drop every job under way; input is swallowed until RESUME"
    RESUME = 4, "let packets and jobs in again"


class JobFlag(Flag):
    """Bits of the register JOB_FLAGS."""

    BIAS = 1, "FP32 biases head each column tile's weights and are added to C"
    REORDER = 2, "channels of A are put into the order of table JOB_TABLE"
    MEASURE = 4, "each channel's largest magnitude is recorded, see MAXIMUM"


class TablePart(Flag):
    """Bits of the register TABLE_CLEAR."""

    ORDER = 1, "forget the table's order"
    TAGS = 2, "forget the table's static tags"


class RingCommand(Flag):
    """Bits of the register RING_CONTROL."""

    RESUME = 1, "try the command again at which the ring stands still"
    SKIP = 2, "go on behind it: it counts as ended"
    LOCK = 4, "keep the window as it is until a reset"


class RingEvent(Flag):
    """Bits of the registers RING_IRQ_PENDING and RING_IRQ_ENABLE."""

    MARKED = 1, "a command that asks for an interrupt has ended"
    STOPPED = 2, "a fault has stopped the ring"


class Refusal(Code):
    """REFUSAL: why the job started last was not taken. `doc` says what must hold."""

    NONE = 0, "the job was taken"
    ZERO_SIZE = 1, "M, N and K must be at least 1"
    K_TOO_LARGE = 2, "K must not exceed K_MAX"
    TILES_OUT_OF_RANGE = 3, "JOB_TILES must be 1 to TILE_SLOTS, and its K-blocks fit ACT_DEPTH"
    UNKNOWN_FORMAT = 4, "the machine was not built for this activation format, see FORMATS"
    UNKNOWN_SELECTION = 5, "the selection must be top, threshold, static or head"
    TOO_MANY_UNITS = 6, "the outlier units must not exceed the K-blocks; for head they are 0 or 1"
    BAD_THRESHOLD = 7, "the threshold is a magnitude: an FP32 pattern without sign, and no NaN"
    QUEUE_FULL = 8, "too many jobs are under way: wait for one to end"
    UNKNOWN_KIND = 9, "the kind must be GEMM, GEMM_PACKED, CONVERT or CONVERT_TRANSPOSED"
    UNKNOWN_OUTPUT = 10, "the machine was not built for this output format, see OUTPUTS"
    UNKNOWN_TABLE = 11, "the table must be below TABLES"
    BAD_COMBINATION = 12, "jobs of this kind have no such flag or output, and no flag is unknown"
    DRAINING = 13, "the machine was aborted: resume it first"
    ORDER_DOUBLE = 14, "no channel may stand at two places of the table's order"
    ORDER_INCOMPLETE = 15, "the table's order must hold each of the K channels, and no other"
    TAGS_INCOMPLETE = 16, "the table must hold a static tag for each K-block of K, and no more"
    UNKNOWN_FUNCTION = 17, "the function must be none, exp2, GELU or SiLU"
    UNKNOWN_ROWS = 18, "rows are measured for LayerNorm, RMSNorm, their maximum, their sum, or not"
    BAD_SCALAR = 19, "N squared times epsilon must be a positive normal number"


class StreamFault(Flag):
    """JOB_FAULTS, and IRQ_PENDING from bit 2: what is wrong with a job's packets."""

    ACT_LENGTH = 1, "an activation packet ended early or late"
    ACT_KEEP = 2, "an activation packet has the wrong tkeep"
    WEIGHT_LENGTH = 4, "a weight packet ended early or late"
    WEIGHT_KEEP = 8, "a weight packet has a tkeep that is not all ones"
