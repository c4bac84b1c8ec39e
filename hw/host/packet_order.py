"""Which packets a job takes and gives, in what order, and what lies where in them."""

from typing import NamedTuple

from golden.formats import BLOCK_SIZE
from hw.contract.block_bits import BASE_BLOCK_BITS, RESIDUAL_BLOCK_BITS
from hw.contract.job_codes import JobKind, Output

BASE_BYTES = BASE_BLOCK_BITS // 8
RESIDUAL_BYTES = RESIDUAL_BLOCK_BITS // 8


class Part(NamedTuple):
    """Part of a matrix: `rows` rows from `row`, `cols` columns from `col`."""

    row: int
    rows: int
    col: int
    cols: int


def resident_tiles(config, m, k):
    """Choose how many token tiles stay on chip while B streams by once.

    Half of the memory, so that the other half takes the next group meanwhile; but not so few that
    the weight stream, which brings a K-block in several beats, can't keep the array busy.

    Parameters
    ----------
    config : Config
    m, k : int
        Rows and columns of A.
    """
    k_blocks = -(-k // BLOCK_SIZE)
    enough = -(-config.cols * BASE_BYTES // config.weight_bytes) + 1
    tiles = max(config.act_depth // 2 // k_blocks, min(enough, config.act_depth // k_blocks), 1)
    return min(tiles, config.tile_slots // 2, -(-m // config.rows))


def weight_passes(config, job):
    """Count how often all of B streams by: once per group of resident token tiles."""
    return 0 if job.converts else -(-job.m // (config.rows * job.tiles))


def activation_packets(config, job):
    """List the packets of ``s_axis_act`` in order: which part of the job's input each holds.

    The input is A[m, k]; for CONVERT it is B transposed, [n, k]; for CONVERT_TRANSPOSED, B[k, n].

    Yields
    ------
    Part
    """
    match job.kind:
        case JobKind.GEMM:
            yield from (Part(row, 1, 0, job.k) for row in range(job.m))
        case JobKind.GEMM_PACKED:
            for row in range(0, job.m, config.rows):
                yield Part(row, min(config.rows, job.m - row), 0, job.k)
        case JobKind.CONVERT:
            yield from (Part(row, 1, 0, job.k) for row in range(job.n))
        case JobKind.CONVERT_TRANSPOSED:
            for col in range(0, job.n, config.cols):
                cols = min(config.cols, job.n - col)
                yield from (Part(row, 1, col, cols) for row in range(job.k))


def conversion_packets(config, job):
    """List the packets that a conversion gives: which part of B[k, n] each holds.

    Each is a column tile as ``s_axis_wgt`` takes it.

    Yields
    ------
    Part
    """
    for col in range(0, job.n, config.cols):
        yield Part(0, job.k, col, min(config.cols, job.n - col))


def result_packets(config, job):
    """List the packets of floating-point results in order: which part of C each holds.

    Yields
    ------
    Part
    """
    group_rows = config.rows * job.tiles
    for group in range(0, job.m, group_rows):
        for col in range(0, job.n, config.cols):
            for tile in range(group, min(group + group_rows, job.m), config.rows):
                last = min(tile + config.rows, job.m)
                for row in range(tile, last, config.drain_rows):
                    yield Part(row, min(config.drain_rows, last - row),
                               col, min(config.cols, job.n - col))


def result_rows(config, job):
    """List the rows of results in the order in which they leave, be it several to a packet.

    Yields
    ------
    tuple of (int, int, int)
        Row of C, its first column here, columns here.
    """
    for part in result_packets(config, job):
        for row in range(part.row, part.row + part.rows):
            yield row, part.col, part.cols


def packed_result_chunks(config, job):
    """List the packets of packed results in order: which part of C each holds.

    A part is one K-block of a later job, so 16 columns but for the last ones; its rows are one
    token tile. A column tile of more than 16 columns leaves as several parts for each token tile.

    Yields
    ------
    Part
    """
    group_rows, together = config.rows * job.tiles, max(config.cols, BLOCK_SIZE)
    for group in range(0, job.m, group_rows):
        for first in range(0, job.n, together):
            for row in range(group, min(group + group_rows, job.m), config.rows):
                for col in range(first, min(first + together, job.n), BLOCK_SIZE):
                    yield Part(row, min(config.rows, job.m - row),
                               col, min(BLOCK_SIZE, job.n - col))


def number_bytes(output):
    """Count the bytes of a floating-point result."""
    return 4 if output is Output.FP32 else 2


def packet_bytes(config, job, part):
    """Count the bytes of a result packet, those that its ``tkeep`` marks.

    Parameters
    ----------
    config : Config
    job : Job
        A GEMM.
    part : Part
        From `packed_result_chunks` if `job` has packed results, else from `result_packets`.
    """
    if not job.is_packed:
        return part.rows * part.cols * number_bytes(job.output)
    sizes = [BASE_BYTES] + [RESIDUAL_BYTES] * (job.output is Output.MX9)
    return sum(-(-part.rows * size // config.act_bytes) * config.act_bytes for size in sizes)


def assemble_rows(config, job, packets):
    """Put the packets of floating-point results together.

    Parameters
    ----------
    config : Config
    job : Job
    packets : iterable of bytes
        The bytes that ``tkeep`` marks, in the order of `result_packets`.

    Returns
    -------
    list of bytes
        The m rows of C, n little-endian numbers each.

    Raises
    ------
    ValueError
        If there are fewer packets than the job gives, or more.
    """
    size = number_bytes(job.output)
    rows = [bytearray(job.n * size) for _ in range(job.m)]
    for part, packet in zip(result_packets(config, job), packets, strict=True):
        length = part.cols * size
        for index in range(part.rows):
            rows[part.row + index][part.col * size : part.col * size + length] = (
                packet[index * length : (index + 1) * length])
    return [bytes(row) for row in rows]


def assemble_packed(config, job, packets):
    """Put the packets of packed results together into what a GEMM_PACKED job takes as A.

    Parameters
    ----------
    config : Config
    job : Job
    packets : iterable of bytes
        In the order of `packed_result_chunks`.

    Returns
    -------
    list of bytes
        One packet for each token tile of the later job.
    """
    chunks = dict(zip(packed_result_chunks(config, job), packets, strict=True))
    return [
        b"".join(_precisions(config, job, part.col // BLOCK_SIZE) + chunks[part] for part in tile)
        for tile in _by_tile(chunks)
    ]


def _by_tile(parts):
    """Group the parts of C by token tile, the columns in order."""
    tiles = {}
    for part in parts:
        tiles.setdefault(part.row, []).append(part)
    return [sorted(tiles[row], key=lambda part: part.col) for row in sorted(tiles)]


def _precisions(config, job, k_block):
    """Make the beat of precision bits that stands before a K-block, if one does."""
    covered = 8 * config.act_bytes
    if k_block % covered:
        return b""
    k_blocks = min(-(-job.n // BLOCK_SIZE) - k_block, covered)
    bits = ((1 << k_blocks) - 1) * (job.output is Output.MX9)
    return bits.to_bytes(config.act_bytes, "little")
