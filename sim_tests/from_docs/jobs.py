"""Jobs as the documentation describes them: their registers, packets and expected results.

`Gemm` is a whole GEMM; `Activations` is what the machine makes of floating-point numbers.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sim_tests.from_docs import packets
from sim_tests.from_docs.numerics import (
    BLOCK,
    FP16,
    FP32,
    Beat,
    Block,
    Float,
    Rounding,
    add,
    beats_of,
    blocks_of,
    dot,
    in_chunks,
    narrow,
    packed_tile,
    packed_unit,
    quantize,
    top,
    unit_magnitudes,
    widen,
)
from sim_tests.from_docs.pins import (
    ACT_BYTES,
    BIAS,
    COLS,
    DRAIN_LANES,
    FRACTION_BITS,
    GEMM,
    GEMM_PACKED,
    HEAD,
    MX9,
    REORDER,
    RESULT_BYTES,
    ROWS,
    STATIC,
    THRESHOLD,
    TOP,
    WEIGHT_BYTES,
)

NO_TABLE = 99
ARRAY = packets.Array(ROWS, COLS, DRAIN_LANES // COLS)

Matrix = list[list[int]]
Blocks = list[list[Block]]


# Selections


@dataclass(frozen=True)
class Selection:
    """How the outlier K-blocks of a tile are chosen: the JOB registers, and what they mean."""

    registers: dict[str, int]
    choose: Callable[[list[int]], list[bool]]


def select_top(units: int) -> Selection:
    """The largest ones of each tile."""
    return Selection({"SELECTION": TOP, "UNITS": units}, lambda x: top(x, units))


def select_above(threshold: int) -> Selection:
    """Those with a larger magnitude."""
    return Selection(
        {"SELECTION": THRESHOLD, "THRESHOLD": threshold}, lambda x: [y > threshold for y in x]
    )


def select_static(tags: list[bool]) -> Selection:
    """Those of the job's table."""
    return Selection({"SELECTION": STATIC}, lambda _: tags)


def select_all(is_mx9: bool) -> Selection:
    """All or none."""
    return Selection({"SELECTION": HEAD, "UNITS": int(is_mx9)}, lambda x: [is_mx9] * len(x))


# Random operands


def random_number(rng: random.Random, source: Float, center: int, spread: int) -> int:
    """A pattern with an exponent near `center`, or now and then a special case."""
    kind = rng.random()
    fraction_bits = source.precision - 1
    exponent = min(max(center + rng.randint(-spread, spread), 1), source.largest - 1)
    fraction = rng.getrandbits(fraction_bits)
    if kind < 0.06:
        exponent, fraction = 0, 0
    elif kind < 0.10:
        exponent = 0
    elif kind < 0.25:
        fraction |= ((1 << fraction_bits) - 1) & ~1
    elif kind < 0.35:
        fraction &= 0b101 << (fraction_bits - 5 if fraction_bits > 7 else 2)
    sign = rng.getrandbits(1)
    return sign << (8 * source.size - 1) | exponent << fraction_bits | fraction


def random_matrix(
    rng: random.Random, rows: int, columns: int, source: Float = FP32, center: int | None = None
) -> Matrix:
    """Rows of numbers; every column of K-blocks has its own range."""
    middle = source.largest // 2 if center is None else center
    spread = 2 if source is FP16 else 3
    centers = [middle + rng.randint(-2 * spread, 2 * spread) for _ in range(columns // 8 + 1)]
    return [
        [random_number(rng, source, centers[k // 8], spread) for k in range(columns)]
        for _ in range(rows)
    ]


def random_weights(rng: random.Random, n: int, k: int, center: int | None = None) -> list[Blocks]:
    """Packed B: for every column tile its columns, each a list of blocks."""
    return [
        quantize_tile(columns, [rng.random() < 0.4 for _ in blocks_of(columns[0])])[0]
        for columns in in_chunks(random_matrix(rng, n, k, center=center), COLS)
    ]


def with_specials(rng: random.Random, rows: Matrix, source: Float, count: int) -> Matrix:
    """Put infinities and NaNs at a few random places."""
    infinity = source.largest << (source.precision - 1)
    rows = [list(row) for row in rows]
    for i in range(count):
        sign = rng.getrandbits(1) << (8 * source.size - 1)
        rows[rng.randrange(len(rows))][rng.randrange(len(rows[0]))] = sign | infinity | i % 2
    return rows


# The machine's arithmetic on whole tiles


def quantize_tile(
    rows: Sequence[Sequence[int]], tags: Sequence[bool], rounding: Rounding = round
) -> tuple[Blocks, int]:
    """Rows of FP32 in MX, and how many elements were saturated."""
    quantized = [
        [quantize(x, tag, rounding) for x, tag in zip(blocks_of(row), tags, strict=True)]
        for row in rows
    ]
    blocks = [[x.block for x in row] for row in quantized]
    return blocks, sum(x.saturated for row in quantized for x in row)


@dataclass
class Activations:
    """What the machine makes of floating-point activations, and its counters."""

    tiles: list[Blocks] = field(default_factory=list)
    saturated: int = 0

    @classmethod
    def of(
        cls,
        rows: Matrix,
        source: Float,
        selection: Selection,
        order: Sequence[int] = (),
        rounding: Rounding = round,
    ):
        """Widen, reorder, cut into tiles, choose, quantize."""
        made = cls()
        for tile in in_chunks([[widen(x, source) for x in row] for row in rows], ROWS):
            ordered = [[row[c] for c in order] if order else row for row in tile]
            tags = selection.choose(unit_magnitudes(ordered))
            blocks, saturated = quantize_tile(ordered, tags, rounding)
            made.tiles.append(blocks)
            made.saturated += saturated
        return made

    def counters(self) -> dict[str, int]:
        """The counters that follow from the blocks."""
        return tile_counters(self.tiles) | {"SATURATED": self.saturated}


def tile_counters(tiles: Sequence[Blocks]) -> dict[str, int]:
    """The counters that packed activations have too; these saturate nothing."""
    return {
        "MX9_UNITS": sum(x.low is not None for tile in tiles for x in tile[0]),
        "NAN_BLOCKS": sum(x.is_nan for tile in tiles for row in tile for x in row),
        "SATURATED": 0,
    }


def product(
    tiles: Sequence[Blocks], weights: Sequence[Blocks], biases: Sequence[int] | None
) -> Matrix:
    """C in FP32."""
    columns = [x for tile in weights for x in tile]
    result = [[dot(row, x, FRACTION_BITS) for x in columns] for tile in tiles for row in tile]
    if biases is None:
        return result
    return [[add(x, bias) for x, bias in zip(row, biases, strict=True)] for row in result]


def count_beats(tiles: Sequence[Blocks], weights: Sequence[Blocks]) -> tuple[int, int]:
    """BEATS and SKIPPED of a GEMM: a residual beat is left out if either operand is all zero."""
    sent = skipped = 0
    for tile in tiles:
        for columns in weights:
            for a_unit, b_unit in zip(
                zip(*tile, strict=True), zip(*columns, strict=True), strict=True
            ):
                for a in live_parts(a_unit):
                    for b in live_parts(b_unit):
                        sent += a and b
                        skipped += not (a and b)
    return sent, skipped


def live_parts(unit: Sequence[Block]) -> list[bool]:
    """H, and of an MX9 unit L: whether it must be sent."""
    is_mx9 = unit[0].low is not None
    return [True, any(any(x.low or ()) for x in unit)] if is_mx9 else [True]


def column_maxima(rows: Matrix, source: Float) -> list[int]:
    """The largest magnitude of each channel."""
    return [
        max(widen(x, source) & 0x7FFFFFFF for x in column) for column in zip(*rows, strict=True)
    ]


# Packets


def float_packets(result: Matrix, target: Float, group_tiles: int) -> list[list[Beat]]:
    """The packets of a GEMM with floating-point results: one beat each."""
    made = []
    for part in packets.float_results(ARRAY, len(result), len(result[0]), group_tiles):
        beat: list[int | None] = [None] * RESULT_BYTES
        for i in range(part.rows):
            for j in range(part.cols):
                number = narrow(result[part.row + i][part.col + j], target)
                first = packets.float_place(ARRAY, target.size, i, j)
                beat[first : first + target.size] = number.to_bytes(target.size, "little")
        made.append([tuple(beat)])
    return made


def mx_packets(tiles: Sequence[Blocks], n: int, group_tiles: int) -> list[list[Beat]]:
    """The packets of a GEMM with MX results: a K-block of the next GEMM each."""
    m = sum(len(tile) for tile in tiles)
    return [
        beats_of(
            packed_unit([row[part.col // BLOCK] for row in tiles[part.row // ROWS]], ACT_BYTES),
            RESULT_BYTES,
        )
        for part in packets.mx_results(ARRAY, m, n, group_tiles)
    ]


def weight_packets(
    m: int, weights: Sequence[Blocks], group_tiles: int, biases: Sequence[int] | None
) -> list[bytes]:
    """B as it goes in: once for every group of resident tiles."""
    tile_biases = [None] * len(weights) if biases is None else in_chunks(biases, COLS)
    made = [
        packed_tile(columns, WEIGHT_BYTES, bias)
        for columns, bias in zip(weights, tile_biases, strict=True)
    ]
    return made * packets.weight_passes(ARRAY, m, group_tiles)


def row_bytes(row: Sequence[int], source: Float) -> bytes:
    """A packet of activations."""
    return b"".join(x.to_bytes(source.size, "little") for x in row)


# Whole GEMMs


@dataclass
class Gemm:
    """A GEMM from floating-point or packed activations, and what must come of it."""

    job: dict[str, int]
    act_packets: list[bytes]
    wgt_packets: list[bytes]
    results: list[list[Beat]]
    counters: dict[str, int]


def plan_gemm(
    rows: Matrix,
    weights: list[Blocks],
    *,
    source: Float = FP32,
    target: Float | int = FP32,
    group_tiles: int = 1,
    selection: Selection,
    biases: Sequence[int] | None = None,
    order: Sequence[int] = (),
    table: int = NO_TABLE,
    flags: int = 0,
    rounding: Rounding = round,
) -> Gemm:
    """A GEMM job from floating-point activations; an order is that of the job's table."""
    made = Activations.of(rows, source, selection, order, rounding)
    plan = plan_packed_gemm(
        made.tiles,
        len(rows[0]),
        weights,
        target=target,
        group_tiles=group_tiles,
        biases=biases,
        rounding=rounding,
    )
    plan.job |= {"KIND": GEMM, "FORMAT": source.code, "TABLE": table, **selection.registers}
    plan.job["FLAGS"] |= flags | (REORDER if order else 0)
    plan.act_packets = [row_bytes(row, source) for row in rows]
    plan.counters |= made.counters()
    return plan


def plan_packed_gemm(
    tiles: Sequence[Blocks],
    k: int,
    weights: list[Blocks],
    *,
    target: Float | int = FP32,
    group_tiles: int = 1,
    biases: Sequence[int] | None = None,
    rounding: Rounding = round,
) -> Gemm:
    """A GEMM_PACKED job; what it does not look at holds anything."""
    m = sum(len(tile) for tile in tiles)
    result = product(tiles, weights, biases)
    if isinstance(target, Float):
        results = float_packets(result, target, group_tiles)
    else:
        tiles_of_results = mx_results(result, target, rounding)
        results = mx_packets(tiles_of_results, len(result[0]), group_tiles)
    beats, skipped = count_beats(tiles, weights)
    return Gemm(
        {
            "KIND": GEMM_PACKED,
            "M": m,
            "N": len(result[0]),
            "K": k,
            "TILES": group_tiles,
            "FORMAT": 77,
            "OUTPUT": target.code if isinstance(target, Float) else target,
            "FLAGS": 0 if biases is None else BIAS,
            "TABLE": NO_TABLE,
            "SELECTION": 1234567,
            "UNITS": 0xFFFFFFFF,
            "THRESHOLD": 0xFFFFFFFF,
        },
        [packed_tile(tile, ACT_BYTES) for tile in tiles],
        weight_packets(m, weights, group_tiles, biases),
        results,
        {"BEATS": beats, "SKIPPED": skipped, **tile_counters(tiles)},
    )


def mx_results(result: Matrix, target: int, rounding: Rounding = round) -> list[Blocks]:
    """C quantized along N, in token tiles."""
    tags = [target == MX9] * -(-len(result[0]) // 16)
    return [quantize_tile(rows, tags, rounding)[0] for rows in in_chunks(result, ROWS)]
