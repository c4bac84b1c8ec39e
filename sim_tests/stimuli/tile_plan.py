"""What a GEMM's loops must do: every beat in order, and a memory in which tiles come and go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.config import Config
from hw.host.job_request import Job
from hw.host.packet_order import result_rows

Flags = NDArray[np.integer]
"""Of a tile, per K-block: bit 0 is MX9, bit 1 has a residual."""


@dataclass(frozen=True)
class Beat:
    """One expected beat: job, token tile, column tile, K-block, and the ports' values."""

    job: int
    act: int
    weight: int
    k_block: int
    ports: dict[str, int]
    tile: dict[str, int]


class Memory:
    """Tiles of one operand, arriving in order wherever the ring has room; flags per K-block."""

    def __init__(self, tiles: Sequence[Flags], depth: int, slots: int) -> None:
        self.tiles, self.depth, self.slots = tiles, depth, slots
        self.contents: list[tuple[int, int] | None] = [None] * depth  # (tile, K-block)
        self.arrived = self.released = self._next = 0

    def arrive(self) -> bool:
        """Let the next tile arrive if there is one, and room."""
        if self.arrived == len(self.tiles) or self.arrived - self.released == self.slots:
            return False
        places = [(self._next + block) % self.depth
                  for block in range(len(self.tiles[self.arrived]))]
        if any(self.contents[place] is not None for place in places):
            return False
        for block, place in enumerate(places):
            self.contents[place] = (self.arrived, block)
        self._next = (self._next + len(places)) % self.depth
        self.arrived += 1
        return True

    def release(self) -> None:
        """Forget the oldest tile."""
        self.contents = [None if place and place[0] == self.released else place
                         for place in self.contents]
        self.released += 1

    def flags(self, address: int, rng: np.random.Generator) -> int:
        """Read flags; those of an empty place are anything."""
        place = self.contents[address] if address < self.depth else None
        return int(rng.integers(4)) if place is None else int(self.tiles[place[0]][place[1]])


def plan(
    config: Config, jobs: Sequence[Job], rng: np.random.Generator, residuals: Sequence[float]
) -> tuple[list[Beat], list[Flags], list[Flags]]:
    """List the expected beats, and the flags of all tiles of A and of B.

    ``residuals`` are the shares of MX6 K-blocks, of MX9 without and of MX9 with a residual.
    """
    acts, weights, beats = [], [], []
    parts = 16 // config.cols if 16 % config.cols == 0 else 1  # column tiles in a block of results
    for number, job in enumerate(jobs):
        k_blocks = -(-job.k // 16)
        row_tiles, col_tiles = range(0, job.m, config.rows), range(0, job.n, config.cols)
        first_act, rows_seen = len(acts), []
        acts += [rng.choice([0, 1, 3], k_blocks, p=residuals) for _ in row_tiles]
        for at in range(0, len(row_tiles), job.tiles):
            group = row_tiles[at : at + job.tiles]
            for col in col_tiles:
                weights.append(rng.choice([0, 1, 3], k_blocks, p=residuals))
                for row in group:
                    act = first_act + row // config.rows
                    rows, cols = min(config.rows, job.m - row), min(config.cols, job.n - col)
                    rows_seen += [(line, col, cols) for line in range(row, row + rows)]
                    column_tile = col // config.cols
                    tile = {
                        "rows": rows, "cols": cols, "k_blocks": k_blocks,
                        "output": job.output.value, "has_bias": job.bias,
                        "token_tile": row // config.rows % job.tiles, "part": column_tile % parts,
                        "block_ends": col == col_tiles[-1] or (column_tile + 1) % parts == 0,
                        "releases_act": col == col_tiles[-1], "releases_weight": row == group[-1],
                        "job_last": col == col_tiles[-1] and row == row_tiles[-1],
                    }
                    beats += _tile_beats(number, act, len(weights) - 1, acts, weights, tile)
        assert rows_seen == list(result_rows(config, job)), "the driver's order is another one"
    return beats, acts, weights


def _tile_beats(
    job: int, act: int, weight: int, acts: list[Flags], weights: list[Flags], tile: dict[str, Any]
) -> Iterator[Beat]:
    kinds = [(block, *kind) for block in range(tile["k_blocks"])
             for kind in ((0, 0), (1, 0), (0, 1), (1, 1))
             if kind[0] <= acts[act][block] >> 1 and kind[1] <= weights[weight][block] >> 1]
    for index, (block, act_residual, weight_residual) in enumerate(kinds):
        yield Beat(job, act, weight, block, {
            "act_residual": act_residual, "weight_residual": weight_residual,
            "first": index == 0, "last": index == len(kinds) - 1}, tile)
