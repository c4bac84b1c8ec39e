"""What each kind of job looks at, and in what order a job is checked: as data."""

from dataclasses import dataclass

from hw.contract.job_codes import FLOATING, GEMMS, JobKind, Selection

from .codes import JobFlag, Refusal

STRAIGHT = frozenset({JobKind.GEMM, JobKind.CONVERT})
"""Jobs whose channels may be put into order, and measured."""


@dataclass(frozen=True)
class Use:
    """Who looks at a job register, or at a flag of JOB_FLAGS.

    Attributes
    ----------
    name : str
        Of the register without its JOB_, or of the flag.
    kinds : frozenset of JobKind
        Jobs that look at it.
    selections : frozenset of Selection
        Where not empty, they do so only with one of these selections...
    flag : JobFlag, optional
        ...or with this flag.
    others_zero : bool
        Other kinds refuse anything but zero (BAD_COMBINATION), rather than ignore it.
    """

    name: str
    kinds: frozenset[JobKind]
    selections: frozenset[Selection] = frozenset()
    flag: JobFlag | None = None
    others_zero: bool = False


def _use(name, kinds, **more):
    return Use(name, frozenset(kinds), **more)


USES = (
    _use("M", GEMMS),
    _use("N", JobKind),
    _use("K", JobKind),
    _use("TILES", GEMMS),
    _use("FORMAT", FLOATING),
    _use("OUTPUT", GEMMS, others_zero=True),
    _use("BIAS", GEMMS, others_zero=True),
    _use("REORDER", STRAIGHT, others_zero=True),
    _use("MEASURE", STRAIGHT, others_zero=True),
    _use("TABLE", FLOATING, selections=frozenset({Selection.STATIC}), flag=JobFlag.REORDER),
    _use("SELECTION", FLOATING),
    _use("UNITS", FLOATING, selections=frozenset({Selection.TOP, Selection.HEAD})),
    _use("THRESHOLD", FLOATING, selections=frozenset({Selection.THRESHOLD})),
)
"""Every job register but JOB_KIND, and every flag, in the order of the register map."""

USE = {use.name: use for use in USES}

CHECKS = (
    Refusal.DRAINING,
    Refusal.QUEUE_FULL,
    Refusal.UNKNOWN_KIND,
    Refusal.UNKNOWN_FUNCTION,
    Refusal.UNKNOWN_ROWS,
    Refusal.BAD_COMBINATION,
    Refusal.ZERO_SIZE,
    Refusal.K_TOO_LARGE,
    Refusal.TILES_OUT_OF_RANGE,
    Refusal.UNKNOWN_FORMAT,
    Refusal.UNKNOWN_OUTPUT,
    Refusal.UNKNOWN_SELECTION,
    Refusal.TOO_MANY_UNITS,
    Refusal.BAD_THRESHOLD,
    Refusal.BAD_SCALAR,
    Refusal.UNKNOWN_TABLE,
    Refusal.ORDER_DOUBLE,
    Refusal.ORDER_INCOMPLETE,
    Refusal.TAGS_INCOMPLETE,
)
"""The order of the checks: REFUSAL names the first that fails."""
