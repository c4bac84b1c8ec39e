"""A packer written from docs/packets.md alone gives the bytes of golden and the order of hw."""

import random
import re
import struct
from math import log2

import numpy as np
import pytest

import golden
from golden.packing import activation_rows, activation_tiles, result_chunks, weight_stream
from golden.precision import mix
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from hw.host import packet_order
from hw.host.driver import Job
from sim_tests.bench import ROOT
from sim_tests.from_docs import numerics as docs
from sim_tests.from_docs import packets

PAGE = (ROOT / "docs" / "packets.md").read_text()
SEEDS = range(24)


def numbers(rng: random.Random, lines: int, k: int) -> np.ndarray:
    """FP32 patterns, with zeros, subnormals, infinities and NaNs, and a block of zeros."""
    bits = np.array([[rng.getrandbits(1) << 31 | rng.randint(110, 130) << 23 | rng.getrandbits(23)
                      for _ in range(k)] for _ in range(lines)], np.uint32)
    for special in (0, 1 << 31, 0x00000001, 0x807FFFFF, 0x7F800000, 0xFFC00001):
        bits[rng.randrange(lines), rng.randrange(k)] = special
    block = 16 * rng.randrange(-(-k // 16))
    bits[rng.randrange(lines), block : block + 16] = rng.choice([0, 1 << 31])
    return bits


def blocks(bits: np.ndarray, tags: np.ndarray) -> list[list[docs.Block]]:
    """Lines in blocks as the docs quantize them."""
    return [[docs.quantize(block, bool(tag)).block
             for block, tag in zip(docs.blocks_of(line), line_tags, strict=True)]
            for line, line_tags in zip(bits.tolist(), tags.tolist(), strict=True)]


def tensor(bits: np.ndarray, tags: np.ndarray, axis: int) -> golden.MXTensor:
    """The same as golden has it, as (lines, K) or (K, lines)."""
    values = bits.view(np.float32)
    values = values if axis else values.T
    return mix(golden.quantize(values, golden.MX6, axis=axis),
               golden.quantize(values, golden.MX9, axis=axis), tags)


def shapes(seed: int) -> tuple[random.Random, int, int, int, int]:
    """Lines, lines in a tile, K, and bytes of a beat."""
    rng = random.Random(seed)
    return rng, rng.randint(1, 20), rng.randint(1, 9), rng.randint(1, 600), rng.choice([2, 4, 32])


@pytest.mark.parametrize("seed", SEEDS)
def test_packed_tiles_have_goldens_bytes(seed):
    rng, lines, together, k, beat_bytes = shapes(seed)
    bits = numbers(rng, lines, k)
    tags = np.array([[rng.random() < 0.5 for _ in range(-(-k // 16))]
                     for _ in range(-(-lines // together))])
    tags = tags.repeat(together, axis=0)[:lines]
    biases = [rng.getrandbits(30) for _ in range(lines)]
    tiles = docs.in_chunks(blocks(bits, tags), together)
    assert activation_tiles(tensor(bits, tags, 1), together, beat_bytes) == [
        docs.packed_tile(tile, beat_bytes) for tile in tiles]
    weight = tensor(bits, tags, 0)
    assert weight_stream(weight, together, beat_bytes) == [
        docs.packed_tile(tile, beat_bytes) for tile in tiles]
    heads = np.array(biases, np.uint32).view(np.float32)
    assert weight_stream(weight, together, beat_bytes, heads) == [
        docs.packed_tile(tile, beat_bytes, head)
        for tile, head in zip(tiles, docs.in_chunks(biases, together), strict=True)]


@pytest.mark.parametrize("seed", SEEDS)
def test_mx4_has_goldens_bytes(seed):
    rng, lines, together, k, beat_bytes = shapes(seed)
    bits = numbers(rng, lines, k)
    made = [[docs.quantize_mx4(block) for block in docs.blocks_of(line)] for line in bits.tolist()]
    expected = golden.quantize(bits.view(np.float32), golden.MX4, axis=1)
    assert activation_tiles(expected, together, beat_bytes) == [
        docs.packed_tile(tile, beat_bytes) for tile in docs.in_chunks(made, together)]


def machine(rng: random.Random) -> tuple[Config, packets.Array]:
    """Draw a machine."""
    rows, cols = rng.randint(1, 9), rng.choice([1, 2, 4, 5, 8, 16, 32, 48])
    lanes = cols << rng.randint(0, int(log2(rows)))
    config = Config.sized(rows=rows, cols=cols, drain_lanes=lanes)
    return config, packets.Array(rows, cols, lanes // cols)


@pytest.mark.parametrize("seed", range(200))
def test_packets_come_in_hws_order(seed):
    rng = random.Random(seed)
    config, array = machine(rng)
    m, n, k, tiles = (rng.randint(1, most) for most in (60, 130, 40, 5))
    job = Job(m=m, n=n, k=k, tiles=tiles)

    def fed(kind):
        return list(packet_order.activation_packets(config, Job(m=m, n=n, k=k, kind=kind)))

    assert fed(JobKind.GEMM) == list(packets.rows_of_numbers(m, k))
    assert fed(JobKind.GEMM_PACKED) == list(packets.packed_rows(array, m, k))
    assert fed(JobKind.CONVERT) == list(packets.rows_of_numbers(n, k))
    assert fed(JobKind.CONVERT_TRANSPOSED) == list(packets.transposed_numbers(array, n, k))
    assert list(packet_order.conversion_packets(config, job)) == list(
        packets.packed_columns(array, n, k))
    assert packet_order.weight_passes(config, job) == packets.weight_passes(array, m, tiles)
    assert list(packet_order.result_packets(config, job)) == list(
        packets.float_results(array, m, n, tiles))
    assert list(packet_order.packed_result_chunks(config, job)) == list(
        packets.mx_results(array, m, n, tiles))


@pytest.mark.parametrize("is_mx9", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_packed_results_go_where_the_next_job_reads_them(seed, is_mx9):
    rng = random.Random(seed)
    _, array = machine(rng)
    beat_bytes = 1 << rng.randint(1, 5)
    m, n, tiles = rng.randint(1, 20), rng.randint(1, 600), rng.randint(1, 4)
    fmt = golden.MX9 if is_mx9 else golden.MX6
    bits = numbers(rng, m, n)
    results = golden.quantize(bits.view(np.float32), fmt, axis=1)
    chunks = result_chunks(results, array.rows, tiles, beat_bytes, array.cols)
    made = blocks(bits, np.full((m, -(-n // 16)), is_mx9))
    parts = list(packets.mx_results(array, m, n, tiles))
    assert chunks == [docs.packed_unit([line[part.col // 16] for line in
                                        made[part.row : part.row + part.rows]], beat_bytes)
                      for part in parts]
    whole = activation_tiles(results, array.rows, beat_bytes)
    for part, chunk in zip(parts, chunks, strict=True):
        first = packets.block_place(beat_bytes, part.col // 16, part.rows, is_mx9)
        assert whole[part.row // array.rows][first : first + len(chunk)] == chunk
    assert len(chunks) == sum(-(-n // 16) for _ in whole)


@pytest.mark.parametrize(("source", "fmt"), [(docs.FP32, golden.FP32), (docs.FP16, golden.FP16),
                                             (docs.BF16, golden.BF16)])
def test_numbers_lie_side_by_side(source, fmt):
    rng = random.Random(1)
    rows = [[rng.getrandbits(8 * source.size) for _ in range(7)] for _ in range(3)]
    kind = np.uint32 if source is docs.FP32 else np.uint16
    packed = activation_rows(np.array(rows, kind), fmt)
    for row, packet in zip(rows, packed, strict=True):
        assert len(packet) == 7 * source.size
        for j, number in enumerate(row):
            first = source.size * j
            assert int.from_bytes(packet[first : first + source.size], "little") == number


def test_the_example_on_the_page_is_right():
    (line,) = re.findall(r"^    (1  -0\.75 .*)$", PAGE, re.MULTILINE)
    patterns = [struct.unpack("<I", struct.pack("<f", float(text)))[0] for text in line.split()]
    assert len(patterns) == 13
    values = np.array(patterns, np.uint32).view(np.float32)
    shown = dict(re.findall(r"^\| (MX[694]) \| (\d.*) \|$", PAGE, re.MULTILINE))
    padded = [*patterns, 0, 0, 0]
    made = {"MX9": docs.quantize(padded, True).block, "MX6": docs.quantize(padded, False).block,
            "MX4": docs.quantize_mx4(padded)}
    assert shown.keys() == made.keys()
    for name, cells in shown.items():
        codes, base, residual = (cell.strip(" `") for cell in cells.split("|"))
        fmt = getattr(golden, name)
        expected = golden.quantize(values[None], fmt, axis=1)
        assert [int(code) for code in codes.split()] == expected.mantissa[0, 0, :13].tolist()
        (packet,) = activation_tiles(expected, 1, 2)
        assert bytes.fromhex(base + residual) == packet[2:], "behind the precision bits"
        assert made[name].base_bytes() == bytes.fromhex(base)
        if residual:
            assert made[name].residual_bytes() == bytes.fromhex(residual)
