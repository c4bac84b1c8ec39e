"""Why a command stopped the ring, by code, each with the sentence that explains it."""

from enum import IntEnum
from typing import Self


class Fault(IntEnum):
    """What was wrong with a command; members are ``value, doc``."""

    doc: str

    def __new__(cls, value: int, doc: str) -> Self:
        member = int.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        return member

    NONE = 0, "nothing is wrong"
    UNKNOWN_VERSION = 1, "VERSION of the descriptor must be 1"
    UNKNOWN_OPERATION = 2, "OPERATION must be JOB or WAIT, or VECTOR where there is a vector unit"
    RESERVED = 3, "bits that the operation does not have must be zero"
    NO_COUNT = 4, "both batch counts must be at least 1"
    UNALIGNED = 5, "an address or a stride is no multiple of what its layout asks for"
    OUTSIDE = 6, "an access would leave the window, or the addresses that there are"
    OVERLONG = 7, "a packed tile, or a row of results, is longer than its stride"
    REFUSED = 8, "the machine refuses the job: REFUSAL says why"
    READ_SLVERR = 9, "a read was answered with SLVERR"
    READ_DECERR = 10, "a read was answered with DECERR"
    WRITE_SLVERR = 11, "a write was answered with SLVERR"
    WRITE_DECERR = 12, "a write was answered with DECERR"
    TIMEOUT = 13, "the bus gave no answer for as many cycles as BUS_TIMEOUT allows"
    OVERRUN = 14, "TAIL is further ahead of COMPLETED than the ring is long"
    SATURATED = 15, "exp2 had a number of 96 or more, whose power would not be right"


class CommandError(Exception):
    """A command that cannot be carried out, or not to its end.

    Attributes
    ----------
    fault : Fault
    detail : str
        What was found, for people.
    """

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault.name}: {fault.doc} ({detail})")
        self.fault, self.detail = fault, detail
