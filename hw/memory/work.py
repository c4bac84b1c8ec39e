"""What the dispatcher tells the readers and the writer of each iteration of a command."""

from amaranth.lib import data, enum
from amaranth.utils import exact_log2

COUNT_BITS = 32
"""Of the ring's counts."""

UNDER_WAY = 8
"""Most commands that have begun and not ended."""

FENCE_BITS = 9
"""Of a count that is waited for: it is at most 254 below the count of ended commands, since a
distance has eight bits, and at most `UNDER_WAY` above it."""

INDEX_BITS = exact_log2(UNDER_WAY)
"""Of ``index``, which tells commands under way apart: the lowest bits of their sequence numbers."""

SIZE_BITS = 32
"""Of strides, steps and dimensions."""


BLOCKS_BITS = 16
"""Of a number of K-blocks."""


def largest_group(config):
    """Give the rows of the largest group of resident token tiles that a job may have."""
    return config.tile_slots * config.rows


def fence_layout():
    """Describe what has to have ended before an operand is read.

    Members
    -------
    waits : unsigned(1)
        There is such a thing.
    ended : unsigned(FENCE_BITS)
        The count of ended commands that has to be reached, modulo ``2**FENCE_BITS``.
    """
    return data.StructLayout({"waits": 1, "ended": FENCE_BITS})


def holds(fence, completed):
    """Tell whether a fence still holds its reader back, as an expression."""
    return fence.waits & (completed - fence.ended)[FENCE_BITS - 1]


class Walk(enum.Enum, shape=2):
    """In what pieces activations lie."""

    ROWS = 0
    """Rows, one after the other."""
    COLUMNS = 1
    """Rows of a column tile, one column tile after the other."""
    TILES = 2
    """Packed tiles of rows."""


def rows_layout(*, address_bits, length_bits):
    """Describe the activations of a job.

    Members
    -------
    fence : fence_layout
    walk : Walk
    address : unsigned(address_bits)
        Of the first byte.
    stride : unsigned(32)
        Bytes from a row, or a packed tile, to the next.
    rows, cols : unsigned(32)
        Of the matrix in memory; of `TILES` its lines are the rows. At least 1; of `ROWS` and
        `TILES` the columns do not count.
    k_blocks : unsigned(16)
        Of a packed tile.
    is_wide : unsigned(1)
        A number has 4 bytes, not 2.
    length : unsigned(length_bits)
        Bytes of a row.
    """
    return data.StructLayout({
        "index": INDEX_BITS, "fence": fence_layout(), "walk": Walk, "address": address_bits,
        "stride": SIZE_BITS,
        "rows": SIZE_BITS, "cols": SIZE_BITS, "k_blocks": BLOCKS_BITS, "is_wide": 1,
        "length": length_bits})


def tiles_layout(*, address_bits):
    """Describe the weights of a job: column tiles, all of them for each group of token tiles.

    Members
    -------
    fence, side_fence : fence_layout
        Of the tiles, and of the biases.
    address, bias : unsigned(address_bits)
        Of the first tile; of the first column's bias.
    has_bias : unsigned(1)
    m, group_rows : unsigned(32)
        Rows of A, and of a group of token tiles: all tiles come for each group.
    n : unsigned(32)
        Columns.
    stride : unsigned(32)
        Bytes from one tile to the next.
    k_blocks : unsigned(16)
    """
    return data.StructLayout({
        "index": INDEX_BITS, "fence": fence_layout(), "side_fence": fence_layout(),
        "address": address_bits, "bias": address_bits, "has_bias": 1,
        "m": SIZE_BITS, "group_rows": SIZE_BITS, "n": SIZE_BITS, "stride": SIZE_BITS,
        "k_blocks": BLOCKS_BITS})


def beside_layout(*, address_bits, length_bits):
    """Describe what numbers meet in the lanes: rows of FP32 numbers.

    Members
    -------
    side_fence, residual_fence : fence_layout
        Of biases and column factors, and of the residual.
    bias, channel, residual : unsigned(address_bits)
        Of the first byte.
    has_bias, has_channel, has_residual : unsigned(1)
        At least one is set.
    length : unsigned(length_bits)
        Bytes of a row.
    m, n : unsigned(32)
        Rows and columns of the residual, at least 1.
    group_rows : unsigned(32)
        Rows of a group of resident token tiles.
    in_tiles : unsigned(1)
        The residual is that of a GEMM.
    stride : unsigned(32)
        Bytes from a row of the residual to the next; 0: it has one for all.
    """
    return data.StructLayout({
        "index": INDEX_BITS, "side_fence": fence_layout(), "residual_fence": fence_layout(),
        "bias": address_bits, "channel": address_bits, "residual": address_bits,
        "has_bias": 1, "has_channel": 1, "has_residual": 1, "length": length_bits,
        "m": SIZE_BITS, "n": SIZE_BITS, "group_rows": SIZE_BITS, "in_tiles": 1,
        "stride": SIZE_BITS})


def piece_layout(*, address_bits, length_bits):
    """Describe bytes to be read, `last` if they end a packet."""
    return data.StructLayout({
        "address": address_bits, "length": length_bits, "last": 1, "index": INDEX_BITS})


class Form(enum.Enum, shape=2):
    """What results are in memory."""

    NUMBERS = 0
    """Rows of numbers."""
    WEIGHTS = 1
    """Packed column tiles, as they leave; of a pass packed token tiles."""
    BLOCKS = 2
    """Packed token tiles, that leave a block at a time."""
    COUNT = 3
    """No results, but the count of ended commands, `m`, once all before it is in memory."""


def results_layout(*, address_bits, has_vector=False):
    """Describe where the results of an iteration go.

    Members
    -------
    form : Form
    of_rows : unsigned(1)
        With a vector unit, of `WEIGHTS`: they are token tiles of the m rows, not column tiles.
    has_tags : unsigned(1)
        With a vector unit, of `BLOCKS`: precision bits come with them.
    address : unsigned(address_bits)
        Of the first byte.
    stride : unsigned(32)
        Bytes from one row, or packed tile, to the next.
    m, n : unsigned(32)
    group_rows : unsigned(32)
        Rows of a group of resident token tiles.
    is_wide : unsigned(1)
        A number has 4 bytes, not 2.
    is_mx9 : unsigned(1)
        Blocks have residuals.
    is_last : unsigned(1)
        It is the last iteration of its command.
    ends : unsigned(1)
        Nothing follows of its command.
    """
    return data.StructLayout({
        "index": INDEX_BITS, "form": Form, **({"of_rows": 1, "has_tags": 1} if has_vector else {}),
        "address": address_bits, "stride": SIZE_BITS, "m": SIZE_BITS,
        "n": SIZE_BITS, "group_rows": SIZE_BITS, "is_wide": 1, "is_mx9": 1,
        "is_last": 1, "ends": 1})


def store_layout(*, address_bits, data_bytes):
    """Describe a word that goes to memory.

    Members
    -------
    word : unsigned(address_bits - log2(data_bytes))
        Its address in words of the bus.
    data : unsigned(8 * data_bytes)
    strobes : unsigned(data_bytes)
    ends : unsigned(1)
        It is the last of its command.
    after : unsigned(1)
        It goes when all before it have been answered.
    """
    return data.StructLayout({
        "word": address_bits - exact_log2(data_bytes), "data": 8 * data_bytes,
        "strobes": data_bytes, "ends": 1, "after": 1})


def row_store_layout(*, rows, address_bits, data_bytes):
    """Describe a word that goes to memory, of a row of a group of resident token tiles.

    Members
    -------
    row, next_row : unsigned
        Of its group, below `rows`; and of the piece that comes next, if the guess is right.
    is_last : unsigned(1)
        It is the last of its command's rows.
    ...
        As in `store_layout`.
    """
    return data.StructLayout({
        **dict(store_layout(address_bits=address_bits, data_bytes=data_bytes).members),
        "row": range(max(2, rows)), "next_row": range(max(2, rows)), "is_last": 1})
