"""What a dispatcher says of passes, which machines with a vector unit make over rows of numbers."""

from amaranth import Cat, Mux
from amaranth.utils import exact_log2

from golden.formats import FP32
from golden.memory.descriptor import JobFlag, Operation
from hw.contract.job_codes import AnyKind, Output

from .descriptor_check import BESIDE
from .work import Form

KIND_BITS = exact_log2(AnyKind.VECTOR.value)
"""Below the one that says pass, of a kind."""


def is_pass(command):
    """Tell whether a command is one, as an expression."""
    return command.operation == Operation.VECTOR.value


def has_beside(work):
    """Tell whether a work of `beside_layout` brings anything, as an expression."""
    return Cat(work[f"has_{name}"] for name in BESIDE).any()


def describe_pass(m, dispatcher, command, walk, fences, columns):
    """Say what stages a job has, and what a pass is: where it differs from a job of JOB.

    Parameters
    ----------
    m : Module
    dispatcher : Dispatcher
        Its outputs are those of a JOB so far.
    command : View
    walk : BatchWalk
    fences : dict of str to Signal
    columns : Value
        Numbers in a row of A.
    """
    stages, beside, results = dispatcher.stages, dispatcher.beside.p, dispatcher.results.p
    flags = {flag: command.flags[exact_log2(flag)] for flag in JobFlag}
    is_vector = is_pass(command)
    # The third bit is that of the operation alone: no kind that a JOB names is a pass.
    kind = Cat(command.kind[:KIND_BITS], is_vector, command.kind[KIND_BITS:])
    m.d.comb += [
        dispatcher.job_kind.eq(kind), dispatcher.job_k.eq(columns),
        stages.function.eq(command.function), stages.rows.eq(command.rows),
        stages.scalar.eq(command.scalar), stages.tagged.eq(flags[JobFlag.TAGGED]),
        stages.is_scaled.eq(flags[JobFlag.SCALED]),
        stages.has_channel.eq(flags[JobFlag.CHANNEL]),
        stages.has_residual.eq(flags[JobFlag.RESIDUAL]),
        stages.is_shift.eq(command.residual_stride == 0),

        beside.index.eq(dispatcher.number), beside.side_fence.eq(fences["side"]),
        beside.residual_fence.eq(fences["residual"]),
        *(beside[name].eq(getattr(walk, name)) for name in BESIDE),
        beside.has_bias.eq(is_vector & flags[JobFlag.BIAS]),  # of others with the weights
        beside.has_channel.eq(flags[JobFlag.CHANNEL]),
        beside.has_residual.eq(flags[JobFlag.RESIDUAL]), beside.in_tiles.eq(~is_vector),
        beside.length.eq(command.n << exact_log2(FP32.width // 8)), beside.m.eq(command.m),
        beside.n.eq(command.n), beside.group_rows.eq(results.group_rows),
        beside.stride.eq(command.residual_stride),
        results.of_rows.eq(is_vector), results.has_tags.eq(stages.tagged)]
    with m.If(is_vector):  # a row of numbers leaves whole, and so does a packed tile
        m.d.comb += [
            results.group_rows.eq(1),
            results.form.eq(Mux(command.output >= Output.MX6.value, Form.WEIGHTS, Form.NUMBERS))]
