"""What jobs differ in, and which combinations of it have to be tried.

A combination is left out by one rule: what a kind of job does not look at, by
`hw.registers.job_rules`, or does not have, such as packets of weights, is no dimension of it. What
else cannot be is listed in `NEVER`, with the reason.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from golden.formats import FLOAT_FORMATS
from hw.contract.job_codes import FLOATING, GEMMS, JobKind, Output, Selection
from hw.registers.job_rules import CHECKS, USE
from hw.registers.map import StreamFault

ALL = frozenset(JobKind)

NO_FAULT = "none"


@dataclass(frozen=True)
class Dimension:
    """Something that jobs differ in.

    Attributes
    ----------
    name : str
    values : tuple of str
    kinds : frozenset of JobKind
        Jobs that have it.
    says : str
    """

    name: str
    values: tuple[str, ...]
    kinds: frozenset[JobKind]
    says: str


def _names(codes: object) -> tuple[str, ...]:
    return tuple(each.name for each in codes)


DIMENSIONS = {each.name: each for each in (
    Dimension("format", tuple(FLOAT_FORMATS), USE["FORMAT"].kinds, "of the activations"),
    Dimension("precision", ("MX6", "MX9", "both"), ALL,
              "of the K-blocks of the activations, as converted or as they arrive"),
    Dimension("weights", ("MX6", "MX9", "both"), frozenset(GEMMS), "precision of their K-blocks"),
    Dimension("rows", ("whole", "ragged"), USE["M"].kinds, "M against the rows of the array"),
    Dimension("columns", ("whole", "ragged"), USE["N"].kinds, "N against its columns"),
    Dimension("channels", ("whole", "ragged"), USE["K"].kinds, "K against a block of 16"),
    Dimension("tiles", ("one", "several"), USE["TILES"].kinds, "resident token tiles"),
    Dimension("output", _names(Output), USE["OUTPUT"].kinds, "format of the results"),
    Dimension("bias", ("no", "yes"), USE["BIAS"].kinds, "added to the results"),
    Dimension("order", ("no", "yes"), USE["REORDER"].kinds, "channels in the order of a table"),
    Dimension("measure", ("no", "yes"), USE["MEASURE"].kinds, "channel maxima are recorded"),
    Dimension("selection", _names(Selection), USE["SELECTION"].kinds, "of outlier K-blocks"),
    Dimension("special", ("no", "yes"), frozenset(FLOATING),
              "a NaN or an infinity is among the activations"),
    Dimension("stall", ("none", "sources", "sink", "both"), ALL,
              "which streams pause while the packets are queued"),
    Dimension("act_fault", (NO_FAULT, *_names((StreamFault.ACT_LENGTH, StreamFault.ACT_KEEP))), ALL,
              "what is wrong with the packets of activations"),
    Dimension("weight_fault",
              (NO_FAULT, *_names((StreamFault.WEIGHT_LENGTH, StreamFault.WEIGHT_KEEP))),
              frozenset(GEMMS), "what is wrong with the packets of weights"),
    Dimension("end", ("done", "aborted"), ALL, "the job ends, or an abort drops it"),
)}
"""By name."""

CROSSES = (
    ("rows", "columns", "channels"),
    ("precision", "weights", "output"),  # with it all kinds of beats, into all kinds of results
    ("precision", "weights", "channels"),
    ("output", "rows", "columns"),
    ("output", "bias", "tiles"),
    ("format", "selection", "channels"),
    ("format", "order", "measure"),
    ("format", "special"),
    ("selection", "order", "columns"),
    ("selection", "precision"),
    ("special", "output"),
    ("stall", "end"),
    ("stall", "output"),
    ("stall", "act_fault"),
    ("stall", "weight_fault"),
    ("act_fault", "weight_fault"),
    ("act_fault", "end"),
    ("weight_fault", "output"),
    ("end", "output"),
    ("end", "selection"),
    ("end", "tiles"),
)
"""Combinations that all have to be tried, each with every kind of job. What cannot be told apart
by a single dimension goes wrong where two parts of the machine meet: a ragged edge in a packer,
a precision in an output format, a stall in a packet that is cut."""

NEVER = (
    ({"selection": "HEAD", "precision": "both"}, "HEAD takes all K-blocks or none"),
)
"""Values that exclude each other, with the reason."""

REFUSALS = _names(CHECKS)
"""Jobs that are refused have one dimension: why."""

Bin = tuple[tuple[str, str], ...]
"""Values of some dimensions, by their names; the kind comes first."""


def bins() -> Iterator[Bin]:
    """List all combinations that have to be tried."""
    for name in REFUSALS:
        yield (("refused", name),)
    for kind in JobKind:
        for names in [*((name,) for name in DIMENSIONS), *CROSSES]:
            yield from _bins_of(kind, names)


def bins_of(seen: Mapping[str, str]) -> Iterator[Bin]:
    """List the combinations that a job tries.

    Parameters
    ----------
    seen : mapping of str to str
        Its value in each dimension that it has, and its "kind".
    """
    for names in [*((name,) for name in DIMENSIONS), *CROSSES]:
        if all(name in seen for name in names):
            yield _bin(seen["kind"], names, [seen[name] for name in names])


def words(each: Bin) -> str:
    """Write a combination in one line."""
    return ", ".join(f"{name} {value}" for name, value in each)


def _bins_of(kind: JobKind, names: tuple[str, ...]) -> Iterator[Bin]:
    dimensions = [DIMENSIONS[name] for name in names]
    if not all(kind in each.kinds for each in dimensions):
        return
    for values in product(*(each.values for each in dimensions)):
        together = dict(zip(names, values, strict=True))
        if not any(never.items() <= together.items() for never, _ in NEVER):
            yield _bin(kind.name, names, values)


def _bin(kind: str, names: tuple[str, ...], values: object) -> Bin:
    return (("kind", kind), *zip(names, values, strict=True))
