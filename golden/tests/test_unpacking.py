"""Packets read back, packed activations, packed results, and results that become activations."""

from dataclasses import replace

import numpy as np
import pytest

import golden
from golden.formats import MX4, MX6, MX9
from golden.packing import activation_tiles, result_chunks, weight_stream
from golden.precision import mix
from golden.tests.helpers import assert_same_bits, assert_same_codes
from golden.tests.test_packing import block_bytes
from golden.unpacking import read_activation_tiles, read_weight_stream, tiles_of_chunks


def tiled(lines, k, lanes, seed=0):
    """Mix MX6 and MX9: every tile of `lanes` lines has tags of its own. Blocked along axis 1."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((lines, k)).astype(np.float32)
    x[0, 0] = np.nan
    tags = rng.random((-(-lines // lanes), -(-k // 16))) < 0.4
    tags = np.repeat(tags, lanes, axis=0)[:lines]
    return mix(golden.quantize(x, MX6), golden.quantize(x, MX9), tags)


@pytest.mark.parametrize("beat_bytes", [1, 2, 16, 64])
@pytest.mark.parametrize("lanes", [1, 3, 8])
@pytest.mark.parametrize("k", [1, 16, 300])
def test_reading_undoes_serializing(beat_bytes, lanes, k):
    a = tiled(10, k, lanes)
    packets = activation_tiles(a, lanes, beat_bytes)
    assert_same_codes(read_activation_tiles(packets, (10, k), lanes, beat_bytes), a)
    b = a.transpose()
    assert (b.shape, b.axis) == ((k, 10), 0)
    assert weight_stream(b, lanes, beat_bytes) == packets
    back = read_weight_stream(packets, (k, 10), lanes, beat_bytes)
    assert (back.shape, back.axis) == (b.shape, b.axis)
    assert_same_bits(back.dequantize(), b.dequantize())


@pytest.mark.parametrize("beat_bytes", [2, 8, 64])
def test_biases_head_the_packets_in_whole_beats(beat_bytes):
    b = tiled(10, 40, 4).transpose()
    bias = np.arange(10, dtype=np.float32) - 0.5
    headed = weight_stream(b, 4, beat_bytes, bias)
    for tile, (packet, plain) in enumerate(
        zip(headed, weight_stream(b, 4, beat_bytes), strict=True)
    ):
        numbers = bias[4 * tile : 4 * tile + 4].astype("<f4").tobytes()
        assert packet == numbers + bytes(-len(numbers) % beat_bytes) + plain


@pytest.mark.parametrize("fmt", [MX6, MX9], ids=lambda fmt: fmt.name)
@pytest.mark.parametrize("beat_bytes", [4, 32])
@pytest.mark.parametrize(("rows", "tiles"), [(1, 1), (4, 1), (4, 2), (3, 8)])
def test_result_chunks_as_described(fmt, beat_bytes, rows, tiles):
    m, n = 14, 40
    x = np.random.default_rng(3).standard_normal((m, n)).astype(np.float32)
    c = golden.quantize(x, fmt)
    expected = []
    for group in range(0, m, rows * tiles):
        for block in range(3):
            for first in range(group, min(group + rows * tiles, m), rows):
                chunk = b""
                for part in range(1 + (fmt is MX9)):
                    lines = range(first, min(first + rows, m))
                    chunk += b"".join(block_bytes(c, line, block)[part] for line in lines)
                    chunk += bytes(-len(chunk) % beat_bytes)
                expected.append(chunk)
    assert result_chunks(c, rows, tiles, beat_bytes) == expected


def test_arrays_wider_than_a_block_finish_a_tile_before_the_next():
    x = np.random.default_rng(3).standard_normal((10, 80)).astype(np.float32)
    c = golden.quantize(x, MX6)
    narrow, wide = (result_chunks(c, 4, 2, 4, cols) for cols in (8, 32))
    # Groups of tiles 0, 1 and of tile 2; blocks 0 to 4, of which 0 and 1, 2 and 3 leave together.
    assert wide == [narrow[i] for i in (0, 2, 1, 3, 4, 6, 5, 7, 8, 9, 10, 11, 12, 13, 14)]
    assert wide != narrow and narrow == result_chunks(c, 4, 2, 4)


@pytest.mark.parametrize("fmt", [MX6, MX9], ids=lambda fmt: fmt.name)
@pytest.mark.parametrize(("rows", "tiles"), [(1, 1), (4, 1), (4, 2), (3, 8)])
@pytest.mark.parametrize("cols", [4, 16, 32, 64])
@pytest.mark.parametrize("n", [5, 16, 40, 200])
def test_results_become_activations_without_a_change(fmt, rows, tiles, cols, n):
    x = np.random.default_rng(4).standard_normal((14, n)).astype(np.float32)
    c = golden.quantize(x, fmt)
    chunks = result_chunks(c, rows, tiles, 1, cols)
    packets = tiles_of_chunks(chunks, (14, n), fmt, rows, tiles, 1, cols)
    assert packets == activation_tiles(c, rows, 1)


def test_a_conversion_is_what_the_weight_stream_says():
    """Straight and transposed, with tags per tile of columns."""
    x = np.random.default_rng(5).standard_normal((11, 50)).astype(np.float32)
    policy = golden.Policy(0.5, scope="tile", tile_rows=4)
    b = golden.convert(x, policy)
    assert (b.shape, b.axis) == ((50, 11), 0)
    assert_same_codes(golden.convert(x.T, policy, transposed=True), b)
    assert_same_codes(b.transpose(), golden.apply_policy(x, policy))
    assert np.any(b.is_mx9[0] != b.is_mx9[4])
    packets = weight_stream(b, 4, 16)
    assert_same_codes(read_weight_stream(packets, (50, 11), 4, 16), b)


def test_attention_scores_follow_from_a_converted_key():
    rng = np.random.default_rng(6)
    q, key = rng.standard_normal((2, 9, 24)).astype(np.float32)
    policy = golden.Policy(1.0, tile_rows=4)
    scores = golden.gemm(golden.quantize(q, MX9), golden.convert(key, policy))
    expected = golden.gemm(golden.quantize(q, MX9), golden.quantize(key.T.copy(), MX9, axis=0))
    assert_same_bits(scores, expected)
    assert golden.qsnr(q @ key.T, scores) > 30


GOOD = weight_stream(tiled(5, 40, 4).transpose(), 4, 8)


def with_padding_bit():
    packet = bytearray(GOOD[1])
    packet[8 + 12] |= 1
    return [GOOD[0], bytes(packet)]


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("make 2 packets, not 1", lambda: read_weight_stream(GOOD[:1], (40, 5), 4, 8)),
        (
            f"packet 0 ends after {len(GOOD[0]) - 8} bytes",
            lambda: read_weight_stream([GOOD[0][:-8], GOOD[1]], (40, 5), 4, 8),
        ),
        (
            f"packet 1 has {len(GOOD[1]) + 8} bytes instead of {len(GOOD[1])}",
            lambda: read_weight_stream([GOOD[0], GOOD[1] + bytes(8)], (40, 5), 4, 8),
        ),
        ("not padded with zeros", lambda: read_weight_stream(with_padding_bit(), (40, 5), 4, 8)),
        (
            r"activations must be a matrix \(M, K\) blocked along axis 1",
            lambda: activation_tiles(tiled(5, 40, 4).transpose(), 4, 8),
        ),
        (
            "rows 0 to 2 disagree on the precision",
            lambda: activation_tiles(tiled(5, 200, 1), 3, 8),
        ),
        ("in MX6 or MX9, not in mixed", lambda: result_chunks(tiled(5, 40, 4), 4, 1, 8)),
        (
            "in MX6 or MX9, not in MX4",
            lambda: result_chunks(golden.quantize(np.ones((2, 3), "f4"), MX4), 4, 1, 8),
        ),
        (
            "tiles must be at least 1",
            lambda: result_chunks(golden.quantize(np.ones((2, 3), "f4"), MX6), 4, 0, 8),
        ),
        ("have 6 chunks, not 5", lambda: tiles_of_chunks([b""] * 5, (5, 40), MX6, 4, 1, 8)),
        (
            r"bias must have shape \(5,\), not \(4,\)",
            lambda: weight_stream(tiled(5, 40, 4).transpose(), 4, 8, np.ones(4, "f4")),
        ),
        ("must be a matrix", lambda: golden.convert(np.ones(4, "f4"), golden.Policy())),
        (
            "only a matrix can be transposed",
            lambda: golden.quantize(np.ones((2, 3, 4), "f4"), MX6).transpose(),
        ),
    ],
)
def test_what_makes_no_sense_gets_a_sentence(message, call):
    with pytest.raises(ValueError, match=message):
        call()


def test_tags_of_packed_activations_are_each_tiles_own():
    a = tiled(6, 64, 2)
    assert np.any(a.is_mx9[0] != a.is_mx9[2])
    alone = replace(
        a,
        **{
            n: getattr(a, n)[2:4]
            for n in ("exponent", "microexponent", "mantissa", "sign", "is_mx9")
        },
    )
    assert activation_tiles(a, 2, 8)[1] == activation_tiles(alone, 2, 8)[0]
