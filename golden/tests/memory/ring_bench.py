"""A ring at the beginning of a memory, and small jobs for it."""

import numpy as np

import golden
from golden import MX6, quantize
from golden.memory import Command, Machine, Memory, Ring
from golden.memory.descriptor import BYTES
from golden.memory.jobs import JobKind
from golden.packing import weight_stream

MACHINE = Machine(rows=4, cols=4, act_bytes=32, weight_bytes=16, act_depth=48, k_max=256)


BASE, SIZE, RING = 0x1_0000_0000, 1 << 18, 8


class Bench:
    """A ring at the beginning of a memory, and places behind it."""

    def __init__(self, machine=MACHINE, **options):
        self.memory = Memory()
        self.data = self.memory.add(BASE, SIZE)
        self.ring = Ring(machine, self.memory, BASE, RING, **options)
        self.free = BASE + RING * BYTES
        self.rng = np.random.default_rng(7)

    def room(self, size):
        """Return the address of so many bytes, with some behind them that nobody owns."""
        at, self.free = self.free, -(-(self.free + size + 64) // 64) * 64
        return at

    def place(self, data):
        at = self.room(len(data))
        self.memory.write(at, data)
        return at

    def place_tiles(self, packets):
        """Place packed tiles at a stride; return address and stride."""
        stride = -(-max(map(len, packets)) // 64) * 64
        at = self.room(stride * len(packets))
        for number, packet in enumerate(packets):
            self.memory.write(at + number * stride, packet)
        return at, stride

    def matrix(self, *shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def after(self, writes):
        """Return what memory holds when some bytes are written into what it holds now."""
        expected = self.data.copy()
        for address, data in writes:
            expected[address - BASE : address - BASE + len(data)] = np.frombuffer(data, np.uint8)
        return expected

    def run(self, *commands, writes):
        """Run commands; compare all of memory, but for the descriptors' own places."""
        expected = self.after(writes)
        self.ring.submit(list(commands))
        assert np.array_equal(self.data[RING * BYTES:], expected[RING * BYTES:])


def job(kind, **values):
    return Command(kind=kind, **{"count_0": 1, "count_1": 1, "tiles": 1} | values)


def rows_of(array):
    return [row.tobytes() for row in array]


def at_strides(address, stride, parts):
    return [(address + number * stride, part) for number, part in enumerate(parts)]


def small_job(bench, **changes):
    """Place the operands of a small job; return it and the bytes that it writes."""
    m, n, k = 3, 2, 16
    a, w = bench.matrix(m, k), quantize(bench.matrix(k, n), MX6, axis=0)
    at, (b, stride) = bench.place(a.tobytes()), bench.place_tiles(weight_stream(w, 4, 16))
    c = bench.room(m * 8)
    values = {"kind": JobKind.GEMM, "m": m, "n": n, "k": k, "a": at, "b": b, "c": c,
              "a_stride": k * 4, "b_stride": stride, "c_stride": 8} | changes
    return job(**values), at_strides(
        c, 8, rows_of(golden.gemm(quantize(a, MX6), w, k_max=256)))
