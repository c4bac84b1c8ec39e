"""What a machine with a vector unit does to results on their way out: `golden.vector.pipe`."""

import numpy as np
from numpy.typing import NDArray

from golden.formats import FP32
from golden.memory.descriptor import Command, JobFlag
from golden.memory.faults import CommandError, Fault
from golden.memory.jobs import Function, Rows
from golden.memory.layouts import BIAS_BYTES, Iteration
from golden.memory.reading import Read
from golden.mx import MXTensor
from golden.vector import pipe, row_factors, row_maximum, row_mean, row_scale_of, row_statistics
from golden.vector.sums import row_sums

Operands = dict[str, NDArray[np.float32]]


def read_beside(command: Command, at: Iteration, read: Read) -> Operands:
    """Read what the stages of a command need beside its rows.

    Parameters
    ----------
    command : Command
        A job that the machine takes.
    at : Iteration
        Where its operands lie.
    read : callable

    Returns
    -------
    dict of str to ndarray
        As `golden.vector.pipe` names and takes them.
    """
    flags, columns = JobFlag(command.flags), command.n
    operands = {}
    if JobFlag.BIAS in flags:
        operands["bias"] = _numbers(read, "bias", at.bias, columns)
    if JobFlag.SCALED in flags:
        operands["row_factor"] = np.uint32(command.scalar).view(np.float32)
    if JobFlag.CHANNEL in flags:
        operands["channel_factor"] = _numbers(read, "channel", at.channel, columns)
    if JobFlag.RESIDUAL in flags:
        operands["residual"] = np.stack([
            _numbers(read, "residual", at.residual + row * command.residual_stride, columns)
            for row in range(command.m)])
    return operands


def stages(command: Command, beside: Operands, x: NDArray[np.float32], *,
           a: MXTensor | None = None) -> NDArray[np.float32]:
    """Send rows through the stages of a command.

    Parameters
    ----------
    command : Command
        A job that the machine takes.
    beside : dict of str to ndarray
        From `read_beside`.
    x : ndarray of float32, shape (rows, columns)
        Results of the array, or what a VECTOR job reads.
    a : MXTensor, optional
        The quantized rows that the array had; for `Rows.SUM`.

    Returns
    -------
    ndarray of float32, shape (rows, columns)

    Raises
    ------
    CommandError
        SATURATED, if a power of two does not exist.
    """
    function = Function(command.function)
    outcome = pipe(x, function=None if function is Function.NONE else function.name.lower(),
                   **beside, **_of_rows(command, x, a))
    if outcome.saturated:
        raise CommandError(Fault.SATURATED, f"{outcome.saturated} numbers of {x.size}")
    return np.asarray(outcome.result, np.float32)


def _of_rows(command: Command, x: NDArray[np.float32], a: MXTensor | None) -> Operands:
    """Return the offset and the factor that rows say of themselves, shape (rows, 1)."""
    match Rows(command.rows):
        case Rows.LAYER_NORM | Rows.RMS_NORM as norm:
            statistics, is_centred = row_statistics(x), norm is Rows.LAYER_NORM
            epsilon = np.uint32(command.scalar).view(np.float32)
            scale = row_scale_of(statistics, epsilon, is_centred=is_centred)
            offset = {"row_offset": row_mean(statistics)[:, None]} if is_centred else {}
            return offset | {"row_factor": scale[:, None]}
        case Rows.MAXIMUM:
            return {"row_offset": row_maximum(x)[:, None]}
        case Rows.SUM if a is not None:
            return {"row_factor": row_factors(row_sums(a))[0][:, None]}
        case _:
            return {}


def _numbers(read: Read, operand: str, address: int, count: int) -> NDArray[np.float32]:
    return np.frombuffer(read(operand, address, count * BIAS_BYTES), f"<f{FP32.width // 8}")
