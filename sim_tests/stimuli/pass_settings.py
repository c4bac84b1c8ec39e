"""What a vector unit is asked for, good and bad, and its rules in plain Python."""

from dataclasses import dataclass

import numpy as np

from golden.memory.descriptor import Command, JobFlag, Operation
from hw.contract.config import Config
from hw.contract.job_codes import AnyKind, Function, JobKind, Output, Rows, Selection
from hw.registers.codes import Refusal

PASS = AnyKind.VECTOR.value
"""The kind of a pass, as commands give it."""

FLAGS = (JobFlag.BIAS, JobFlag.CHANNEL, JobFlag.RESIDUAL, JobFlag.SCALED)
"""That a pass may have."""

STAGE_FLAGS = (JobFlag.TAGGED, JobFlag.CHANNEL, JobFlag.RESIDUAL, JobFlag.SCALED)
"""That say what results go through."""

NORMS = (Rows.LAYER_NORM.value, Rows.RMS_NORM.value)
GATES = (Function.GELU.value, Function.SILU.value)

SCALARS = (0, 1, 0x007FFFFF, 0x00800000, 0x00800001, 0x3F800000, 0x7F7FFFFF, 0x7F800000,
           0x7F800001, 0x7FC00000, 0x80000000, 0x80800000, 0xBF800000, 0xFF800000, 0xFFFFFFFF)
"""FP32 patterns at the ends of what a norm takes, and with the bits of others."""

WORST = (4, 5, 7, 8, 0x10, 0x21, 0x80, 0xFF)
"""Codes of nothing, that look like others in fewer bits."""


@dataclass(frozen=True)
class Asked:
    """What a job is asked to do on the way out; its flags are the job's.

    Attributes
    ----------
    function, rows, scalar : int
    is_shift : bool
    """

    function: int = 0
    rows: int = 0
    scalar: int = 0
    is_shift: bool = False

    def fields(self, flags: int) -> dict[str, int]:
        """Return the fields of `asked_stages_layout`."""
        return {"function": self.function, "rows": self.rows, "scalar": self.scalar,
                "is_shift": int(self.is_shift),
                **{name: int(bool(flags & flag)) for name, flag in (
                    ("is_scaled", JobFlag.SCALED), ("has_channel", JobFlag.CHANNEL),
                    ("has_residual", JobFlag.RESIDUAL), ("tagged", JobFlag.TAGGED))}}


NOTHING = Asked()


def draw_asked(rng: np.random.Generator) -> Asked:
    """Draw stages, most of them of codes that exist."""
    codes = [int(rng.integers(4)), int(rng.integers(5))]
    if rng.random() < 0.1:
        codes[rng.integers(2)] = int(rng.choice([*WORST, rng.integers(256)]))
    return Asked(*codes, int(rng.choice(SCALARS)), bool(rng.integers(2)))


def make_pass(rng: np.random.Generator, job: dict[str, int]) -> dict[str, int]:
    """Make a pass of a job's registers, of which more choose blocks, with any flags."""
    flags = sum(flag.value for flag in FLAGS if rng.random() < 0.3)
    if rng.random() < 0.1:
        flags ^= int(rng.choice([2, 4, 8, 128, 1 << 31]))
    made = job | {"kind": PASS, "n": job["k"], "flags": flags}
    if rng.random() < 0.3:
        made |= {"output": Output.MX6.value, "threshold": int(rng.integers(1 << 32))}
    return made


def make_staged(rng: np.random.Generator, job: dict[str, int]) -> dict[str, int]:
    """Give a job flags of stages, and more columns than a machine keeps something for."""
    flags = job["flags"] | sum(flag.value for flag in STAGE_FLAGS if rng.random() < 0.3)
    made = job | {"flags": flags}
    if rng.random() < 0.5:
        made["output"] = Output.MX6.value
    if rng.random() < 0.2:
        made["n"] = int(rng.integers(1, 1000))
    return made


def ways(job: dict[str, int], asked: Asked) -> dict[str, int]:
    """Say where results get their stages."""
    flags = job["flags"]
    staged = bool(flags & (JobFlag.CHANNEL | JobFlag.RESIDUAL | JobFlag.SCALED)
                  or asked.rows == Rows.SUM.value)
    at_drain = job["kind"] != PASS and asked.function == Function.EXP2.value and not staged
    return {"at_drain": int(at_drain), "through_lanes": int(
        job["kind"] == PASS or staged or (asked.function != 0 and not at_drain))}


def looks_at(job: dict[str, int], name: str) -> bool:
    """Tell whether a pass looks at a register or a flag."""
    if job["output"] == Output.MX6.value:
        selection = job["selection"]
        if name == "SELECTION":
            return True
        if name in ("UNITS", "THRESHOLD", "TABLE"):
            return selection in {
                "UNITS": (Selection.TOP.value, Selection.HEAD.value),
                "THRESHOLD": (Selection.THRESHOLD.value,), "TABLE": (Selection.STATIC.value,)}[name]
    return name in ("M", "N", "K", "FORMAT", "OUTPUT", "BIAS")


def fails(config: Config, job: dict[str, int], asked: Asked, tags: int, code: Refusal) -> bool:
    """Tell whether what is asked for fails a check; it has passed those before.

    Parameters
    ----------
    config : Config
    job : dict of str to int
    asked : Asked
    tags : int
        Of the job's table.
    code : Refusal
    """
    tagged = job["kind"] != PASS and job["flags"] & JobFlag.TAGGED
    match code:
        case Refusal.K_TOO_LARGE:
            keeps = tagged or job["flags"] & JobFlag.CHANNEL or (
                job["flags"] & JobFlag.RESIDUAL and asked.is_shift)
            return bool(keeps and job["n"] > config.k_max)
        case Refusal.UNKNOWN_TABLE:
            return bool(tagged and job["table"] >= config.tables)
        case Refusal.TAGS_INCOMPLETE:
            return bool(tagged and tags != -(-job["n"] // 16))
        case Refusal.UNKNOWN_FUNCTION:
            return asked.function not in [function.value for function in Function]
        case Refusal.UNKNOWN_ROWS:
            return asked.rows not in [rows.value for rows in Rows]
        case Refusal.BAD_SCALAR:
            value = np.uint32(asked.scalar).view(np.float32)
            return asked.rows in NORMS and not np.finfo(np.float32).tiny <= value < np.inf
        case Refusal.BAD_COMBINATION:
            return _excludes(job, asked)
    return False


def _excludes(job: dict[str, int], asked: Asked) -> bool:
    """Tell whether stages exclude each other, or are none of the job's."""
    flags, rows, kind = job["flags"], asked.rows, job["kind"]
    measured = rows in (*NORMS, Rows.MAXIMUM.value)
    if (rows in (*NORMS, Rows.SUM.value) and flags & JobFlag.SCALED) or (
            asked.function in GATES and flags & JobFlag.CHANNEL):
        return True
    if kind == PASS:
        return bool(flags & ~sum(flag.value for flag in FLAGS) or rows == Rows.SUM.value
                    or (measured and flags & JobFlag.BIAS))
    if JobKind(kind).converts:
        return bool(asked.function or rows or flags & sum(flag.value for flag in STAGE_FLAGS))
    mistagged = flags & JobFlag.TAGGED and (job["output"] != Output.MX6.value or (
        kind == JobKind.GEMM.value and job["selection"] == Selection.STATIC.value))
    return bool(measured or mistagged
                or (rows == Rows.SUM.value and kind != JobKind.GEMM_PACKED.value))


def command_of(job: dict[str, int], asked: Asked, loads: bool) -> Command | None:
    """Return the command of such a job, None if its fields do not hold one.

    Parameters
    ----------
    job : dict of str to int
        As of `job_settings.SETTINGS`.
    asked : Asked
    loads : bool
        Its table is loaded.
    """
    values = dict(job)
    is_pass = values["kind"] == PASS
    if is_pass:
        if values["n"] != values["k"]:
            return None
        values |= {"operation": Operation.VECTOR, "kind": 0, "k": 0}
    elif values["kind"] > PASS:
        return None
    try:
        return Command(**values, function=asked.function, rows=asked.rows, scalar=asked.scalar,
                       residual_stride=0 if asked.is_shift else 4, loads_tags=int(loads))
    except ValueError:  # wider than a field
        return None
