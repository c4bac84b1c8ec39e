"""What the drivers raise about the machine; `hw.host.driver` exports all of it.

Each error keeps the built-in class beside `MachineError` that says what kind of mistake it is.
"""

from hw.registers.codes import Refusal, StreamFault

__all__ = ["BusError", "JobRefusedError", "MachineError", "NoMachineError", "ProtocolError",
           "ResultLengthError", "StreamFaultError", "WaitTimeoutError"]


class MachineError(Exception):
    """Something is wrong with the machine, or with what it was given."""


class BusError(MachineError, RuntimeError):
    """A register access was answered with an error."""


class NoMachineError(MachineError, RuntimeError):
    """No machine answers, or one with another register map."""


class JobRefusedError(MachineError, ValueError):
    """The machine did not take a job; `code` is its `Refusal`, or a number of a newer machine's."""

    def __init__(self, code):
        if code in tuple(Refusal):
            self.code = Refusal(code)
            super().__init__(f"{self.code.name}: {self.code.doc}")
        else:
            self.code = code
            super().__init__(f"refusal {code}, which only a newer driver can name")


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


_KNOWN_FAULTS = sum(StreamFault)
