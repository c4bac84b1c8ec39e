"""Jobs whose numbers go through the lanes: passes over rows, and what the array gives."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.memory.jobs import Function, Output, Rows
from golden.vector import pipe, row_maximum, row_mean, row_scale_of, row_statistics, to_lane
from golden.vector.formats import DROPPED_BITS
from hw.contract.config import Config

Patterns = NDArray[np.uint32]

NORMS = (Rows.LAYER_NORM, Rows.RMS_NORM)
MEASURES = (Rows.NONE, *NORMS, Rows.MAXIMUM)
RESIDUALS = (None, "shift", "rows")
NOUGHT = np.float32(0)


@dataclass(frozen=True)
class Tile:
    """An output tile: its rows and columns, its place among the resident ones, what ends with it.

    Attributes
    ----------
    rows : range
    columns : slice
    place : int
    columns_end, group_ends, job_ends : bool
        Its column tile in its group of resident tiles; the group; the job.
    """

    rows: range
    columns: slice
    place: int
    columns_end: bool
    group_ends: bool
    job_ends: bool


@dataclass(kw_only=True)
class Pass:
    """A pass over the rows of `x`; or a GEMM whose results `x` is.

    Attributes
    ----------
    x : ndarray of uint32, shape (m, n)
        FP32 patterns.
    output : Output
    function : Function
    rows : Rows
    scalar : ndarray of float32, shape ()
        Of norms, or a factor where `is_scaled`.
    bias, factor : ndarray of uint32, shape (n,), optional
    residual : ndarray of uint32, shape (n,) or (m, n), optional
    policy : dict of str to int
    resident : int
        Of a GEMM the token tiles of a group; 0 of a pass.
    sums : ndarray of uint32, shape (m,), optional
        Of a GEMM whose rows are divided by something: the factors, V24 patterns.
    """

    x: Patterns
    output: Output = Output.FP32
    function: Function = Function.NONE
    rows: Rows = Rows.NONE
    scalar: np.float32 = NOUGHT
    is_scaled: bool = False
    bias: Patterns | None = None
    factor: Patterns | None = None
    residual: Patterns | None = None
    policy: dict[str, int] = field(default_factory=dict)
    resident: int = 0
    sums: Patterns | None = None

    def beside(self, config: Config) -> list[list[Patterns]]:
        """Give packets of rows of numbers that come beside those of the job, in order."""
        packets = [[each] for each in (self.bias, self.factor) if each is not None]
        if self.residual is not None and self.residual.ndim == 1:
            packets.append([self.residual])
        elif self.residual is not None:
            packets.append([self.residual[row, columns] for tile in self.tiles(config)
                            for columns in [tile.columns] for row in tile.rows]
                           if self.resident else list(self.residual))
        return packets

    def tiles(self, config: Config) -> Iterator["Tile"]:
        """Walk the output tiles of a GEMM, in the order in which they drain."""
        m, n = self.x.shape
        of_group = self.resident * config.rows
        for group in range(0, m, of_group):
            group_end = min(m, group + of_group)
            for column in range(0, n, config.cols):
                columns = slice(column, min(n, column + config.cols))
                for place, row in enumerate(range(group, group_end, config.rows)):
                    end = min(group_end, row + config.rows)
                    yield Tile(range(row, end), columns, place, end == group_end,
                               end == group_end and columns.stop == n,
                               end == m and columns.stop == n)

    @property
    def stages(self) -> dict[str, int]:
        """Fields of `stages_layout`."""
        return {
            "function": self.function.value, "rows": self.rows.value,
            "scalar": int(self.scalar.view(np.uint32)), "is_scaled": int(self.is_scaled),
            "has_channel": int(self.factor is not None),
            "has_residual": int(self.residual is not None),
            "is_shift": int(self.residual is not None and self.residual.ndim == 1),
            "through_lanes": 1}

    def run(self) -> tuple[Patterns, int]:
        """Return what golden makes of it, FP32 patterns, and how many numbers saturated."""
        x = self.x.view(np.float32)
        operands: dict[str, Any] = {}
        if self.rows in NORMS:
            statistics, is_centred = row_statistics(x), self.rows is Rows.LAYER_NORM
            scale = row_scale_of(statistics, self.scalar, is_centred=is_centred)
            operands["row_factor"] = scale[:, None]
            if is_centred:
                operands["row_offset"] = row_mean(statistics)[:, None]
        if self.rows is Rows.MAXIMUM:
            operands["row_offset"] = row_maximum(x)[:, None]
        if self.is_scaled:
            operands["row_factor"] = self.scalar
        if self.sums is not None:
            operands["row_factor"] = (self.sums << DROPPED_BITS).view(np.float32)[:, None]
        for name, values in (("bias", self.bias), ("channel_factor", self.factor),
                             ("residual", self.residual)):
            if values is not None:
                operands[name] = values.view(np.float32)
        function = None if self.function is Function.NONE else self.function.name.lower()
        with np.errstate(all="ignore"):
            outcome = pipe(x, function=function, **operands)
        return np.asarray(outcome.result, np.float32).view(np.uint32), outcome.saturated


CHOICES = [
    (rows, scaled, function, bias, channel, residual) for rows, scaled, function, bias, channel,
    residual in product(MEASURES, (False, True), Function, (False, True), (False, True), RESIDUALS)
    if not (rows is not Rows.NONE and bias) and not (rows in NORMS and scaled)
    and not (function in (Function.GELU, Function.SILU) and channel)]
"""Every choice of stages that a machine takes."""


def numbers(rng: np.random.Generator, *shape: int) -> Patterns:
    """Draw FP32 patterns of a model's numbers; few are special."""
    patterns = (2 * rng.standard_normal(shape)).astype(np.float32).view(np.uint32)
    special = rng.choice(np.array([0, 1 << 31, 1, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000],
                                  np.uint32), shape)
    return np.where(rng.random(shape) < 0.002, special, patterns).astype(np.uint32)


def draw_pass(rng: np.random.Generator, m: int, n: int, outputs: tuple[Output, ...],
              choice: int | None = None) -> Pass:
    """Draw a pass over m rows of n numbers, of any stages or of those of `CHOICES`."""
    place = int(rng.integers(len(CHOICES))) if choice is None else choice
    rows, is_scaled, function, bias, channel, residual = CHOICES[place]
    scalar = np.float32(abs(rng.standard_normal()) + 1e-3)
    shape = {None: None, "shift": (n,), "rows": (m, n)}[residual]
    x = numbers(rng, m, n)
    if function is Function.EXP2 and rng.random() < 0.1:
        x = np.where(rng.random((m, n)) < 0.1, np.float32(300).view(np.uint32), x)
    return Pass(
        x=x.astype(np.uint32), output=outputs[rng.integers(len(outputs))], function=function,
        rows=rows, scalar=scalar, is_scaled=is_scaled, bias=numbers(rng, n) if bias else None,
        factor=numbers(rng, n) if channel else None,
        residual=None if shape is None else numbers(rng, *shape))


def draw_gemm(rng: np.random.Generator, m: int, n: int, resident: int,
              outputs: tuple[Output, ...]) -> Pass:
    """Draw results of a GEMM that go through lanes."""
    one = draw_pass(rng, m, n, outputs)
    while one.rows is not Rows.NONE:
        one = draw_pass(rng, m, n, outputs)
    one.bias, one.resident = None, resident
    if not one.is_scaled and rng.random() < 0.5:
        one.rows = Rows.SUM
        one.sums = to_lane(numbers(rng, m).view(np.float32)).view(np.uint32) >> DROPPED_BITS
    return one
