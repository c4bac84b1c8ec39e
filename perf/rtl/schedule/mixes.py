"""Jobs of which only the shapes and the shares of MX9 are known."""

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from golden.formats import BLOCK_SIZE
from hw.activations.scatter import spread_cycles
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from hw.host.packet_order import resident_tiles
from perf.rtl.schedule.scheduled_job import Flags, ScheduledJob


@lru_cache(maxsize=4096)
def spread(k_blocks: int, share: float) -> Flags:
    """Choose so many K-blocks in MX9, evenly spaced: shape (1, K-blocks).

    Parameters
    ----------
    k_blocks : int
    share : float
        0 to 1; rounded down to whole K-blocks, as `golden.Policy` does.

    Raises
    ------
    ValueError
        If it is not a share.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share of K-blocks is from 0 to 1, not {share}")
    chosen = math.floor(Fraction(str(float(share))) * k_blocks)
    flags = np.zeros((1, k_blocks), np.bool_)
    flags[0, np.arange(chosen) * k_blocks // max(1, chosen)] = True
    flags.setflags(write=False)
    return flags


def uniform_job(
    config: Config, m: int, n: int, k: int, *, act_share: float = 0.0, weight_share: float = 0.0,
    kind: JobKind = JobKind.GEMM, tiles: int | None = None, reorder: bool = False,
    together: bool = True, **others: Any,
) -> ScheduledJob:
    """Make a job whose tiles are all alike, and whose MX9 K-blocks all have residuals.

    Parameters
    ----------
    config : Config
    m, n, k : int
    act_share, weight_share : float
        Shares of the K-blocks of A and of B in MX9. Between none and all, A's are searched for;
        with none, a GEMM is untagged.
    kind : JobKind
        GEMM by default.
    tiles : int, optional
        Resident token tiles; `hw.host.packet_order.resident_tiles` by default.
    reorder : bool
        Channels are put into an order without conflicts.
    together : bool
        MX9 comes first in A and in B, as a calibrated order puts it, so that few K-blocks meet
        both; else evenly spaced in either.
    **others
        As in `ScheduledJob`: float_format, output, bias, searches, …

    Returns
    -------
    ScheduledJob
    """
    blocks = -(-k // BLOCK_SIZE)
    act, weight = spread(blocks, act_share), spread(blocks, weight_share)
    if together:
        act, weight = (np.sort(flags)[:, ::-1] for flags in (act, weight))
    searches = kind is not JobKind.GEMM_PACKED and 0 < int(act.sum()) < blocks
    given = {"searches": searches, "untagged": kind is JobKind.GEMM and not act.any(),
             "order_cycles": spread_cycles(config, k) if reorder else None} | others
    return ScheduledJob(kind=kind, m=m, n=n, k=k, act_mx9=act, weight_mx9=weight,
               tiles=tiles or resident_tiles(config, m, k), **given)
