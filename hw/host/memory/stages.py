"""What numbers go through on their way out of a machine with a vector unit, as software asks."""

from dataclasses import dataclass

import numpy as np

from golden.arguments import real
from golden.formats import BLOCK_SIZE
from golden.memory.descriptor import JobFlag
from golden.memory.jobs import Function, Rows
from golden.vector.statistics import scaled_epsilon

from .handle import Batched
from .job_fields import check_operand
from .matrix import Matrix
from .memory import Memory
from .side import Biases, Tags

NORMS = ("layer_norm", "rms_norm")

EPSILON = 1e-6
"""Of norms, where nobody says another: that of DiT, PixArt-Sigma and SD3."""


def _names(codes: type) -> tuple[str, ...]:
    return tuple(code.name.lower() for code in codes if code.value)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stages:
    """What is done to every number, in this order, as far as it is said (docs/vector.md).

    Attributes
    ----------
    rows : {"layer_norm", "rms_norm", "maximum", "sum"}, optional
        Of a pass: its rows normalized, or less their largest number. Of a GEMM of packed
        activations: divided by the sums of their rows.
    epsilon : float, optional
        Of norms; 1e-6 where it is not said.
    scale : float, optional
        The factor of all rows.
    function : {"exp2", "gelu", "silu"}, optional
    factor : Biases, shape (..., N), optional
        Of each column.
    residual : Matrix or Biases, optional
        FP32, shape (..., M, N), or (..., N): a row that is added to all.
    tags : Tags, shape (ceil(N / 16),), optional
        Of a GEMM: which blocks of its packed results are MX9.
    """

    rows: str | None = None
    epsilon: float | None = None
    scale: float | None = None
    function: str | None = None
    factor: Biases | None = None
    residual: Matrix | Biases | None = None
    tags: Tags | None = None

    def __post_init__(self) -> None:
        for name, codes in (("rows", Rows), ("function", Function)):
            value = getattr(self, name)
            if value is not None and value not in _names(codes):
                raise ValueError(f"{name} must be one of {', '.join(_names(codes))}, not {value!r}")
        if self.epsilon is not None and self.rows not in NORMS:
            raise ValueError("epsilon is for layer_norm and rms_norm")
        if self.scale is not None and self.rows in (*NORMS, "sum"):
            raise ValueError(f"{self.rows} has the factor of its rows: there is none for a scale")
        if self.factor is not None and self.function in ("gelu", "silu"):
            raise ValueError(f"{self.function} takes the multiplier that a factor of columns needs")

    @property
    def beside(self) -> dict[str, Batched]:
        """Operands that have batches, by their fields."""
        return {name: operand for name, operand in (
            ("channel", self.factor), ("residual", self.residual)) if operand is not None}

    @property
    def side(self) -> dict[str, Biases | Tags]:
        """What WAIT_SIDE holds back, by its name in sentences."""
        return {name: operand for name, operand in (
            ("the factor", self.factor), ("the tags of results", self.tags)) if operand is not None}

    def fields(self, memory: Memory, shape: tuple[int, int], table: int) -> dict[str, int]:
        """Return the fields of a descriptor, checked.

        Parameters
        ----------
        memory : Memory
        shape : (int, int)
            M and N of the results.
        table : int
            That tags are loaded into.

        Raises
        ------
        TypeError, ValueError
            If something does not fit the results or the machine.
        """
        config, n = memory.config, shape[1]
        if not config.vector_lanes:
            raise ValueError("the machine has no vector unit: build it with vector_lanes")
        flags, fields = JobFlag(0), {
            "rows": Rows[(self.rows or "none").upper()].value,
            "function": Function[(self.function or "none").upper()].value}
        if self.rows in NORMS:
            epsilon = EPSILON if self.epsilon is None else self.epsilon
            fields["scalar"] = int(scaled_epsilon(n, epsilon).view(np.uint32))
        if self.scale is not None:
            flags |= JobFlag.SCALED
            fields["scalar"] = int(np.float32(real(self.scale, "scale")).view(np.uint32))
        for name, operand in self.beside.items():
            flags |= JobFlag.CHANNEL if name == "channel" else JobFlag.RESIDUAL
            self._check(memory, name, operand, shape)
            fields[name] = operand.address
            if isinstance(operand, Matrix):
                fields["residual_stride"] = operand.stride
            elif n > config.k_max:
                raise ValueError(f"{n} columns are more than the machine keeps numbers for: "
                                 f"{config.k_max}, its k_max")
        if self.tags is not None:
            check_operand(memory, "the tags of results", self.tags, Tags)
            blocks = -(-n // BLOCK_SIZE)
            if self.tags.shape != (blocks,):
                raise ValueError(f"the tags of results must have {blocks} entries for N = {n}, not "
                                 f"{self.tags.shape[0]}")
            flags |= JobFlag.TAGGED
            fields |= {"tags": self.tags.address, "loads_tags": 1, "table": table}
        return fields | {"flags": flags}

    def _check(self, memory: Memory, name: str, operand: Batched, shape: tuple[int, int]) -> None:
        """Refuse an operand of another kind, shape or format."""
        what = "the factor" if name == "channel" else "the residual"
        check_operand(memory, what, operand, *((Biases,) if name == "channel"
                                               else (Matrix, Biases)))
        wanted = shape if isinstance(operand, Matrix) else shape[1:]
        if operand.shape[-len(wanted):] != wanted:
            raise ValueError(f"{what} must have the shape {wanted}, not {operand.shape}")
        if isinstance(operand, Matrix) and operand.float_format != "fp32":
            raise ValueError(f"{what} must be fp32, not {operand.float_format}")
        if isinstance(operand, Matrix) and shape[0] > 1 and operand.stride == 0:
            raise ValueError(f"{what} has one row for all: place it as biases")
