"""A core's cycles of a job between neighbours, and the groups that it works in."""

from functools import lru_cache

from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Output
from hw.host.packet_order import resident_tiles
from perf.rtl.schedule import ScheduledJob, predict, uniform_job


@lru_cache(maxsize=65536)
def gemm_cycles(
    config: Config, m: int, n: int, k: int, tiles: int, act_share: float, weight_share: float,
    searches: bool = False,
) -> int:
    """Count the cycles of a GEMM between others like it; activations and results are FP16.

    Parameters
    ----------
    config : Config
    m, n, k : int
    tiles : int
        Token tiles resident.
    act_share, weight_share : float
        Of K-blocks in MX9.
    searches : bool
        For those of the activations.

    Notes
    -----
    How far loading runs ahead of the array is settled once it has filled its memory, which holds
    no more than `tile_slots` token tiles. After `settled_groups` groups of resident tiles each
    takes as long as the one before; if the last two differ, all are followed.
    """
    rows = config.rows * tiles
    groups, settled = -(-m // rows), settled_groups(config, tiles)
    rest = (config, n, k, tiles, act_share, weight_share, searches)
    if groups > settled:
        last = m - (groups - 1) * rows
        before, shorter, longer = (whole_gemm_cycles(rest[0], number * rows + last, *rest[1:])
                                   for number in range(settled - 3, settled))
        if longer - shorter == shorter - before:
            return longer + (groups - settled) * (longer - shorter)
    return whole_gemm_cycles(rest[0], m, *rest[1:])


def settled_groups(config: Config, tiles: int) -> int:
    """Count the groups that are followed at least."""
    return 2 * config.tile_slots // tiles + 4


def whole_gemm_cycles(
    config: Config, m: int, n: int, k: int, tiles: int, act_share: float, weight_share: float,
    searches: bool = False,
) -> int:
    """Count the same, following every group."""
    job = uniform_job(config, m, n, k, tiles=tiles, act_share=act_share, weight_share=weight_share,
                      output=Output.FP16, bias=True, searches=searches and 0 < act_share < 1)
    return steady_cycles(config, (job,))


def steady_cycles(config: Config, jobs: tuple[ScheduledJob, ...], rounds: int = 4) -> int:
    """Count the cycles of some jobs that follow each other over and over, once round.

    Parameters
    ----------
    config : Config
    jobs : tuple of ScheduledJob
    rounds : int
        The last but one is counted.
    """
    counts = predict(config, list(jobs) * rounds)
    return sum(each.cycles for each in counts[-2 * len(jobs):-len(jobs)])


@lru_cache(maxsize=4096)
def attention_cycles(
    config: Config, rows: int, tokens: int, channels: int, tiles: int, a_mx9: bool, b_mx9: bool
) -> int:
    """Count the cycles of one group of rows of a head: their scores, and a group's output.

    Scores of a group become P where they leave the array, packed in the precision of Q, while the
    array makes the output of the group before, so the two GEMMs alternate.

    Parameters
    ----------
    config : Config
    rows : int
        Of Q, at most `tiles` token tiles.
    tokens : int
        Of K and V.
    channels : int
        Of a head.
    tiles : int
    a_mx9, b_mx9 : bool
        Whether Q and the softmax's result, and K and V, are MX9 in this head.
    """
    shares = {"act_share": a_mx9, "weight_share": b_mx9, "tiles": tiles}
    packed = Output.MX9 if a_mx9 else Output.MX6
    return steady_cycles(config, (
        uniform_job(config, rows, tokens, channels, output=packed, **shares),
        uniform_job(config, rows, channels, tokens, kind=JobKind.GEMM_PACKED, output=Output.FP16,
                    **shares)), 5)


@lru_cache(maxsize=4096)
def conversion_cycles(config: Config, tokens: int, channels: int, mx9: bool) -> int:
    """Count the cycles in which K and V of some tokens of a head become packed weights."""
    shares = {"act_share": mx9, "tiles": 1}
    return steady_cycles(config, (
        uniform_job(config, 1, tokens, channels, kind=JobKind.CONVERT, **shares),
        uniform_job(config, 1, channels, tokens, kind=JobKind.CONVERT_TRANSPOSED,
                    **shares)))


def linear_tiles(config: Config, m: int, k: int, wanted: int | None) -> int:
    """Choose how many token tiles are resident: as wanted, if there is room."""
    k_blocks = -(-k // BLOCK_SIZE)
    if wanted is None:
        return resident_tiles(config, m, k)
    return max(1, min(wanted, config.act_depth // k_blocks, -(-m // config.rows)))
