"""What the schedule must know of a job, and what it says of one."""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from golden.formats import BLOCK_SIZE
from hw.contract.job_codes import JobKind, Output

Flags = NDArray[np.bool_]
"""Shape (tiles, K-blocks): of every tile, or (1, K-blocks) where all tiles are alike."""


@dataclass(frozen=True)
class JobCounters:
    """What the machine latches of a job; names as in `hw.registers.map.COUNTERS`, cycles all.

    Attributes
    ----------
    cycles : int
        From the later of its start and the end of the job before it, to its end.
    beats, skipped : int
        Beats that entered the array; residual beats left out.
    act_stalls, weight_stalls, result_stalls : int
        Cycles without a beat, by what was waited for.
    """

    cycles: int
    beats: int = 0
    skipped: int = 0
    act_stalls: int = 0
    weight_stalls: int = 0
    result_stalls: int = 0


COUNTER_NAMES = tuple(field.name for field in fields(JobCounters))
"""What is predicted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScheduledJob:
    """A job, and the precision of all its blocks.

    Attributes
    ----------
    kind : JobKind
    m, n, k : int
        A conversion has no `m`.
    tiles : int
        Token tiles resident: JOB_TILES.
    float_format : str
        Of the activations: "fp32", "fp16" or "bf16".
    output : Output
        Format of a GEMM's results.
    bias : bool
        Biases head each column tile's weights.
    searches : bool
        Tags are found by TOP with more than none and fewer than all K-blocks.
    untagged : bool
        A GEMM whose A is MX6 by HEAD, so that it waits for no tags: `hw.contract.job.is_untagged`.
    act_mx9 : ndarray of bool, shape (tiles, K-blocks) or (1, K-blocks)
        Which K-blocks of each token tile of A (of each column tile of what is converted) are MX9.
    act_residual : ndarray of bool, optional
        In which of them some residual is not zero; all by default.
    weight_mx9, weight_residual : ndarray of bool, shape (column tiles or 1, K-blocks), optional
        The same of B; no MX9 by default.
    order_cycles : tuple of int, optional
        Where channels are put into an order: for each arriving K-block of a row, in how many cycles
        it is written; `spread_cycles` of `hw.activations.scatter` for an order from `spread_lanes`.
    table : int
        Calibration table of the order.
    loads_table : bool
        Software writes the order before this job starts.
    start : int, optional
        Cycle of its start; as early as the queue has room by default.
    """

    kind: JobKind = JobKind.GEMM
    m: int = 1
    n: int
    k: int
    tiles: int = 1
    float_format: str = "fp16"
    output: Output = Output.FP32
    bias: bool = False
    searches: bool = False
    untagged: bool = False
    act_mx9: Flags | None = None
    act_residual: Flags | None = None
    weight_mx9: Flags | None = None
    weight_residual: Flags | None = None
    order_cycles: tuple[int, ...] | None = None
    table: int = 0
    loads_table: bool = False
    start: int | None = None

    def __post_init__(self) -> None:
        if min(self.m, self.n, self.k, self.tiles) < 1:
            raise ValueError(f"m, n, k and tiles must be at least 1, not {self.m}, {self.n}, "
                             f"{self.k} and {self.tiles}")
        for name in ("act_mx9", "act_residual", "weight_mx9", "weight_residual"):
            flags = getattr(self, name)
            if flags is not None and (flags.ndim != 2 or flags.shape[1] != self.k_blocks):
                raise ValueError(f"{name} must have {self.k_blocks} K-blocks per tile, "
                                 f"not the shape {flags.shape}")
        if self.untagged and (self.kind is not JobKind.GEMM or self.precisions[0].any()):
            raise ValueError("an untagged job is a GEMM whose A is MX6")
        if self.order_cycles is not None and len(self.order_cycles) != self.k_blocks:
            raise ValueError(f"order_cycles must say a number for each of {self.k_blocks} K-blocks")

    @property
    def k_blocks(self) -> int:
        """K-blocks of a tile."""
        return -(-self.k // BLOCK_SIZE)

    @property
    def packs_results(self) -> bool:
        """Whether results leave as MX blocks."""
        return self.output in (Output.MX6, Output.MX9)

    @cached_property
    def precisions(self) -> tuple[Flags, Flags, Flags, Flags]:
        """Give `act_mx9`, `act_residual`, `weight_mx9`, `weight_residual` with their defaults."""
        none = np.zeros((1, self.k_blocks), np.bool_)
        act = none if self.act_mx9 is None else self.act_mx9
        weight = none if self.weight_mx9 is None else self.weight_mx9
        return (act, act if self.act_residual is None else self.act_residual,
                weight, weight if self.weight_residual is None else self.weight_residual)
