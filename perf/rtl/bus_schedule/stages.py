"""What numbers go through on their way in and out, as far as cycles depend on it."""

from golden.memory.descriptor import Command, JobFlag, Operation
from golden.memory.jobs import Function, JobKind, Rows, Selection

_STAGED = JobFlag.SCALED | JobFlag.CHANNEL | JobFlag.RESIDUAL


def is_pass(command: Command) -> bool:
    """Tell whether a command sends rows of numbers through the vector unit."""
    return command.operation == Operation.VECTOR.value


def is_untagged(command: Command) -> bool:
    """Tell whether tiles wait for no tags: as `hw.contract.job.is_untagged`."""
    return (not is_pass(command) and command.kind == JobKind.GEMM.value
            and command.selection == Selection.HEAD.value and not command.units)


def is_norm(command: Command) -> bool:
    """Tell whether rows are added up."""
    return command.rows in (Rows.LAYER_NORM.value, Rows.RMS_NORM.value)


def goes_through(command: Command) -> bool:
    """Tell whether results go through the lanes of the vector unit: all but powers of two alone."""
    return bool(is_pass(command) or command.flags & _STAGED or command.rows == Rows.SUM.value
                or command.function not in (Function.NONE.value, Function.EXP2.value))


def has_residual(command: Command) -> bool:
    """Tell whether each row meets a residual of its own."""
    return bool(command.flags & JobFlag.RESIDUAL and command.residual_stride)


def vectors(command: Command) -> tuple[bool, bool, bool]:
    """Tell which vectors are loaded beside results: a bias, a factor, a shift of the columns."""
    return (is_pass(command) and bool(command.flags & JobFlag.BIAS),
            bool(command.flags & JobFlag.CHANNEL),
            bool(command.flags & JobFlag.RESIDUAL) and not command.residual_stride)
