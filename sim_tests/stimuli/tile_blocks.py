"""Golden tensors as streams of tile blocks (`hw.contract.tile_block`), and jobs that bring them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden import MXTensor, quantize
from golden.encode import NAN_EXPONENT
from golden.mx import saturated_count, to_blocks
from hw.contract.config import Config
from hw.contract.job import job_layout
from hw.contract.job_codes import AnyKind, JobKind, Selection
from sim_tests import drive
from sim_tests.stimuli.operands import block_fields, noise

OF_ROWS = (JobKind.GEMM, JobKind.GEMM_PACKED, AnyKind.VECTOR_PACKED)
"""Jobs whose tiles have rows of A, or of a pass; those of others have columns of B."""

PLANES = ("exponent", "microexponent", "mantissa", "sign", "is_mx9")


@dataclass(frozen=True)
class TiledJob:
    """A job as the engines between aligner and operand memory see it.

    Attributes
    ----------
    x : ndarray of float32, shape (rows, k)
        Rows of A in a GEMM or of a pass, columns of B in a conversion.
    tensor : MXTensor
        What they become.
    kind : JobKind or AnyKind
    policy : dict
        Fields of `hw.contract.outlier_policy.policy_layout`.
    table : int
    """

    x: NDArray[np.float32]
    tensor: MXTensor
    kind: JobKind | AnyKind = JobKind.GEMM
    policy: dict[str, int] = field(default_factory=lambda: {"units": 0})
    table: int = 0

    @property
    def is_untagged(self) -> bool:
        """Whether its tiles come row by row, since all their blocks are MX6 whatever they hold."""
        return (self.kind is JobKind.GEMM and not self.policy["units"]
                and self.policy.get("selection") == Selection.HEAD.value)

    def lanes(self, config: Config) -> int:
        """Return the rows of a whole tile."""
        return config.rows if self.kind in OF_ROWS else config.cols

    def tiles(self, config: Config) -> Iterator[tuple[NDArray[np.float32], MXTensor]]:
        """Cut the job into its tiles."""
        lanes = self.lanes(config)
        for row in range(0, len(self.x), lanes):
            part = slice(row, row + lanes)
            yield self.x[part], replace(self.tensor, **{
                name: getattr(self.tensor, name)[part] for name in PLANES})


IGNORED = ("tiles", "float_format", "output", "has_bias", "reorder", "measure")
"""Fields of a job that none of these engines looks at."""


def job_words(config: Config, jobs: Sequence[TiledJob]) -> list[int]:
    """Pack jobs for a stream of `job_layout`; what does not matter holds anything.

    That is the dimension that is not tiled, and what is `IGNORED`.
    """
    words, layout = [], job_layout(config)
    others = {name: noise(layout[name].shape, len(jobs), name) for name in ("m", "n", *IGNORED)}
    for index, job in enumerate(jobs):
        rows, k = job.x.shape
        stages = {"stages": noise(layout["stages"].shape, 1, f"stages {index}")} if (
            config.vector_lanes) else {}
        words += drive.pack(layout, {name: values[index] for name, values in others.items()} | {
            **stages, "kind": [job.kind.value], "m" if job.kind in OF_ROWS else "n": rows, "k": k,
            "k_blocks": -(-k // 16), "table": job.table,
            "policy": {name: [value] for name, value in job.policy.items()}})
    return words


def tile_fields(
    x: NDArray[np.float32], tensor: MXTensor, job_last: bool, rounding: str, *,
    by_row: bool = False,
) -> dict[str, Any]:
    """Return a tile as fields of `tile_block_layout`, K-block by K-block or row by row."""
    rows, k_blocks = tensor.exponent.shape
    row, k_block = (index.ravel("C" if by_row else "F") for index in np.indices((rows, k_blocks)))
    blocks = {name: value[row, k_block] for name, value in block_fields(tensor).items()}
    return {
        "rounded": {
            "block": blocks, "is_mx9": tensor.is_mx9[row, k_block],
            "saturated": saturated(x, tensor, rounding)[row, k_block],
            "has_residual": blocks["residual"].any(axis=-1),
            "has_nan": blocks["exponent"] == NAN_EXPONENT,
        },
        "row": row, "row_last": row == rows - 1, "k_first": k_block == 0,
        "k_last": k_block == k_blocks - 1, "job_last": np.full(rows * k_blocks, job_last),
    }


def saturated(x: NDArray[np.float32], tensor: MXTensor, rounding: str) -> NDArray[np.int64]:
    """Count each block's saturated elements, none when truncating: shape (rows, K-blocks)."""
    counts = np.zeros(tensor.exponent.shape, np.int64)
    if rounding == "truncate":
        return counts
    blocks = to_blocks(x, -1)
    for at in np.ndindex(counts.shape):
        one = quantize(blocks[at], "MX9" if tensor.is_mx9[at] else "MX6")
        counts[at] = saturated_count(blocks[at], one)
    return counts


def stream_fields(config: Config, jobs: Sequence[TiledJob]) -> list[dict[str, Any]]:
    """Return all tiles of jobs as fields of `tile_block_layout`, tile by tile."""
    fields = []
    for job in jobs:
        tiles = list(job.tiles(config))
        fields += [tile_fields(*tile, number == len(tiles) - 1, config.rounding,
                               by_row=job.is_untagged)
                   for number, tile in enumerate(tiles)]
    return fields
