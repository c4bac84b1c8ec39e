"""What the drivers raise about the machine; `hw.host.driver` exports all of it.

Each error keeps the built-in class beside `MachineError` that says what kind of mistake it is.
"""

from golden.memory.faults import Fault
from hw.registers.codes import Refusal, StreamFault

__all__ = ["BusError", "CommandFaultError", "JobRefusedError", "MachineError", "NoMachineError",
           "ProtocolError", "ResultLengthError", "StreamFaultError", "WaitTimeoutError"]


class MachineError(Exception):
    """Something is wrong with the machine, or with what it was given."""


class BusError(MachineError, RuntimeError):
    """A register access was answered with an error."""


class NoMachineError(MachineError, RuntimeError):
    """No machine answers, or one with another register map."""


class JobRefusedError(MachineError, ValueError):
    """The machine did not take a job; `code` is its `Refusal`, or a number of a newer machine's."""

    def __init__(self, code):
        self.code, text = _named(Refusal, code, "refusal")
        super().__init__(text)


class CommandFaultError(MachineError, RuntimeError):
    """A command stopped the ring.

    Attributes
    ----------
    fault : Fault, or int of a newer machine
    refusal : Refusal, or int of a newer machine, or None
        Why the job was refused, where that is the fault.
    place : int
        Of the command in its list, from 0.
    sequence : int
        Commands that had ended since reset, modulo 2^32.
    command : golden.memory.Command
    """

    def __init__(self, fault, refusal, place, sequence, command):
        self.fault, text = _named(Fault, fault, "fault")
        self.refusal = None
        if self.fault == Fault.REFUSED:
            self.refusal, why = _named(Refusal, refusal, "refusal")
            text += f"; {why}"
        self.place, self.sequence, self.command = place, sequence, command
        super().__init__(f"command {place} of the list, {sequence} of the ring, has stopped it: "
                         f"{text}. The command is {command.describe()}")


class StreamFaultError(MachineError, RuntimeError):
    """Packets did not fit their jobs; `faults` are the `StreamFault` flags."""

    def __init__(self, faults):
        self.faults = StreamFault(faults)
        texts = [f"{fault.name}: {fault.doc}" for fault in self.faults & _KNOWN_FAULTS]
        unknown = self.faults & ~_KNOWN_FAULTS
        texts += [f"unknown faults {unknown:#x}"] if unknown else []
        super().__init__("; ".join(texts))


class ResultLengthError(MachineError, RuntimeError):
    """A packet of results has another length than the job gives it."""


class ProtocolError(MachineError, RuntimeError):
    """The machine broke a rule of its interfaces; `violations` are the sentences that say which."""

    def __init__(self, violations):
        super().__init__("\n".join(violations))
        self.violations = violations


class WaitTimeoutError(MachineError, TimeoutError):
    """The machine had not come far enough when a wait's limit was reached."""


def _named(codes, code, what):
    """Return a code as what it stands for, if that is known, and the sentence that says it."""
    if code in tuple(codes):
        return codes(code), f"{codes(code).name}: {codes(code).doc}"
    return code, f"{what} {code}, which only a newer driver can name"


_KNOWN_FAULTS = sum(StreamFault)
