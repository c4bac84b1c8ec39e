"""Stages and passes of the vector unit, drawn into lists of commands."""

from typing import Any

import numpy as np

from golden.floats import narrow
from golden.formats import FLOAT_FORMATS
from golden.memory import Command, Operation
from golden.memory.descriptor import JobFlag
from golden.memory.jobs import FORMAT_CODES, Function, JobKind, Output, Rows
from golden.vector.statistics import scaled_epsilon
from perf.rtl.drawn_lists import DrawnList
from simulation.works.random_works import random_floats

_SMALL, _LOW = 2.0**-20, -(2.0**20)
"""A factor, and a bias, of results whose powers of two exist."""

_GATES = (Function.GELU, Function.SILU)


class StageDrawer:
    """Draws what numbers go through on their way out.

    Parameters
    ----------
    drawn : DrawnList
    """

    def __init__(self, drawn: DrawnList):
        self._drawn = drawn

    def stage(self) -> Command:
        """Give the last command, a GEMM, stages; return it."""
        rng, command = self._drawn.rng, self._drawn.commands[-1]
        function = Function(int(rng.integers(4)))
        flags, fields = JobFlag(command.flags), {"function": function.value}
        if function is Function.EXP2 and rng.integers(2):  # where results drain
            flags |= JobFlag.BIAS
            fields |= {"flags": flags.value, "bias": self._place(np.full((1, command.n), _LOW)),
                       "wait_side": 0, "bias_step_0": 0, "bias_step_1": 0}
            return self._change(**fields)
        divides = command.kind == JobKind.GEMM_PACKED.value and function is not Function.EXP2 and (
            rng.integers(2))
        fields["rows"] = Rows.SUM.value if divides else Rows.NONE.value
        if function is Function.EXP2 or (not divides and rng.integers(2)):
            flags |= JobFlag.SCALED
            fields["scalar"] = pattern(_SMALL if function is Function.EXP2 else rng.normal())
        flags, beside = self._beside(flags, function, command.m, command.n)
        return self._change(flags=flags.value, **fields, **beside)

    def vector_pass(self, m: int, n: int, output: Output, **values: int) -> Command:
        """Append a pass over rows; fields that are given are not drawn."""
        drawn = self._drawn
        rng, config = drawn.rng, drawn.config
        rows = (Rows.NONE, Rows.LAYER_NORM, Rows.RMS_NORM, Rows.MAXIMUM)[rng.integers(4)]
        function = Function(int(rng.integers(4)))
        if function is Function.EXP2 and rows in (Rows.LAYER_NORM, Rows.RMS_NORM):
            function = Function.NONE
        flags, fields = JobFlag(0), {"m": m, "n": n, "count_0": 1, "count_1": 1}
        if "a" not in values:
            name = str(rng.choice(config.float_formats))
            numbers = random_floats(rng, m, n) * rng.choice((1.0, 2.0**-7)).astype(np.float32)
            if rng.integers(2):  # rows that cancel, or nearly so
                numbers[rng.random(m) < 0.5] = numbers[0, 0]
            fields |= {"format": FORMAT_CODES[name],
                       **drawn.place_rows(narrow(numbers, FLOAT_FORMATS[name]), "a")}
        if rows in (Rows.LAYER_NORM, Rows.RMS_NORM):
            fields["scalar"] = pattern(scaled_epsilon(n, 1e-5))
        elif function is Function.EXP2 or rng.integers(2):
            flags |= JobFlag.SCALED
            fields["scalar"] = pattern(_SMALL if function is Function.EXP2 else rng.normal())
        if rows is Rows.NONE and function is not Function.EXP2 and rng.integers(2):
            flags |= JobFlag.BIAS
            fields["bias"] = self._place(rng.standard_normal((1, n)))
        flags, beside = self._beside(flags, function, m, n)
        fields |= {"operation": Operation.VECTOR.value, "rows": rows.value,
                   "function": function.value, "flags": flags.value, **beside,
                   **drawn.results(m, n, output)}
        if output is Output.MX6:
            fields |= drawn.selection(n)
        drawn.commands.append(Command(**(fields | values)))
        return drawn.commands[-1]

    def _beside(self, flags: JobFlag, function: Function, m: int,
                n: int) -> tuple[JobFlag, dict[str, Any]]:
        """Draw column factors, and a residual or a shift."""
        rng, fields = self._drawn.rng, {}
        columns = n <= self._drawn.config.k_max
        if function not in _GATES and columns and rng.integers(2):
            flags |= JobFlag.CHANNEL
            fields["channel"] = self._place(rng.standard_normal((1, n)))
        match rng.integers(4):
            case 0 if columns:
                flags |= JobFlag.RESIDUAL
                fields["residual"] = self._place(rng.standard_normal((1, n)))
            case 1 | 2:
                flags |= JobFlag.RESIDUAL
                fields |= self._drawn.place_rows(
                    rng.standard_normal((m, n)).astype(np.float32), "residual")
        return flags, fields

    def _place(self, numbers: np.ndarray) -> int:
        return self._drawn.place(numbers)

    def _change(self, **fields: int) -> Command:
        commands = self._drawn.commands
        commands[-1] = Command(**(commands[-1].describe() | fields))
        return commands[-1]


def pattern(number: float) -> int:
    """Return the bits of a number in FP32."""
    return int(np.float32(number).view(np.uint32))
