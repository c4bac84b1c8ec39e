"""Bytes of blocks and packets, each a number of many bits, as docs/packets.md lists its fields."""

import numpy as np

from golden import packing, planes, unpacking
from golden.formats import MX6, MX9
from golden.mx import MXTensor
from golden.tests.proof.sums import raw
from golden.tests.proof.sweep import Sweep, assert_equal


def base_of(tensor: MXTensor, line: int, block: int) -> bytes:
    """Write a base as one number of 96 bits."""
    word = int(tensor.exponent[line, block])
    for pair in range(8):
        word |= int(tensor.microexponent[line, block, pair]) << 8 + pair
    for place in range(16):
        high = int(tensor.mantissa[line, block, place])
        high = high >> 3 if tensor.is_mx9[line, block] else high
        word |= int(tensor.sign[line, block, place]) << 16 + place | high << 32 + 4 * place
    return word.to_bytes(12, "little")


def residual_of(tensor: MXTensor, line: int, block: int) -> bytes:
    """Write a residual as one number of 48 bits."""
    word = sum(int(tensor.mantissa[line, block, place] & 7) << 3 * place for place in range(16))
    return word.to_bytes(6, "little")


def packet_of(tensor: MXTensor, lines: range, width: int, head: bytes = b"") -> bytes:
    """Write a packed tile, byte after byte, as the page's loop does."""
    packet = bytearray(head)
    packet += bytes(-len(packet) % width)
    blocks = tensor.exponent.shape[1]
    for block in range(blocks):
        if block % (8 * width) == 0:
            for octet in range(width):
                packet.append(
                    sum(
                        1 << bit
                        for bit in range(8)
                        if block + 8 * octet + bit < blocks
                        and tensor.is_mx9[lines[0], block + 8 * octet + bit]
                    )
                )
        packet += chunk_of(tensor, lines, block, width)
    return bytes(packet)


def chunk_of(tensor: MXTensor, lines: range, block: int, width: int) -> bytes:
    """Write the bases and residuals of a tile's K-block."""
    chunk = b"".join(base_of(tensor, line, block) for line in lines)
    chunk += bytes(-len(chunk) % width)
    if tensor.is_mx9[lines[0], block]:
        rest = b"".join(residual_of(tensor, line, block) for line in lines)
        chunk += rest + bytes(-len(rest) % width)
    return chunk


def tiles_of(rng: np.random.Generator, lanes: int) -> tuple[MXTensor, list[range]]:
    """Draw a matrix whose tiles share the precision of their K-blocks."""
    lines, k = int(rng.integers(1, 2 * lanes + 2)), int(rng.integers(1, 400))
    tensor = raw(rng, lines, k)
    tiles = [range(first, min(first + lanes, lines)) for first in range(0, lines, lanes)]
    for tile in tiles:
        tensor.is_mx9[tile.start : tile.stop] = tensor.is_mx9[tile.start]
    limit = np.where(tensor.is_mx9, 127, 15)[..., None]
    np.minimum(tensor.mantissa, limit, out=tensor.mantissa, casting="unsafe")
    return tensor, tiles


def packets(chunk: int) -> int:
    """Packed operands of any codes and sizes, written and read back."""
    rng, found = np.random.default_rng(chunk), 0
    for width in (2, 4, 16, 64):
        lanes = int(rng.integers(1, 6))
        tensor, tiles = tiles_of(rng, lanes)
        wanted = [packet_of(tensor, tile, width) for tile in tiles]
        if packing.activation_tiles(tensor, lanes, width) != wanted:
            raise AssertionError("activations have other bytes")
        bias = rng.standard_normal(len(tensor.exponent)).astype(np.float32)
        heads = [b"".join(bias[line].tobytes() for line in tile) for tile in tiles]
        biased = [packet_of(tensor, tile, width, head)
                  for tile, head in zip(tiles, heads, strict=True)]  # fmt: skip
        if packing.weight_stream(tensor.transpose(), lanes, width, bias) != biased:
            raise AssertionError("weights have other bytes")
        back = unpacking.read_activation_tiles(wanted, tensor.shape, lanes, width)
        other = unpacking.read_weight_stream(wanted, tensor.shape[::-1], lanes, width)
        for name in ("exponent", "microexponent", "mantissa", "sign", "is_mx9"):
            assert_equal(getattr(back, name), getattr(tensor, name))
            assert_equal(getattr(other, name), getattr(tensor, name))
        base, low = planes.pack(tensor)
        places = [(line, block) for line in range(len(tensor.exponent))
                  for block in range(tensor.exponent.shape[1])]  # fmt: skip
        if base.tobytes() != b"".join(base_of(tensor, *place) for place in places):
            raise AssertionError("a base has other bytes")
        rest = [residual_of(tensor, *place) for place in places if tensor.is_mx9[place]]
        if low.tobytes() != b"".join(rest):
            raise AssertionError("a residual has other bytes")
        again = planes.unpack(base, low, tensor.is_mx9, "mixed", tensor.shape, 1)
        found += assert_equal(again.mantissa, tensor.mantissa)
    return found


def results(chunk: int) -> int:
    """Packed results in their order, and the activations that they become."""
    rng, found = np.random.default_rng(chunk), 0
    for width, cols in ((4, 4), (8, 16), (16, 32), (64, 48)):
        rows, tiles = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        m, n = int(rng.integers(1, 4 * rows)), int(rng.integers(1, 130))
        fmt = (MX6, MX9)[chunk % 2]
        any_codes = raw(rng, m, n)
        is_mx9 = np.full_like(any_codes.is_mx9, fmt == MX9)
        mantissa = any_codes.mantissa % 2**fmt.mantissa_bits
        parts = (any_codes.exponent, any_codes.microexponent, mantissa, any_codes.sign, is_mx9)
        c = MXTensor(fmt, any_codes.shape, 1, *parts)
        step, wanted = max(cols, 16), []
        for group in range(0, m, rows * tiles):
            for column in range(0, n, step):
                for row in range(group, min(group + rows * tiles, m), rows):
                    block = column // 16
                    while 16 * block < min(column + step, n):
                        lines = range(row, min(row + rows, m))
                        wanted.append(chunk_of(c, lines, block, width))
                        block += 1
        ours = packing.result_chunks(c, rows, tiles, width, cols)
        if ours != wanted:
            raise AssertionError("results have other bytes, or another order")
        next_act = unpacking.tiles_of_chunks(ours, (m, n), fmt, rows, tiles, width, cols)
        if next_act != [packet_of(c, range(row, min(row + rows, m)), width)
                        for row in range(0, m, rows)]:  # fmt: skip
            raise AssertionError("they become other activations")
        found += c.mantissa.size
    return found


def numbers(chunk: int) -> int:
    """Rows of numbers, each little-endian."""
    rng = np.random.default_rng(chunk)
    x = rng.standard_normal((5, 1 + chunk)).astype((np.float16, ">f4")[chunk % 2])
    size = x.itemsize
    words = x.astype(x.dtype.newbyteorder("<")).view(f"<u{size}")
    wanted = [b"".join(int(word).to_bytes(size, "little") for word in row) for row in words]
    if packing.activation_rows(x) != wanted:
        raise AssertionError("numbers have other bytes")
    return x.size


SWEEPS = (
    Sweep("packed operands",
          ("packing.weight_stream", "packing.activation_tiles", "packing.precision_beat",
           "planes.pack", "planes.pack_base", "planes.pack_residual", "planes.unpack",
           "unpacking.read_weight_stream", "unpacking.read_activation_tiles", "mx.MXTensor.base",
           "mx.MXTensor.residual", "mx.MXTensor.aligned_mantissa"),
          "numbers of 96 and 48 bits, by the loop of docs/packets.md",
          "random codes and sizes, four widths of a beat", 60, packets),
    Sweep("packed results",
          ("packing.result_chunks", "packing.chunk_places", "unpacking.tiles_of_chunks"),
          "the loop of docs/packets.md", "random codes and sizes, four machines", 60, results),
    Sweep("rows of numbers", ("packing.activation_rows",), "byte by byte",
          "random rows, either byte order", 40, numbers),
)  # fmt: skip
