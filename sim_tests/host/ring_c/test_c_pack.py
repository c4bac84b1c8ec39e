"""Weights packed in C: golden's packets to the byte, lengths, and what is refused."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from golden import MX4, MX6, MX9, Policy, quantize_weight
from golden.encode import ROUNDINGS
from golden.formats import FLOAT_FORMATS, MXFormat
from golden.memory.jobs import FORMAT_CODES
from golden.memory.layouts import longest_packet
from golden.packing import activation_tiles, weight_stream
from sim_tests.host.c_driver import Host, Result
from sim_tests.host.ring_c.c_ring import NOTHING, CRing
from sim_tests.host.ring_c.ring_device import RingDevice

NUMBERS, PACKED, GAP = 0, 1 << 19, 192
CANARY = 0xC3


def patterns(rng: np.random.Generator, shape: tuple[int, int], name: str) -> np.ndarray:
    """Draw bit patterns whose blocks are close in exponent, about ties, saturation and all ends."""
    fmt = FLOAT_FORMATS[name]
    kind = np.uint32 if fmt.width == 32 else np.uint16
    largest = (1 << fmt.exponent_bits) - 1
    centre = rng.integers(-3, largest + 3, (*shape[:-1], -(-shape[-1] // 16)))
    exponent = np.repeat(centre, 16, axis=-1)[..., : shape[-1]] - rng.integers(0, 12, shape)
    mantissa = rng.integers(0, 1 << fmt.mantissa_bits, shape)
    cut = rng.integers(0, fmt.mantissa_bits + 1, shape)  # so many zeros, or ones, at the end: ties
    ends = (1 << cut) - 1
    mantissa = np.where(rng.random(shape) < 0.5, mantissa & ~ends, mantissa | ends)
    top = np.where(rng.random(shape) < 0.97, largest - 1, largest)
    bits = np.clip(exponent, 0, top) << fmt.mantissa_bits | mantissa
    bits = np.where(rng.random(shape) < 0.1, 0, bits)
    return (bits | rng.integers(0, 2, shape) << fmt.width - 1).astype(kind)


class Packer:
    """Pack in C what golden packs."""

    def __init__(self, host: Host) -> None:
        self.driver = CRing(RingDevice(), host)

    def check(self, x: np.ndarray, name: str, *, lines: int = 4, beat: int = 16,
              formats: tuple[MXFormat, MXFormat] = (MX6, MX9), rounding: str = "half_even",
              rows_are_lines: bool = False, outliers: np.ndarray | None = None,
              order: np.ndarray | None = None, is_packed_a: bool = False) -> None:
        """Compare every byte; `x` is (K, N), or (N, K) if its rows are lines."""
        k, n = x.shape[::-1] if rows_are_lines else x.shape
        chosen = np.zeros(-(-k // 16), bool) if outliers is None else outliers
        choices = {} if order is None else {"order": "calibrated", "permutation": order}
        tensor = quantize_weight(x.T if rows_are_lines else x, chosen,
                                 Policy(weights=formats, **choices), rounding, name)
        if is_packed_a:
            packets = activation_tiles(tensor.transpose(), lines, beat)
        else:
            packets = weight_stream(tensor, lines, beat)
        stride = -(-len(packets[0]) // 64) * 64 + 64
        size = (len(packets) - 1) * stride + len(packets[-1])
        expected = np.full(size + GAP, CANARY, np.uint8)
        for number, packet in enumerate(packets):
            at = number * stride
            expected[at : at + len(packet)] = np.frombuffer(packet, np.uint8)
        row = x.dtype.itemsize * (x.shape[1] + 3)
        padded = np.zeros((len(x), x.shape[1] + 3), x.dtype)
        padded[:, : x.shape[1]] = x
        self.driver.place(NUMBERS + 1, padded)  # at any alignment
        self.driver.poke(PACKED, bytes([CANARY]) * len(expected))
        assert self.driver.pack(
            lines, beat, numbers=NUMBERS + 1, format=FORMAT_CODES[name], matrix_lines=n, k=k,
            stride=row, rows_are_lines=rows_are_lines, ordinary=formats[0].mantissa_bits,
            outlier=formats[1].mantissa_bits, rounding=ROUNDINGS.index(rounding), to=PACKED,
            size=size, tile_stride=stride, outliers=() if outliers is None else outliers,
            order=() if order is None else order) == Result.OK
        found = np.frombuffer(self.driver.peek(PACKED, len(expected)), np.uint8)
        assert np.array_equal(found, expected), np.flatnonzero(found != expected)[:5]


@pytest.mark.parametrize("name", FLOAT_FORMATS)
@pytest.mark.parametrize("rounding", ["half_even", "truncate"])
@pytest.mark.parametrize("formats", list(itertools.product((MX9, MX6, MX4), repeat=2)),
                         ids=lambda pair: "-".join(fmt.name for fmt in pair))
def test_every_format_is_packed_as_golden_packs_it(host, name, rounding, formats):
    packer, rng = Packer(host), np.random.default_rng(FORMAT_CODES[name])
    for rows_are_lines in (False, True):
        x = patterns(rng, (11, 200), name)
        x = x if rows_are_lines else np.ascontiguousarray(x.T)
        packer.check(x, name, formats=formats, rounding=rounding, rows_are_lines=rows_are_lines,
                     outliers=rng.random(13) < 0.4)


def test_every_shape_is_packed_as_golden_packs_it(host):
    packer, rng = Packer(host), np.random.default_rng(5)
    shapes = [(1, 1, 1, 4), (1, 16, 1, 8), (17, 3, 8, 64), (256, 9, 4, 4), (2200, 2, 2, 16),
              (33, 5, 5, 32), (15, 8, 8, 12), (600, 3, 3, 1), (528, 6, 4, 4)]
    for k, n, lines, beat in shapes:
        blocks, x = -(-k // 16), patterns(rng, (n, k), "bf16")
        for outliers, order in ((None, None), (np.ones(blocks, bool), None),
                                (rng.random(blocks) < 0.5, rng.permutation(k))):
            packer.check(x, "bf16", lines=lines, beat=beat, rows_are_lines=True,
                         outliers=outliers, order=order, is_packed_a=bool(n % 2))


@pytest.mark.parametrize("name", ["fp16", "bf16"])
def test_every_pattern_of_16_bits(host, name):
    """All of them beside each other, and each beside ones: subnormals, NaNs, what is rounded."""
    packer = Packer(host)
    every = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
    one = {"fp16": 0x3C00, "bf16": 0x3F80}[name]
    beside = every.copy()
    beside[:, ::16] = one
    for x in (every, every[:, ::-1].T.copy(), beside):
        packer.check(x, name, lines=8, formats=(MX9, MX6), rows_are_lines=True)


def special_blocks() -> Iterator[list[int]]:
    """List blocks of FP32 patterns that encoders get wrong."""
    inf, nan, one, least, most = 0x7F800000, 0x7F800001, 0x3F800000, 0x00800000, 0x7F7FFFFF
    minus = 0x80000000
    for special in (inf, nan, 0x7FFFFFFF, 0xFFC00000, inf | minus, 1, 0x7FFFFF, minus, minus | 1):
        for place in (0, 7, 15):
            for other in (one, minus, 0, most):
                block = [other] * 16
                block[place] = special
                yield block
    for exponent in (1, 2, 7, 14, 15, 27, 254):
        for low in (0x40000, 0x3FFFF, 0x40001, 0x080000, 0x07FFFF, 0x7FFFFF, 0x7C0000, 0x7F8000):
            block = [exponent << 23 | low ^ index for index in range(16)]
            yield block
            yield [each - (index % 5 << 23) & 0x7FFFFFFF if each >> 23 > index % 5 else each
                   for index, each in enumerate(block)]
    yield [least, most] * 8
    yield [least] * 15 + [minus | 0x7FFFFF]


@pytest.mark.parametrize("rounding", ["half_even", "truncate"])
def test_special_blocks(host, rounding):
    blocks = np.array(list(special_blocks()), np.uint32)
    for fmt in (MX9, MX6, MX4):
        Packer(host).check(blocks, "fp32", formats=(fmt, fmt), rounding=rounding,
                           rows_are_lines=True)


def test_lengths_are_goldens(host):
    driver = CRing(RingDevice(), host)
    for lines, beat, k in itertools.product((1, 4, 5), (4, 16, 64), (1, 16, 513, 6144, 65535)):
        blocks = -(-k // 16)
        longest = longest_packet(lines, k, beat)
        stride = -(-longest // 64) * 64
        for number in (1, lines):
            tiles, packet, *rest = driver.lengths(lines, beat, number, k, blocks)
            assert (tiles, packet) == (1, longest_packet(number, k, beat))
            assert rest == [stride, stride]
        tiles, _, of_many, everything = driver.lengths(lines, beat, 7 * lines + 1, k, blocks)
        assert (tiles, of_many, everything) == (8, stride, 8 * stride)
        zeros = np.zeros((lines, min(k, 513)), np.float32)
        tensor = quantize_weight(zeros.T, np.zeros(-(-min(k, 513) // 16), bool), Policy())
        packet, = weight_stream(tensor, lines, beat)
        assert driver.lengths(lines, beat, lines, min(k, 513), 0)[1] == len(packet)
    huge = driver.lengths(4, 16, (1 << 32) - 1, 65535, 4096)
    assert huge[3] == huge[2] * (1 << 30) > 1 << 32
    many = 0x1555_5556  # whose bases are more than 32 bits count
    assert driver.lengths(many, 32, many, 16, 0)[1] == 32 * (1 + -(-12 * many // 32)) > 1 << 32
    assert driver.lengths(0, 32, 5, 16, 0)[0] == driver.lengths(4, 0, 4, 16, 0)[1] == 0


def test_what_cannot_be_packed_is_refused_and_nothing_is_written(host):
    driver = CRing(RingDevice(), host)
    good = {"numbers": 0, "format": 1, "matrix_lines": 9, "k": 40, "stride": 80,
            "rows_are_lines": True, "ordinary": 4, "outlier": 7, "rounding": 0, "to": PACKED,
            "size": 4096, "tile_stride": 320}
    packet = longest_packet(4, 40, 16) - 3 * 32  # all MX6
    last = longest_packet(1, 40, 16) - 3 * 16
    assert packet <= 320
    needed = 2 * 320 + last
    for wrong, result in (
            ({"numbers": NOTHING}, Result.BAD_MATRIX), ({"format": 3}, Result.BAD_MATRIX),
            ({"matrix_lines": 0}, Result.BAD_MATRIX), ({"k": 0}, Result.BAD_MATRIX),
            ({"stride": 79}, Result.BAD_MATRIX), ({"stride": 0}, Result.BAD_MATRIX),
            ({"rows_are_lines": False, "stride": 17}, Result.BAD_MATRIX),
            ({"ordinary": 3}, Result.BAD_PRECISION), ({"outlier": 0}, Result.BAD_PRECISION),
            ({"rounding": 2}, Result.BAD_PRECISION),
            ({"order": [0] * 40}, Result.BAD_ORDER),
            ({"order": [*range(39), 40]}, Result.BAD_ORDER),
            ({"tile_stride": 300}, Result.BAD_STRIDE), ({"tile_stride": 0}, Result.BAD_STRIDE),
            ({"tile_stride": packet // 64 * 64 - 64 * (packet % 64 == 0)}, Result.BAD_STRIDE),
            ({"size": needed - 1}, Result.NO_SPACE), ({"size": 0}, Result.NO_SPACE),
            ({"tile_stride": (1 << 32) - 64}, Result.NO_SPACE)):
        driver.poke(PACKED, bytes([CANARY]) * 4096)
        assert driver.pack(4, 16, **good | wrong) == result, wrong
        assert driver.peek(PACKED, 4096) == bytes([CANARY]) * 4096, wrong
    for lines, beat in ((0, 16), (4, 0)):
        assert driver.pack(lines, beat, **good) == Result.BAD_MATRIX
    for right in ({"size": needed}, {"matrix_lines": 1, "stride": 0, "tile_stride": 64},
                  {"rows_are_lines": False, "stride": 18}):
        assert driver.pack(4, 16, **good | right) == Result.OK, right
